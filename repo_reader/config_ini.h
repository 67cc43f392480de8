#pragma once

/// The INI dialect of Python's configparser.ConfigParser() with its default settings.

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace flakebisect::repo_reader {

/// A parsed file. Keys are without case, sections are not. `=` or `:` ends a key, the first of them in the
/// line. Lines that begin with # or ; are comments, also inside a value; a comment behind a value belongs to
/// the value. Indented lines continue a value.
class IniFile {
 public:
  /// Throws ConfigError, with `name` as the file's name.
  static IniFile parse(std::string_view text, std::string name);

  bool has_section(const std::string& section) const;
  /// The value with %(other)s and %% resolved; a section has the keys of [DEFAULT] too. Nothing where there
  /// is no such section or key. Throws ConfigError where a % is neither.
  std::optional<std::string> get(const std::string& section, std::string_view key) const;
  /// Line of the key, 0 where it is not there.
  std::size_t line_of(const std::string& section, std::string_view key) const;

 private:
  struct Value {
    std::string text;
    std::size_t line = 0;
  };
  using Section = std::map<std::string, Value>;

  const Value* find(const std::string& section, const std::string& key) const;
  std::string resolve(const std::string& section, const std::string& key, const Value& value,
                      int depth) const;

  std::string name_;
  std::map<std::string, Section> sections_;
};

}  // namespace flakebisect::repo_reader
