#include "bisect/launcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "bisect/command_template.h"

namespace flakebisect::bisect {

namespace {

constexpr std::string_view mark = "flakebisect: the command ended with status ";
constexpr int seconds_between_signs = 3;
constexpr std::string_view sign = "flakebisect: the far end is alive\n";

/// Replaces the variables in one pass: what was put in is not looked at again.
std::string substitute(const std::string& text,
                       const std::vector<std::pair<std::string_view, std::string>>& values) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    bool found = false;
    if (text[at] == '$') {
      for (const auto& [name, value] : values) {
        if (text.compare(at + 1, name.size(), name) != 0) continue;
        result += value;
        at += 1 + name.size();
        found = true;
        break;
      }
    }
    if (!found) result += text[at++];
  }
  return result;
}

std::string far_script(const std::string& directory, const std::string& command) {
  std::string script;
  if (!directory.empty()) script = "cd " + shell_quote(directory) + " || exit 126\n";
  // Its life ends with the script's, however that ends; the one that sleeps holds no pipe open.
  const std::string say = "echo '" + std::string(sign.substr(0, sign.size() - 1)) + "' >&2";
  script += say + "\n(\ntrap 'kill $! 2>/dev/null; exit' TERM\nwhile :; do\nsleep " +
            std::to_string(seconds_between_signs) +
            " >/dev/null 2>&1 &\nwait $!\nkill -0 $$ 2>/dev/null && " + say +
            " || exit\ndone\n) </dev/null >/dev/null &\nlife=$!\n";
  // A subshell: an `exit` in the command must not keep its end from being told.
  return script + "(\n" + command + "\n)\nstatus=$?\nkill $life 2>/dev/null\necho \"" + std::string(mark) +
         "$status\" >&2\nexit $status";
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::string part;
  for (const char c : text + ",") {
    if (c != ',') {
      part += c;
    } else if (!part.empty()) {
      parts.push_back(std::exchange(part, {}));
    }
  }
  return parts;
}

std::vector<std::string> machines(const std::string& option, const std::string& preset, const char* what) {
  auto list = split(option.substr(preset.size()));
  if (list.empty())
    throw LauncherError(fmt::format("'{}' names no {}, as in {}one,two", option, what, preset));
  for (const auto& one : list) {
    // A name that begins with a dash would be taken for an option.
    if (one[0] == '-' || one.find_first_of(" \t\n'\"$`;&|<>()") != std::string::npos)
      throw LauncherError(fmt::format("'{}' is no {}", one, what));
  }
  return list;
}

}  // namespace

bool Launcher::brings_files() const {
  return text.find("$FILES") != std::string::npos;
}

std::string Launcher::wrap(const std::string& command, const std::vector<std::string>& files,
                           const std::string& script_file, std::string& script) const {
  const std::string far = far_script(directory, command);
  std::string words = "/bin/sh -c " + shell_quote(far);
  std::string names;
  script.clear();
  if (brings_files()) {
    script = far + "\n";
    words = "/bin/sh " + shell_quote(script_file);
    names = shell_quote(script_file);
    for (const auto& file : files) names += " " + shell_quote(file);
  }
  return substitute(text, {{"QUOTED_COMMAND", shell_quote(words)},
                           {"COMMAND", words},
                           {"FILES", names},
                           {"SLOT", std::to_string(slot)}});
}

std::string Launcher::wrap_with_list(const std::string& command, const std::string& id_file) const {
  std::string ignored;
  // In braces: the launcher may be several commands, of which any may be the one that reads.
  return "{ " +
         wrap("ids=$(mktemp) && cat > \"$ids\" && {\n" + command +
                  "\n}\nstatus=$?\nrm -f \"$ids\"\nexit $status",
              {}, "", ignored) +
         "\n} < " + shell_quote(id_file);
}

std::optional<int> launched_exit(std::string_view standard_error) {
  const auto at = standard_error.rfind(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const auto rest = standard_error.substr(at + mark.size());
  int status = 0;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), status);
  if (parsed.ec != std::errc{}) return std::nullopt;
  return status;
}

std::string without_exit_mark(std::string_view standard_error) {
  const auto at = standard_error.rfind(mark);
  if (at == std::string_view::npos) return std::string(standard_error);
  const auto end = standard_error.find('\n', at);
  std::string text(standard_error.substr(0, at));
  if (end != std::string_view::npos) text += standard_error.substr(end + 1);
  return text;
}

std::string SignsOfLife::take(std::string_view bytes) {
  std::string text = std::exchange(kept_, {});
  text += bytes;
  for (auto at = text.find(sign); at != std::string::npos; at = text.find(sign, at)) {
    text.erase(at, sign.size());
    ++count_;
  }
  for (auto size = std::min(text.size(), sign.size() - 1); size > 0; --size) {
    if (!text.ends_with(sign.substr(0, size))) continue;
    kept_ = text.substr(text.size() - size);
    text.erase(text.size() - size);
    break;
  }
  return text;
}

std::string launcher_last_words(std::string_view standard_error) {
  while (!standard_error.empty() && (standard_error.back() == '\n' || standard_error.back() == '\r'))
    standard_error.remove_suffix(1);
  if (standard_error.empty()) return "it said nothing";
  const auto line = standard_error.rfind('\n');
  return std::string(line == std::string_view::npos ? standard_error : standard_error.substr(line + 1));
}

std::vector<Launcher> parse_launchers(const std::string& option, const std::string& directory) {
  std::vector<Launcher> launchers;
  if (option.starts_with("ssh:")) {
    for (const auto& host : machines(option, "ssh:", "host")) {
      launchers.push_back({"ssh:" + host,
                           "exec ssh -T -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 "
                           "-o ServerAliveCountMax=3 " +
                               host + " $QUOTED_COMMAND",
                           directory, 0});
    }
  } else if (option.starts_with("kubectl:")) {
    for (const auto& pod : machines(option, "kubectl:", "pod")) {
      const auto slash = pod.find('/');
      const std::string where =
          slash == std::string::npos ? pod : pod.substr(slash + 1) + " -n " + pod.substr(0, slash);
      launchers.push_back({"kubectl:" + pod, "exec kubectl exec -i " + where + " -- $COMMAND", directory, 0});
    }
  } else if (option == "slurm" || option.starts_with("slurm:")) {
    // Inside an allocation each probe or server is a job step of it, else a job of its own.
    const bool allocated = std::getenv("SLURM_JOB_ID") != nullptr;
    const std::string options = option == "slurm" ? "" : option.substr(6) + " ";
    launchers.push_back({"slurm",
                         fmt::format("exec srun --quiet --nodes=1 --ntasks=1 --unbuffered {}{}$COMMAND",
                                     allocated ? "--exact " : "", options),
                         directory, 0});
  } else if (option.find("$COMMAND") != std::string::npos ||
             option.find("$QUOTED_COMMAND") != std::string::npos) {
    launchers.push_back({"launcher", option, directory, 0});
  } else {
    throw LauncherError(fmt::format(
        "'{}' is neither ssh:HOST,..., slurm, kubectl:POD,..., testr, nor shell text with $COMMAND "
        "or $QUOTED_COMMAND where the command belongs",
        option));
  }
  return launchers;
}

Launcher instance_launcher(const std::string& instance_execute, const std::string& instance) {
  // testr leaves the directory to instance_execute.
  return {"instance:" + instance, substitute(instance_execute, {{"INSTANCE_ID", instance}}), "", 0};
}

}  // namespace flakebisect::bisect
