#include "bisect/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "bisect/runner.h"
#include "bisect/supervisor.h"

namespace flakebisect::bisect {

namespace {

using Clock = std::chrono::steady_clock;

/// An owned descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }
  void reset(int number = -1) {
    if (number_ >= 0) close(number_);
    number_ = number;
  }

 private:
  int number_ = -1;
};

[[noreturn]] void fail(const std::string& what, int error) {
  throw CannotRun("cannot start a process: " + what + ": " + std::strerror(error) +
                  (error == EMFILE || error == ENFILE ? "; raise the limit of open files (ulimit -n)"
                   : error == EAGAIN || error == ENOMEM
                       ? "; too many processes or too little memory: use fewer --jobs"
                       : ""));
}

/// Moves a descriptor above the standard streams, so that placing those cannot overwrite it.
void lift(Descriptor& descriptor) {
  if (descriptor.get() > 2) return;
  const int lifted = fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 3);
  if (lifted < 0) fail("no descriptor", errno);
  descriptor.reset(lifted);
}

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;

  void open() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("no pipe", errno);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
    lift(read_end);
    lift(write_end);
  }
};

void make_nonblocking(int descriptor) {
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

/// Our environment with some variables set.
std::vector<std::string> merged_environment(
    const std::vector<std::pair<std::string, std::string>>& additions) {
  std::vector<std::string> merged;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const bool replaced = std::any_of(additions.begin(), additions.end(), [&](const auto& addition) {
      return text.starts_with(addition.first) && text.substr(addition.first.size()).starts_with('=');
    });
    if (!replaced) merged.emplace_back(text);
  }
  for (const auto& [name, value] : additions) merged.push_back(name + "=" + value);
  return merged;
}

/// Appends what can be read now. False: the stream has ended.
bool read_available(int descriptor, std::string& into) {
  constexpr std::size_t most = 256 * 1024;
  std::array<char, 64 * 1024> buffer;
  for (std::size_t total = 0; total < most;) {
    const ssize_t got = read(descriptor, buffer.data(), buffer.size());
    if (got > 0) {
      into.append(buffer.data(), static_cast<std::size_t>(got));
      total += static_cast<std::size_t>(got);
    } else if (got == 0) {
      return false;
    } else if (errno != EINTR) {
      return errno == EAGAIN;
    }
  }
  return true;
}

/// write(2) to a pipe whose far end may be closed: EPIPE, and no SIGPIPE, whatever the program does with that
/// signal elsewhere. The signal of a failed write is pending for this very thread, so it can be taken back.
ssize_t write_quietly(int descriptor, std::string_view bytes) {
  sigset_t pipe_signal;
  sigset_t before;
  sigset_t pending;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  sigpending(&pending);
  const bool was_pending = sigismember(&pending, SIGPIPE) == 1;
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const ssize_t sent = write(descriptor, bytes.data(), bytes.size());
  const int error = errno;
  if (sent < 0 && error == EPIPE && !was_pending) {
    const timespec at_once{};
    while (sigtimedwait(&pipe_signal, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return sent;
}

void close_and_forget(int& descriptor) {
  if (descriptor >= 0) close(descriptor);
  descriptor = -1;
}

}  // namespace

ChildProcess::ChildProcess(const ChildOptions& options) {
  Pipe in;
  Pipe out;
  Pipe err;
  Pipe control;
  Pipe status;
  if (options.with_input) {
    in.open();
  } else {
    in.read_end.reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (in.read_end.get() < 0) fail("/dev/null", errno);
    lift(in.read_end);
  }
  out.open();
  err.open();
  control.open();
  status.open();

  const auto variables = merged_environment(options.environment);
  std::vector<const char*> environment;
  environment.reserve(variables.size() + 1);
  for (const auto& variable : variables) environment.push_back(variable.c_str());
  environment.push_back(nullptr);
  const std::array<const char*, 4> argv = {"/bin/sh", "-c", options.command.c_str(), nullptr};
  SupervisorPlan plan{};
  plan.argv = argv.data();
  plan.environment = environment.data();
  plan.directory = options.directory.empty() ? nullptr : options.directory.c_str();
  plan.scratch = options.scratch.empty() ? nullptr : options.scratch.c_str();
  plan.in = in.read_end.get();
  plan.out = out.write_end.get();
  plan.err = err.write_end.get();
  plan.control = control.read_end.get();
  plan.status = status.write_end.get();

  // No handler of ours may run in the child before it has set up its own.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t forked = fork();
  const int fork_error = errno;
  if (forked == 0) supervise(plan);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (forked < 0) fail("fork", fork_error);

  supervisor_ = forked;
  in_ = in.write_end.release();
  out_ = out.read_end.release();
  err_ = err.read_end.release();
  control_ = control.write_end.release();
  status_ = status.read_end.release();
  // Our copies of the far ends must go before we look for an end of anything.
  for (Descriptor* far :
       {&in.read_end, &out.write_end, &err.write_end, &control.read_end, &status.write_end}) {
    far->reset();
  }
  SupervisorMessage message{};
  ssize_t got = 0;
  do {
    got = read(status_, &message, sizeof message);
  } while (got < 0 && errno == EINTR);
  for (const int descriptor : {in_, out_, err_, status_}) {
    if (descriptor >= 0) make_nonblocking(descriptor);
  }
  if (got != sizeof message || message.kind == SupervisorMessage::failed) {
    close_all();
    waitpid(supervisor_, nullptr, 0);
    supervisor_ = -1;
    fail("fork", got == sizeof message ? message.value : EAGAIN);
  }
  command_ = message.kind == SupervisorMessage::started ? message.value : -1;
}

ChildProcess::~ChildProcess() {
  terminate(0);
}

void ChildProcess::read_status() {
  SupervisorMessage message{};
  for (;;) {
    const ssize_t got = read(status_, &message, sizeof message);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got != sizeof message) {
      // The supervisor is gone, which only we or the system's administrator bring about.
      exited_ = true;
      close_and_forget(status_);
      return;
    }
    if (message.kind == SupervisorMessage::failed) {
      terminate(0);
      fail("cannot enter the directory or run /bin/sh", message.value);
    }
    if (message.kind == SupervisorMessage::ended) {
      exited_ = true;
      wait_status_ = message.value;
    }
  }
}

bool ChildProcess::wait(double seconds, std::string& out, std::string& err) {
  std::array<pollfd, 4> watched{};
  nfds_t count = 0;
  const auto watch = [&](int descriptor, short events) {
    if (descriptor < 0) return;
    watched[count++] = {descriptor, events, 0};
  };
  watch(out_, POLLIN);
  watch(err_, POLLIN);
  watch(status_, POLLIN);
  if (in_ >= 0 && !queued_.empty()) watch(in_, POLLOUT);
  const int milliseconds = static_cast<int>(std::clamp(seconds, 0.0, 86400.0) * 1000 + 0.999);
  const int ready = poll(watched.data(), count, seconds <= 0 ? 0 : milliseconds);
  if (ready <= 0) return false;
  for (nfds_t i = 0; i < count; ++i) {
    const pollfd& entry = watched[i];
    if (entry.revents == 0) continue;
    if (entry.fd == out_) {
      if (!read_available(out_, out)) close_and_forget(out_);
    } else if (entry.fd == err_) {
      if (!read_available(err_, err)) close_and_forget(err_);
    } else if (entry.fd == status_) {
      read_status();
    } else if (entry.fd == in_) {
      const ssize_t sent = write_quietly(in_, queued_);
      if (sent > 0) {
        queued_.erase(0, static_cast<std::size_t>(sent));
      } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        input_broken_ = true;
        queued_.clear();
        close_and_forget(in_);
      }
      if (in_ >= 0 && queued_.empty() && close_input_when_sent_) close_and_forget(in_);
    }
  }
  return true;
}

