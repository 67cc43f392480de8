#pragma once

/// How the tests of a directory are run: `.testr.conf` as testr reads it; `.stestr.conf`, `[tool.stestr]` of
/// pyproject.toml and `[stestr]` of tox.ini as stestr reads them. docs/configuration.md has the keys.

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace flakebisect::repo_reader {

/// A configuration that cannot be used. The message names file and line, what was found, and what to do.
struct ConfigError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Whose configuration.
enum class ConfigFamily { testr, stestr };

/// Values are as after interpolation (%% is %), with lines of a continued value joined by LF.
struct TestConfig {
  std::filesystem::path file;
  std::string section;  ///< "DEFAULT", "stestr", "tool.stestr"
  ConfigFamily family = ConfigFamily::testr;

  /// Shell text with $IDOPTION, $IDFILE, $IDLIST, $LISTOPT. For stestr: the command it makes of test_path and
  /// top_dir. See require_test_command().
  std::optional<std::string> test_command;
  std::optional<std::string> test_id_option;
  std::optional<std::string> test_list_option;
  std::optional<std::string> test_id_list_default;
  std::optional<std::string> test_server_command;  ///< flakebisect's own key: starts a test server
  std::vector<std::string> filter_tags;            ///< tests with one of these are not counted
  /// Python's re.match on ids: tests with the same match stay in one worker.
  std::optional<std::string> group_regex;
  std::optional<std::string> test_run_concurrency;  ///< shell command that prints a number
  std::optional<std::string> instance_provision, instance_execute, instance_dispose;
};

/// The configuration of `directory`: the first file of `first`'s family that has one, else of the other
/// family. Within stestr's: .stestr.conf, pyproject.toml, tox.ini. Nothing where there is none. Throws
/// ConfigError where it cannot be read or understood.
std::optional<TestConfig> read_config(const std::filesystem::path& directory, ConfigFamily first);

/// The test command of a configuration, with what it needs: throws ConfigError where test_command (for stestr
/// test_path) is missing, or $IDOPTION or $LISTOPT is used and its option is not there, as testr does.
const std::string& require_test_command(const TestConfig& config);

/// The interpreter that stestr would run the tests with, as shell text: ${PYTHON} where that is set, else the
/// one that runs the `stestr` found on PATH, else python3.
std::string stestr_python();

}  // namespace flakebisect::repo_reader
