#pragma once

/// As much of TOML 1.0 as it takes to find the text and truth values of one table in a pyproject.toml,
/// whatever else the file holds.

#include <map>
#include <string>
#include <string_view>

namespace flakebisect::repo_reader {

struct TomlValue {
  enum class Kind { text, boolean, other } kind = Kind::other;
  std::string text;  ///< of text: its contents; of boolean: "true" or "false"; else empty
  std::size_t line = 0;
};

/// The values directly in `table` ("tool.stestr"), however it is written: as a [table], by dotted keys or as
/// an inline table. The table of an array [[...]] is not meant. `found` tells whether it is there at all.
/// Throws ConfigError on text that is not TOML, with `name` as the file's name.
std::map<std::string, TomlValue> read_toml_table(std::string_view text, std::string_view table,
                                                 const std::string& name, bool& found);

}  // namespace flakebisect::repo_reader
