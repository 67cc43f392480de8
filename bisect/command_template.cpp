#include "bisect/command_template.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <utility>

namespace flakebisect::bisect {

namespace {

constexpr std::array<std::string_view, 4> variables = {"$IDOPTION", "$IDFILE", "$IDLIST", "$LISTOPT"};

/// The variable that stands at the beginning of `text`; empty where there is none.
std::string_view variable_at(std::string_view text) {
  for (const auto variable : variables) {
    if (text.starts_with(variable)) return variable;
  }
  return {};
}

/// What the shell is reading.
enum class Quotes { none, single, twofold };

bool is_plain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_@%+=:,./-").find(c) != std::string_view::npos;
  });
}

/// `word` so that the shell sees its bytes, in the quotes it is in.
std::string quoted_in(Quotes quotes, std::string_view word) {
  if (quotes == Quotes::none && is_plain(word)) return std::string(word);
  std::string quoted = quotes == Quotes::none ? "'" : "";
  for (const char c : word) {
    if (quotes == Quotes::twofold) {
      if (std::string_view("\\$`\"").find(c) != std::string_view::npos) quoted += '\\';
      quoted += c;
    } else if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  if (quotes == Quotes::none) quoted += '\'';
  return quoted;
}

/// What the variables stand for. Words are quoted where they are put in, text is shell text already.
struct Values {
  std::string_view id_option;  ///< may hold $IDFILE and $IDLIST
  std::vector<std::string> id_file;
  std::string_view id_file_variable;  ///< name of a shell variable, in place of id_file
  const std::vector<std::string>* ids = nullptr;
  std::string_view id_list_text;
  std::string_view list_option;
};

class Expander {
 public:
  explicit Expander(const Values& values) : values_(values) {}

  /// Appends `text` with its variables replaced; the state of quotes goes on from call to call.
  void expand(std::string_view text, bool inside_id_option) {
    while (!text.empty()) {
      if (const auto variable = variable_at(text); !variable.empty()) {
        text.remove_prefix(variable.size());
        put(variable, inside_id_option);
        continue;
      }
      const char c = text.front();
      const bool escaped = c == '\\' && quotes_ != Quotes::single && text.size() > 1 && text[1] != '$';
      if (c == '\'' && quotes_ != Quotes::twofold) {
        quotes_ = quotes_ == Quotes::single ? Quotes::none : Quotes::single;
      } else if (c == '"' && quotes_ != Quotes::single) {
        quotes_ = quotes_ == Quotes::twofold ? Quotes::none : Quotes::twofold;
      }
      out += text.substr(0, escaped ? 2 : 1);
      text.remove_prefix(escaped ? 2 : 1);
    }
  }

  std::string out;

 private:
  void put(std::string_view variable, bool inside_id_option) {
    if (variable == "$IDFILE") {
      put_words(values_.id_file);
      if (!values_.id_file_variable.empty()) put_variable();
    } else if (variable == "$IDLIST") {
      out += values_.id_list_text;
      if (values_.ids != nullptr) put_words(*values_.ids);
    } else if (variable == "$LISTOPT") {
      if (!inside_id_option) out += values_.list_option;
    } else if (!inside_id_option) {
      expand(values_.id_option, true);
    }
  }
  void put_variable() {
    const std::string name = "$" + std::string(values_.id_file_variable);
    const std::string quoted = "\"" + name + "\"";
    out += quotes_ == Quotes::none ? quoted : quotes_ == Quotes::twofold ? name : "'" + quoted + "'";
  }
  void put_words(const std::vector<std::string>& words) {
    for (const auto& word : words) {
      if (&word != &words.front()) out += ' ';
      out += quoted_in(quotes_, word);
    }
  }

  const Values& values_;
  Quotes quotes_ = Quotes::none;
};

std::string expanded(std::string_view text, const Values& values) {
  Expander expander(values);
  expander.expand(text, false);
  return std::move(expander.out);
}

/// A word of a shell command, as it is written.
struct Word {
  std::size_t begin = 0, end = 0;
  bool has_operator = false;  ///< holds an unquoted ; & | < > ( ) or a line end: more than one plain command
};

/// The end of a quoted part or an expansion that begins at `at`.
std::size_t skip_part(std::string_view text, std::size_t at) {
  const char c = text[at];
  if (c == '\\') return std::min(at + 2, text.size());
  if (c == '\'') {
    const auto end = text.find('\'', at + 1);
    return end == std::string_view::npos ? text.size() : end + 1;
  }
  const bool expansion = c == '$' && at + 1 < text.size() && (text[at + 1] == '(' || text[at + 1] == '{');
  if (c != '"' && c != '`' && !expansion) return at + 1;
  const char closing = expansion ? (text[at + 1] == '(' ? ')' : '}') : c;
  at += expansion ? 2 : 1;
  while (at < text.size() && text[at] != closing) at = skip_part(text, at);
  return std::min(at + 1, text.size());
}

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    const bool joined_line = text.substr(at).starts_with("\\\n");
    if (c == ' ' || c == '\t' || joined_line) {
      in_word = false;
      at += joined_line ? 2 : 1;
      continue;
    }
    if (!in_word) words.push_back({at, at, false});
    in_word = true;
    if (std::string_view(";&|<>()\n").find(c) != std::string_view::npos) words.back().has_operator = true;
    at = skip_part(text, at);
    words.back().end = at;
  }
  return words;
}

