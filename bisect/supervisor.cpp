#include "bisect/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>

#include "bisect/temporary_folder.h"

namespace flakebisect::bisect {

namespace {

void say(int pipe, SupervisorMessage::Kind kind, int value) {
  const SupervisorMessage message{kind, value};
  // Smaller than PIPE_BUF: written whole or not at all.
  while (write(pipe, &message, sizeof message) < 0 && errno == EINTR) {
  }
}

void reset_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Puts `descriptor` at number `target`, which then survives exec.
void place(int descriptor, int target) {
  if (descriptor == target) {
    fcntl(target, F_SETFD, 0);
  } else {
    dup2(descriptor, target);
  }
}

[[noreturn]] void run_command(const SupervisorPlan& plan) {
  setsid();
  prctl(PR_SET_CHILD_SUBREAPER, 0);
  // Should somebody kill the supervisor itself, the command goes too.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  reset_signals();
  if (plan.directory != nullptr && chdir(plan.directory) != 0) {
    say(plan.status, SupervisorMessage::failed, errno);
    _exit(127);
  }
  // The plan's descriptors are all above 2 (see ChildProcess), so none is overwritten before it is placed.
  place(plan.in, 0);
  place(plan.out, 1);
  place(plan.err, 2);
  // Whoever started us may have left descriptors open; a test must not see them. (4: CLOSE_RANGE_CLOEXEC)
  syscall(SYS_close_range, 3U, ~0U, 4U);
  execve(plan.argv[0], const_cast<char* const*>(plan.argv), const_cast<char* const*>(plan.environment));
  say(plan.status, SupervisorMessage::failed, errno);
  _exit(127);
}

/// The parent of process `pid`, read from /proc; -1 where there is no such process.
pid_t parent_of(const char* pid) {
  char path[64] = "/proc/";
  std::strncat(path, pid, 20);
  std::strncat(path, "/stat", 6);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  char text[512];
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return -1;
  text[length] = '\0';
  // "pid (name) state ppid ...": the name may hold anything, so look behind the last parenthesis.
  const char* at = std::strrchr(text, ')');
  if (at == nullptr || std::strlen(at) < 5) return -1;
  return static_cast<pid_t>(std::strtol(at + 4, nullptr, 10));
}

/// Kills every direct child by walking /proc; their children then become ours.
void kill_children() {
  const int folder = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  const pid_t self = getpid();
  struct Entry {
    unsigned long inode;
    long offset;
    unsigned short length;
    char type;
    char name[1];
  };
  alignas(Entry) char buffer[8192];
  for (;;) {
    const long got = syscall(SYS_getdents64, folder, buffer, sizeof buffer);
    if (got <= 0) break;
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
      const char* name = buffer + at + offsetof(Entry, name);
      if (name[0] >= '1' && name[0] <= '9' && parent_of(name) == self) {
        kill(static_cast<pid_t>(std::strtol(name, nullptr, 10)), SIGKILL);
      }
      at += entry->length;
    }
  }
  close(folder);
}

/// Kills all descendants and reaps them; false where some cannot be reaped within five seconds.
bool kill_everything(pid_t command, int status_pipe, bool& command_ended) {
  kill(-command, SIGKILL);
  for (int round = 0; round < 2500; ++round) {
    for (;;) {
      int wait_status = 0;
      const pid_t ended = waitpid(-1, &wait_status, WNOHANG);
      if (ended < 0 && errno == ECHILD) return true;
      if (ended <= 0) break;
      if (ended == command && !command_ended) {
        command_ended = true;
        say(status_pipe, SupervisorMessage::ended, wait_status);
      }
    }
    kill_children();
    timespec pause{0, round < 20 ? 200'000 : 2'000'000};
    nanosleep(&pause, nullptr);
  }
  return false;
}

/// Removes a TemporaryFolder.
void remove_scratch(const char* path) {
  const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  for (const char* file : scratch_files) unlinkat(folder, file, 0);
  close(folder);
  rmdir(path);
}

int child_pipe[2] = {-1, -1};

void on_child(int /*signal*/) {
  const int saved = errno;
  (void)!write(child_pipe[1], "c", 1);
  errno = saved;
}

}  // namespace

void supervise(const SupervisorPlan& plan) {
  setsid();  // a terminal's Ctrl-C is for flakebisect to handle
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "flakebisect-sup");
  struct sigaction action {};
  action.sa_handler = SIG_IGN;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) sigaction(signal, &action, nullptr);
  if (pipe2(child_pipe, O_CLOEXEC | O_NONBLOCK) != 0) _exit(supervisor_left_something);
  action.sa_handler = on_child;
  sigaction(SIGCHLD, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);

  const pid_t command = fork();
  if (command == 0) run_command(plan);
  if (command < 0) {
    say(plan.status, SupervisorMessage::failed, errno);
    _exit(supervisor_clean);
  }
  say(plan.status, SupervisorMessage::started, command);
  // Every other descriptor, other commands' pipes among them, must not be held open here.
  const int keep[4] = {plan.control, plan.status, child_pipe[0], child_pipe[1]};
  int first = 0;
  for (;;) {
    int next = -1;
    for (const int kept : keep) {
      if (kept >= first && (next < 0 || kept < next)) next = kept;
    }
    const unsigned last = next < 0 ? ~0U : static_cast<unsigned>(next) - 1U;
    if (next != first) syscall(SYS_close_range, static_cast<unsigned>(first), last, 0U);
    if (next < 0) break;
    first = next + 1;
  }

  bool command_ended = false;
  for (;;) {
    pollfd watched[2] = {{plan.control, POLLIN, 0}, {child_pipe[0], POLLIN, 0}};
    if (poll(watched, 2, -1) < 0 && errno != EINTR) break;
    if ((watched[1].revents & POLLIN) != 0) {
      char drained[64];
      while (read(child_pipe[0], drained, sizeof drained) > 0) {
      }
      int wait_status = 0;
      for (pid_t ended = 0; (ended = waitpid(-1, &wait_status, WNOHANG)) > 0;) {
        if (ended == command) {
          command_ended = true;
          say(plan.status, SupervisorMessage::ended, wait_status);
        }
      }
    }
    if (watched[0].revents == 0) continue;
    char order = 'K';
    const ssize_t got = read(plan.control, &order, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got == 1 && order == 'T') {
      if (!command_ended) kill(-command, SIGTERM);
      continue;
    }
    break;
  }
  // From here on children are reaped in one place.
  action.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &action, nullptr);
  const bool clean = kill_everything(command, plan.status, command_ended);
  if (plan.scratch != nullptr) remove_scratch(plan.scratch);
  _exit(clean ? supervisor_clean : supervisor_left_something);
}

}  // namespace flakebisect::bisect