void ChildProcess::send(std::string_view bytes) {
  if (in_ < 0 || bytes.empty()) return;
  if (queued_.empty()) {
    // Nearly always the pipe has room: no need to wait for poll() to say so.
    const ssize_t sent = write_quietly(in_, bytes);
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
      input_broken_ = true;
      close_and_forget(in_);
      return;
    }
  }
  queued_.append(bytes);
}

void ChildProcess::close_input() {
  if (queued_.empty()) {
    close_and_forget(in_);
  } else {
    close_input_when_sent_ = true;
  }
}

bool ChildProcess::terminate(double grace_seconds) {
  if (supervisor_ < 0) return clean_;
  close_and_forget(in_);
  if (!exited_ && grace_seconds > 0) {
    (void)!write(control_, "T", 1);
    const auto deadline = Clock::now() + std::chrono::duration<double>(grace_seconds);
    std::string ignored;
    while (!exited_) {
      const double left = std::chrono::duration<double>(deadline - Clock::now()).count();
      if (left <= 0) break;
      // Output is read on, or a command that fills a pipe could not end.
      wait(left, ignored, ignored);
      ignored.clear();
    }
  }
  const pid_t supervisor = std::exchange(supervisor_, -1);
  close_and_forget(control_);  // means: kill everything
  int supervisor_status = 0;
  while (waitpid(supervisor, &supervisor_status, 0) < 0 && errno == EINTR) {
  }
  if (status_ >= 0 && !exited_) {
    SupervisorMessage message{};
    while (read(status_, &message, sizeof message) == static_cast<ssize_t>(sizeof message)) {
      if (message.kind == SupervisorMessage::ended) wait_status_ = message.value;
    }
  }
  // A supervisor that was killed (by an administrator, for want of memory) left its work to us.
  if (WIFSIGNALED(supervisor_status) && command_ > 0) kill(-command_, SIGKILL);
  exited_ = true;
  clean_ = WIFEXITED(supervisor_status) && WEXITSTATUS(supervisor_status) == supervisor_clean;
  close_all();
  return clean_;
}

void ChildProcess::close_all() {
  for (int* descriptor : {&in_, &out_, &err_, &control_, &status_}) close_and_forget(*descriptor);
}

std::string describe_wait_status(int wait_status) {
  if (wait_status < 0) return "was ended by flakebisect";
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    return "was killed by signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
  }
  return "exited with status " + std::to_string(WEXITSTATUS(wait_status));
}

void Tail::add(std::string_view bytes) {
  if (bytes.size() >= most_) {
    text_.assign(bytes.substr(bytes.size() - most_));
    return;
  }
  text_.append(bytes);
  if (text_.size() > most_) text_.erase(0, text_.size() - most_);
}

}  // namespace flakebisect::bisect