/// A word without its quotes; nothing where the shell would make something else of it.
std::optional<std::string> literal(std::string_view word) {
  std::string plain;
  for (std::size_t at = 0; at < word.size();) {
    const auto end = skip_part(word, at);
    const auto part = word.substr(at, end - at);
    if (part.front() == '\'' || part.front() == '"') {
      const auto inside = part.substr(1, part.size() - 2);
      if (part.front() == '"' && inside.find_first_of("\\$`") != std::string_view::npos) return std::nullopt;
      plain += inside;
    } else if (part.size() > 1 || std::string_view("$`*?[~#").find(part.front()) != std::string_view::npos) {
      return std::nullopt;
    } else {
      plain += part;
    }
    at = end;
  }
  return plain;
}

bool is_runner_module(std::string_view word) {
  return word == "subunit.run" || word == "testtools.run" || word == "stestr.subunit_runner.run";
}

/// `... -m MODULE discover ...` taken apart.
struct Discovery {
  std::string_view until_module;       ///< all up to and with MODULE
  std::string top;                     ///< the top-level directory, as it is written
  bool top_is_here = false;            ///< it is the working directory
  std::vector<std::string_view> kept;  ///< flags that mean the same without discover
  std::string_view load_list;          ///< "--load-list $IDFILE" where it is written out
};

std::optional<Discovery> parse_discovery(const CommandTemplate& command) {
  const std::string_view text = command.command;
  const auto words = words_of(text);
  const auto word = [&](std::size_t i) { return text.substr(words[i].begin, words[i].end - words[i].begin); };
  std::size_t at = 0;
  while (at + 2 < words.size() &&
         !(word(at) == "-m" && is_runner_module(word(at + 1)) && word(at + 2) == "discover")) {
    ++at;
  }
  if (at + 2 >= words.size()) return std::nullopt;
  Discovery discovery;
  discovery.until_module = text.substr(0, words[at + 1].end);
  std::vector<std::string_view> directories;
  std::string_view top;
  std::string_view start;
  for (std::size_t i = at + 3; i < words.size(); ++i) {
    if (words[i].has_operator) return std::nullopt;
    const auto current = word(i);
    const auto value_of = [&](std::string_view name) -> std::optional<std::string_view> {
      if (current == name && i + 1 < words.size() && !words[i + 1].has_operator) return word(++i);
      if (name.starts_with("--") && current.starts_with(name) &&
          current.substr(name.size()).starts_with('=')) {
        return current.substr(name.size() + 1);
      }
      return std::nullopt;
    };
    if (current == "$LISTOPT" || current == "$IDOPTION") continue;
    const std::size_t option = i;
    if (const auto file = value_of("--load-list")) {
      if (*file != "$IDFILE" && *file != "\"$IDFILE\"") return std::nullopt;
      discovery.load_list = text.substr(words[option].begin, words[i].end - words[option].begin);
    } else if (const auto directory = value_of("-t");
               directory || (top.empty() && current.starts_with("--top"))) {
      const auto named = directory ? directory : value_of("--top-level-directory");
      if (!named) return std::nullopt;
      top = *named;
    } else if (const auto from = value_of("-s"); from || current.starts_with("--start")) {
      const auto named = from ? from : value_of("--start-directory");
      if (!named) return std::nullopt;
      start = *named;
    } else if (value_of("-p") || value_of("--pattern")) {
      continue;
    } else if (current == "-b" || current == "-c" || current == "-q" || current == "-v" ||
               current == "--buffer" || current == "--locals") {
      discovery.kept.push_back(current);
    } else if (!current.starts_with('-') && variable_at(current).empty() && directories.size() < 3) {
      directories.push_back(current);
    } else {
      return std::nullopt;
    }
  }
  // discover [start [pattern [top]]]
  if (start.empty() && !directories.empty()) start = directories[0];
  if (top.empty() && directories.size() == 3) top = directories[2];
  if (top.empty()) top = start;
  discovery.top = top.empty() ? "." : std::string(top);
  const auto plain = literal(discovery.top);
  discovery.top_is_here = plain && (*plain == "." || *plain == "./" || plain->empty());
  return discovery;
}

}  // namespace

