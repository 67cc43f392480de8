#include "bisect/command_execution.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "bisect/command_template.h"
#include "bisect/runner.h"

namespace flakebisect::bisect {

namespace {

using Clock = std::chrono::steady_clock;

/// What can still be in the pipes when the command has ended, and is surely its own: the largest pipes there
/// are.
constexpr std::size_t most_after_exit = 2 << 20;

ChildOptions child_options(const std::string& text, const std::string& directory,
                           const TemporaryFolder& folder) {
  ChildOptions child;
  child.command = text;
  if (text.size() >= most_argument)
    child.command = "exec /bin/sh " + shell_quote(folder.write("command", text));
  child.directory = directory;
  child.scratch = folder.path();
  return child;
}

}  // namespace

Execution::Execution(const std::string& text, const std::string& directory, const TemporaryFolder& folder,
                     repo_reader::EventSink& sink)
    : decoder_(sink), start_(Clock::now()), child_(child_options(text, directory, folder)) {}

void Execution::step(double seconds) {
  child_.wait(std::min(seconds, slice_seconds), out_, err_);
  take();
}

void Execution::drain() {
  for (std::size_t got = 0; got < most_after_exit;) {
    if (!child_.wait(0, out_, err_)) break;
    if (out_.empty() && err_.empty() && !child_.out_open() && !child_.err_open()) break;
    got += out_.size() + err_.size() + 1;
    take();
  }
}

double Execution::elapsed() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

void Execution::take() {
  if (!out_.empty()) decoder_.feed(out_);
  errors_.add(signs_.take(err_));
  out_.clear();
  err_.clear();
}

/// The part of `status` that a shell would give: 128 and the signal for a process killed by one.
int shell_status(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/// "died with signal 9 (Killed)", "ended with exit status 3". A shell tells the death of its child by a
/// status above 128.
std::string how_it_ended(int wait_status) {
  const int status = shell_status(wait_status);
  if (status > 128 && status - 128 < NSIG) {
    return fmt::format("died with signal {} ({})", status - 128, strsignal(status - 128));
  }
  return fmt::format("ended with exit status {}", status);
}

}  // namespace flakebisect::bisect
