#pragma once

/// Where probes run: shell text around the command of a probe or a test server, so that it runs on another
/// machine. Pure: text in, text out.

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flakebisect::bisect {

/// The text of --launcher cannot be used; the message says why.
struct LauncherError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// How one slot's commands are launched.
///
/// The command runs at the far end inside a small script, which enters the directory, gives signs of life on
/// standard error while the command runs, and, when it has ended, says so there. Where that word does not
/// come, the far end was lost, whatever the exit status of the launcher itself.
struct Launcher {
  std::string name;       ///< for the user and the session: "ssh:node3", "slurm", "launcher"
  std::string text;       ///< shell text; $COMMAND, $QUOTED_COMMAND, $FILES and $SLOT are replaced
  std::string directory;  ///< to enter at the far end; empty: none
  unsigned slot = 0;

  bool operator==(const Launcher&) const = default;

  /// $FILES is used: the files of a probe are brought to the far end, under the same paths.
  bool brings_files() const;

  /// The shell text that runs `command` at the far end. `script_file`: where to write the far end's script,
  /// for a launcher that brings files; `files`: the probe's files. Returns the text; `script` is what must be
  /// in the file (empty: no file is needed).
  std::string wrap(const std::string& command, const std::vector<std::string>& files,
                   const std::string& script_file, std::string& script) const;

  /// Likewise for a command that needs a list of ids in a file: `command` uses the shell variable `ids` for
  /// its name, and the list comes from the local file `id_file` through standard input. So does any other
  /// file, such as a script that is too long for an argument.
  std::string wrap_with_list(const std::string& command, const std::string& id_file) const;
};

/// The exit status that the far end told before it ended; nothing where it never did: then it was lost.
std::optional<int> launched_exit(std::string_view standard_error);
/// Standard error without the far end's word.
std::string without_exit_mark(std::string_view standard_error);

/// A far end that gives no sign of life for so long is lost: of what runs there nothing is known any more.
inline constexpr double most_silence_seconds = 15;

/// Takes the far end's signs of life out of standard error as it comes: the first when the far end starts,
/// then one every few seconds.
class SignsOfLife {
 public:
  /// What is left, without an end that may be the beginning of a sign: that comes with the next bytes.
  std::string take(std::string_view bytes);
  /// At the end of the stream: what was kept back.
  std::string rest() { return std::exchange(kept_, {}); }
  std::uint64_t count() const { return count_; }

 private:
  std::string kept_;
  std::uint64_t count_ = 0;
};

/// The last line of what the launcher said, for messages; "it said nothing".
std::string launcher_last_words(std::string_view standard_error);

/// The launchers of --launcher, one for each machine; slot i takes number i modulo their count.
/// `option`: `ssh:HOST,HOST...`, `kubectl:POD,[NAMESPACE/]POD...`, `slurm` or `slurm:OPTIONS OF SRUN`, or
/// shell text with $COMMAND or $QUOTED_COMMAND. Throws LauncherError.
std::vector<Launcher> parse_launchers(const std::string& option, const std::string& directory);

/// The launcher of testr's instance_execute for one instance.
Launcher instance_launcher(const std::string& instance_execute, const std::string& instance);

}  // namespace flakebisect::bisect