std::string shell_quote(std::string_view text) {
  return quoted_in(Quotes::none, text);
}

bool uses_variable(const CommandTemplate& command, std::string_view name) {
  const std::string variable = "$" + std::string(name);
  if (command.command.find(variable) != std::string::npos) return true;
  return command.command.find("$IDOPTION") != std::string::npos &&
         command.id_option.find(variable) != std::string::npos;
}

bool passes_ids(const CommandTemplate& command) {
  return uses_variable(command, "IDFILE") || uses_variable(command, "IDLIST");
}

bool passes_ids_as_arguments(const CommandTemplate& command) {
  return uses_variable(command, "IDLIST");
}

bool can_list(const CommandTemplate& command) {
  if (uses_variable(command, "LISTOPT") && !command.list_option.empty()) return true;
  const auto discovery = parse_discovery(command);
  return discovery && !discovery->load_list.empty();
}

std::string run_text(const CommandTemplate& command, const std::vector<std::string>& ids,
                     std::string_view id_file) {
  Values values;
  values.id_option = command.id_option;
  values.id_file.emplace_back(id_file);
  values.ids = &ids;
  return expanded(command.command, values);
}

std::string run_text_with_variable(const CommandTemplate& command, const std::vector<std::string>& ids,
                                   std::string_view id_file_variable) {
  Values values;
  values.id_option = command.id_option;
  values.id_file_variable = id_file_variable;
  values.ids = &ids;
  return expanded(command.command, values);
}

std::string list_text(const CommandTemplate& command) {
  if (!uses_variable(command, "LISTOPT") || command.list_option.empty()) {
    if (const auto discovery = parse_discovery(command); discovery && !discovery->load_list.empty()) {
      std::string text = command.command;
      const auto at = static_cast<std::size_t>(discovery->load_list.data() - command.command.data());
      return text.replace(at, discovery->load_list.size(), "--list");
    }
  }
  Values values;
  values.list_option = command.list_option;
  if (command.id_list_default) values.id_list_text = *command.id_list_default;
  return expanded(command.command, values);
}

std::optional<CommandTemplate> with_ids_as_arguments(const CommandTemplate& command) {
  const auto discovery = parse_discovery(command);
  if (!discovery) return std::nullopt;
  CommandTemplate changed;
  if (!discovery->top_is_here) {
    if (discovery->until_module.find("PYTHONPATH") != std::string_view::npos) return std::nullopt;
    changed.command = "PYTHONPATH=" + discovery->top + "${PYTHONPATH:+:$PYTHONPATH}; export PYTHONPATH; ";
  }
  changed.command += discovery->until_module;
  for (const auto flag : discovery->kept) (changed.command += ' ') += flag;
  changed.command += " $IDLIST";
  return changed;
}

std::optional<CommandTemplate> for_people(const CommandTemplate& command) {
  CommandTemplate changed = command;
  const auto words = words_of(command.command);
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const auto& module = words[i + 1];
    const auto word = std::string_view(command.command).substr(module.begin, module.end - module.begin);
    if (command.command.compare(words[i].begin, words[i].end - words[i].begin, "-m") != 0) continue;
    if (word != "subunit.run" && word != "stestr.subunit_runner.run") continue;
    // What reads the subunit, behind a pipe, could do nothing with text.
    const bool alone =
        std::none_of(words.begin(), words.end(), [](const Word& w) { return w.has_operator; }) ||
        command.command.starts_with("PYTHONPATH=");
    if (!alone) return std::nullopt;
    changed.command.replace(module.begin, module.end - module.begin, "testtools.run");
    return changed;
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> mentioned_environment(const CommandTemplate& command) {
  constexpr std::array<std::string_view, 8> everywhere = {"HOME", "PATH",  "PWD",     "OLDPWD",
                                                          "USER", "SHELL", "LOGNAME", "IFS"};
  const std::string text = command.command + " " + command.id_option;
  std::vector<std::pair<std::string, std::string>> found;
  for (auto at = text.find('$'); at != std::string::npos; at = text.find('$', at + 1)) {
    auto begin = at + 1;
    if (begin < text.size() && text[begin] == '{') ++begin;
    auto end = begin;
    while (end < text.size() && (isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_'))
      ++end;
    const std::string name = text.substr(begin, end - begin);
    const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
    const bool known =
        std::any_of(found.begin(), found.end(), [&](const auto& one) { return one.first == name; });
    if (value == nullptr || known ||
        std::find(everywhere.begin(), everywhere.end(), name) != everywhere.end()) {
      continue;
    }
    found.emplace_back(name, value);
  }
  return found;
}

std::string id_file_text(const std::vector<std::string>& ids) {
  std::string text;
  for (const auto& id : ids) (text += id) += '\n';
  return text;
}

}  // namespace flakebisect::bisect
