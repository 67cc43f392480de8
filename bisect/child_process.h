#pragma once

/// A shell command in a child process of its own, with pipes, that leaves nothing behind.
///
/// Between us and the command stands a supervisor: a fork of this program that never executes anything and is
/// the 'child subreaper' (prctl(2)) of everything the command starts. Processes that leave the command's
/// process group or session, or whose parents die, become the supervisor's children, so killing all of a
/// probe needs no guessing about names, groups or environments. The supervisor notices the end of this
/// program (its control pipe closes) and then kills all of it too, also when we were killed with SIGKILL.

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flakebisect::bisect {

struct ChildOptions {
  std::string command;      ///< for /bin/sh -c
  std::string directory;    ///< to run it in; empty: ours
  bool with_input = false;  ///< true: a pipe on standard input, see send(); false: /dev/null
  std::vector<std::pair<std::string, std::string>> environment;  ///< added to ours
  /// A TemporaryFolder that the supervisor removes when all has ended, should we be gone by then; or empty.
  std::string scratch;
};

/// Not thread-safe; different objects may be used from different threads.
class ChildProcess {
 public:
  /// Starts the command. Throws CannotRun where no process can be made or the directory cannot be entered.
  explicit ChildProcess(const ChildOptions& options);
  /// Kills what is left (no grace).
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Waits at most `seconds` (0: not at all) for output, an end of output, room for input or the command's
  /// end. Appends what came to `out` and `err`, at most 256 KiB each a call. True: something happened.
  bool wait(double seconds, std::string& out, std::string& err);

  /// Queues bytes for standard input; wait() writes them. Dropped once the command has closed it.
  void send(std::string_view bytes);
  /// Closes standard input once all that was queued is written.
  void close_input();
  bool input_broken() const { return input_broken_; }  ///< the command closed its end

  bool out_open() const { return out_ >= 0; }
  bool err_open() const { return err_ >= 0; }
  /// The command itself (the shell) has ended; children of it may live, and output may still be on its way.
  bool exited() const { return exited_; }
  int wait_status() const { return wait_status_; }  ///< as waitpid(2) gives it; -1 before exited()
  pid_t pid() const { return command_; }  ///< the shell's, which leads its own process group and session

  /// SIGTERM to the command's group, then, after at most `grace_seconds` or its end, SIGKILL to everything it
  /// started. Returns when all of it is gone. May be called again. True: nothing is left (false only for
  /// processes that the kernel will not let go, in uninterruptible sleep).
  bool terminate(double grace_seconds);

 private:
  void read_status();
  void close_all();

  pid_t supervisor_ = -1;
  pid_t command_ = -1;
  int in_ = -1;
  int out_ = -1;
  int err_ = -1;
  int control_ = -1;  ///< to the supervisor: 'T' and 'K'; its closing means 'K'
  int status_ = -1;   ///< from the supervisor: start and end of the command
  bool exited_ = false;
  int wait_status_ = -1;
  bool clean_ = true;
  std::string queued_;
  bool close_input_when_sent_ = false;
  bool input_broken_ = false;
};

/// Words for a wait status: "exited with status 3", "was killed by signal 9 (Killed)".
std::string describe_wait_status(int wait_status);

/// The last bytes of a stream, for messages.
class Tail {
 public:
  explicit Tail(std::size_t most = 4096) : most_(most) {}
  void add(std::string_view bytes);
  const std::string& text() const { return text_; }

 private:
  std::size_t most_;
  std::string text_;
};

}  // namespace flakebisect::bisect
