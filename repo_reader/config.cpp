#include "repo_reader/config.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>
#include <utility>

#include "repo_reader/config_ini.h"
#include "repo_reader/config_toml.h"

namespace flakebisect::repo_reader {

namespace {

namespace fs = std::filesystem;

/// Contents of a file; nothing where there is no such file.
std::optional<std::string> contents_of(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return std::nullopt;
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream || fs::is_directory(file, ignored) || !(text << stream.rdbuf() || stream.peek() == EOF)) {
    throw ConfigError(file.string() + ": cannot be read: " + std::strerror(errno != 0 ? errno : EISDIR) +
                      "; check its permissions, or give --command");
  }
  return std::move(text).str();
}

/// Looks a key up: its value, where there is one.
using Lookup = std::function<std::optional<std::string>(const std::string&)>;

bool is_true(const std::string& text, const std::string& where) {
  std::string lowered;
  for (const char c : text) lowered += static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  for (const char* word : {"1", "yes", "true", "on"}) {
    if (lowered == word) return true;
  }
  for (const char* word : {"0", "no", "false", "off"}) {
    if (lowered == word) return false;
  }
  throw ConfigError(where + ": parallel_class is '" + text + "'; write true or false");
}

/// What stestr makes of its few keys.
void take_stestr_keys(TestConfig& config, const Lookup& get) {
  config.test_server_command = get("test_server_command");
  config.group_regex = get("group_regex");
  if (const auto flag = get("parallel_class");
      flag && is_true(*flag, config.file.string() + ": [" + config.section + "]")) {
    config.group_regex = R"(([^\.]*\.)*)";
  }
  if (const auto test_path = get("test_path")) {
    config.test_command = stestr_python() + " -m stestr.subunit_runner.run discover -t \"" +
                          get("top_dir").value_or("./") + "\" \"" + *test_path + "\" $LISTOPT $IDOPTION";
    config.test_list_option = "--list";
    config.test_id_option = "--load-list $IDFILE";
  } else if ((config.test_command = get("test_command"))) {
    // stestr itself has no such key; without a test_path nothing else can be meant.
    config.test_id_option = get("test_id_option");
    config.test_list_option = get("test_list_option");
    config.test_id_list_default = get("test_id_list_default");
  }
}

void take_testr_keys(TestConfig& config, const Lookup& get) {
  config.test_command = get("test_command");
  config.test_id_option = get("test_id_option");
  config.test_list_option = get("test_list_option");
  config.test_id_list_default = get("test_id_list_default");
  config.test_server_command = get("test_server_command");
  config.group_regex = get("group_regex");
  config.test_run_concurrency = get("test_run_concurrency");
  config.instance_provision = get("instance_provision");
  config.instance_execute = get("instance_execute");
  config.instance_dispose = get("instance_dispose");
  std::istringstream tags(get("filter_tags").value_or(""));
  for (std::string tag; tags >> tag;) config.filter_tags.push_back(tag);
}

std::optional<TestConfig> read_ini(const fs::path& file, const std::string& section, ConfigFamily family) {
  const auto text = contents_of(file);
  if (!text) return std::nullopt;
  // A tox.ini or setup of another tool need not be what configparser takes.
  if (section != "DEFAULT" && text->find("[" + section + "]") == std::string::npos) return std::nullopt;
  const IniFile ini = IniFile::parse(*text, file.string());
  if (!ini.has_section(section)) return std::nullopt;
  TestConfig config;
  config.file = file;
  config.section = section;
  config.family = family;
  const Lookup get = [&](const std::string& key) { return ini.get(section, key); };
  if (family == ConfigFamily::stestr) {
    take_stestr_keys(config, get);
  } else {
    take_testr_keys(config, get);
  }
  return config;
}

std::optional<TestConfig> read_pyproject(const fs::path& file) {
  const auto text = contents_of(file);
  if (!text || text->find("stestr") == std::string::npos) return std::nullopt;
  bool found = false;
  const auto values = read_toml_table(*text, "tool.stestr", file.string(), found);
  if (!found) return std::nullopt;
  TestConfig config;
  config.file = file;
  config.section = "tool.stestr";
  config.family = ConfigFamily::stestr;
  take_stestr_keys(config, [&](const std::string& key) -> std::optional<std::string> {
    const auto value = values.find(key);
    if (value == values.end()) return std::nullopt;
    const bool flag = key == "parallel_class";
    if (value->second.kind != (flag ? TomlValue::Kind::boolean : TomlValue::Kind::text)) {
      throw ConfigError(file.string() + ":" + std::to_string(value->second.line) + ": " + key + " must be " +
                        (flag ? "true or false" : "a string in quotes"));
    }
    return value->second.text;
  });
  return config;
}

std::optional<TestConfig> read_stestr(const fs::path& directory) {
  if (auto config = read_ini(directory / ".stestr.conf", "DEFAULT", ConfigFamily::stestr)) return config;
  if (auto config = read_pyproject(directory / "pyproject.toml")) return config;
  return read_ini(directory / "tox.ini", "stestr", ConfigFamily::stestr);
}

/// The program called `name` on PATH.
std::optional<std::string> on_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  if (path == nullptr) return std::nullopt;
  std::istringstream folders(path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string file = (folder.empty() ? "." : folder) + "/" + name;
    std::error_code ignored;
    if (access(file.c_str(), X_OK) == 0 && fs::is_regular_file(file, ignored)) return file;
  }
  return std::nullopt;
}

