#pragma once

/// One run of a command with its output decoded as it comes, and what it needs on disk.

#include <chrono>
#include <cstddef>
#include <string>

#include "bisect/child_process.h"
#include "bisect/launcher.h"
#include "bisect/temporary_folder.h"
#include "repo_reader/stream_decoder.h"

namespace flakebisect::bisect {

/// How long we wait without looking at a cancel flag.
inline constexpr double slice_seconds = 0.02;
/// `sh -c TEXT` and every other argument of a program take 128 KiB; a longer text goes through a file.
inline constexpr std::size_t most_argument = 100 << 10;

class Execution {
 public:
  /// Starts `text` in `directory` (empty: here). `folder` and `sink` must outlive the object. Throws
  /// CannotRun.
  Execution(const std::string& text, const std::string& directory, const TemporaryFolder& folder,
            repo_reader::EventSink& sink);

  /// Waits for at most `seconds`, and at most slice_seconds, and decodes what came.
  void step(double seconds);
  /// After exited(): decodes what the command left in the pipe. Bounded, for a daemon may write for ever.
  void drain();
  /// Ends every process: see ChildProcess::terminate().
  void end(double grace_seconds) { child_.terminate(grace_seconds); }
  /// End of the stream.
  void finish() {
    errors_.add(signs_.rest());
    decoder_.finish();
  }

  repo_reader::Version version() const { return decoder_.version(); }
  bool exited() const { return child_.exited(); }
  int wait_status() const { return child_.wait_status(); }        ///< -1: not known
  double elapsed() const;                                         ///< seconds since the start
  const std::string& errors() const { return errors_.text(); }    ///< the end of standard error
  std::uint64_t signs_of_life() const { return signs_.count(); }  ///< of the far end, where it is launched

 private:
  void take();

  repo_reader::StreamDecoder decoder_;
  std::chrono::steady_clock::time_point start_;
  ChildProcess child_;
  std::string out_, err_;
  SignsOfLife signs_;
  Tail errors_;
};

/// What a shell gives as the exit status: 128 and the signal for a process killed by one.
int shell_status(int wait_status);

/// "died with signal 9 (Killed)", "ended with exit status 3". A shell tells the death of its child by a
/// status above 128, so that is told as the signal too.
std::string how_it_ended(int wait_status);

}  // namespace flakebisect::bisect