/// The interpreter that the first lines of a script name. Pip writes `#!/path/python`, and where that would
/// be too long or holds blanks, a shell script whose second line is `'''exec' "/path/python" "$0" "$@"`.
std::optional<std::string> interpreter_of(const std::string& script) {
  std::ifstream stream(script);
  std::string first;
  std::string second;
  if (!std::getline(stream, first) || !first.starts_with("#!")) return std::nullopt;
  std::getline(stream, second);
  std::istringstream words(first.substr(2));
  std::string interpreter;
  words >> interpreter;
  if (fs::path(interpreter).filename() == "env") words >> interpreter;
  if (interpreter.find("python") != std::string::npos) return interpreter;
  constexpr std::string_view trick = "'''exec' ";
  if (!second.starts_with(trick)) return std::nullopt;
  std::string rest = second.substr(trick.size());
  const bool quoted = rest.starts_with('"');
  if (quoted) rest.erase(0, 1);
  const auto end = rest.find(quoted ? '"' : ' ');
  if (end == std::string::npos) return std::nullopt;
  rest.resize(end);
  return rest.find("python") == std::string::npos ? std::nullopt : std::optional(rest);
}

}  // namespace

std::string stestr_python() {
  const char* chosen = std::getenv("PYTHON");
  if (chosen != nullptr && *chosen != '\0') return "${PYTHON}";
  const auto stestr = on_path("stestr");
  const auto interpreter = stestr ? interpreter_of(*stestr) : std::nullopt;
  if (!interpreter) return "python3";
  return interpreter->find_first_of(" \t'\"$") == std::string::npos ? *interpreter
                                                                    : "\"" + *interpreter + "\"";
}

std::optional<TestConfig> read_config(const fs::path& directory, ConfigFamily first) {
  if (first == ConfigFamily::stestr) {
    if (auto config = read_stestr(directory)) return config;
    return read_ini(directory / ".testr.conf", "DEFAULT", ConfigFamily::testr);
  }
  if (auto config = read_ini(directory / ".testr.conf", "DEFAULT", ConfigFamily::testr)) return config;
  return read_stestr(directory);
}

const std::string& require_test_command(const TestConfig& config) {
  const std::string where = config.file.string() + ": [" + config.section + "]";
  if (!config.test_command || config.test_command->empty()) {
    throw ConfigError(where +
                      (config.family == ConfigFamily::stestr
                           ? " has no test_path; add one, such as test_path=./tests, or give --command"
                           : " has no test_command; add one, or give --command"));
  }
  const auto need = [&](const char* variable, const std::optional<std::string>& option, const char* key) {
    if (config.test_command->find(variable) != std::string::npos && !option) {
      throw ConfigError(where + ": test_command uses " + variable + ", but there is no " + key +
                        "; add it, or take " + variable + " out");
    }
  };
  need("$IDOPTION", config.test_id_option, "test_id_option");
  need("$LISTOPT", config.test_list_option, "test_list_option");
  return *config.test_command;
}

}  // namespace flakebisect::repo_reader
