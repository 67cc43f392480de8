#include "repo_reader/config_ini.h"

#include <fmt/format.h>

#include <vector>

#include "repo_reader/config.h"

namespace flakebisect::repo_reader {

namespace {

constexpr std::string_view white_space = " \t\v\f\r\n";
/// As deep as configparser follows %(name)s.
constexpr int deepest = 10;

std::string_view strip(std::string_view text) {
  const auto first = text.find_first_not_of(white_space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(white_space) - first + 1);
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lowered;
}

/// The next line, ended by LF, CR LF or CR.
std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find_first_of("\r\n");
  const std::string_view line = rest.substr(0, end);
  if (end == std::string_view::npos) {
    rest = {};
  } else {
    rest.remove_prefix(rest.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
  return line;
}

}  // namespace

IniFile IniFile::parse(std::string_view text, std::string name) {
  IniFile file;
  file.name_ = std::move(name);
  file.sections_["DEFAULT"];
  Section* section = nullptr;
  std::vector<std::string> lines_of_value;
  Value* value = nullptr;
  std::size_t key_indent = 0;
  std::size_t number = 0;

  const auto fail = [&](const std::string& what) {
    throw ConfigError(fmt::format("{}:{}: {}", file.name_, number, what));
  };
  const auto finish_value = [&] {
    if (value == nullptr) return;
    std::string joined;
    for (const auto& line : lines_of_value) {
      if (&line != &lines_of_value.front()) joined += '\n';
      joined += line;
    }
    joined.erase(joined.find_last_not_of(white_space) + 1);
    value->text = std::move(joined);
    value = nullptr;
    lines_of_value.clear();
  };

  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    ++number;
    const std::string_view content = strip(line);
    if (content.starts_with('#') || content.starts_with(';')) continue;
    if (content.empty()) {
      if (value != nullptr) lines_of_value.emplace_back();
      continue;
    }
    const std::size_t indent = line.find_first_not_of(white_space);
    if (value != nullptr && indent > key_indent) {
      lines_of_value.emplace_back(content);
      continue;
    }
    key_indent = indent;
    finish_value();
    const auto bracket = content.rfind(']');
    if (content.starts_with('[') && bracket != std::string_view::npos && bracket > 1) {
      const std::string header(content.substr(1, bracket - 1));
      if (header != "DEFAULT" && file.sections_.contains(header)) {
        fail(fmt::format("the section [{}] is there a second time; merge the two", header));
      }
      section = &file.sections_[header];
      continue;
    }
    if (section == nullptr) {
      fail(fmt::format("'{}' stands before any section; begin the file with [DEFAULT]", content));
    }
    const auto delimiter = content.find_first_of("=:");
    if (delimiter == std::string_view::npos || delimiter == 0) {
      fail(fmt::format(
          "'{}' is neither 'key = value' nor a [section]; indent it where it continues the line above",
          content));
    }
    const std::string key = lower(strip(content.substr(0, delimiter)));
    if (section->contains(key)) {
      fail(fmt::format("'{}' is set a second time, first in line {}; remove one of them", key,
                       section->at(key).line));
    }
    value = &(*section)[key];
    value->line = number;
    lines_of_value.emplace_back(strip(content.substr(delimiter + 1)));
  }
  finish_value();
  return file;
}

bool IniFile::has_section(const std::string& section) const {
  return sections_.contains(section);
}

const IniFile::Value* IniFile::find(const std::string& section, const std::string& key) const {
  const auto own = sections_.find(section);
  if (own == sections_.end()) return nullptr;
  if (const auto found = own->second.find(key); found != own->second.end()) return &found->second;
  const auto& defaults = sections_.at("DEFAULT");
  const auto found = defaults.find(key);
  return found == defaults.end() ? nullptr : &found->second;
}

std::optional<std::string> IniFile::get(const std::string& section, std::string_view key) const {
  const std::string lowered = lower(key);
  const Value* value = find(section, lowered);
  if (value == nullptr) return std::nullopt;
  return resolve(section, lowered, *value, 1);
}

std::size_t IniFile::line_of(const std::string& section, std::string_view key) const {
  const Value* value = find(section, lower(key));
  return value == nullptr ? 0 : value->line;
}

std::string IniFile::resolve(const std::string& section, const std::string& key, const Value& value,
                             int depth) const {
  const auto fail = [&](const std::string& what) {
    throw ConfigError(fmt::format("{}:{}: in the value of {}: {}", name_, value.line, key, what));
  };
  if (depth > deepest) fail("%(...)s refers to itself");
  std::string resolved;
  std::string_view rest = value.text;
  for (;;) {
    const auto percent = rest.find('%');
    resolved += rest.substr(0, percent);
    if (percent == std::string_view::npos) return resolved;
    rest.remove_prefix(percent + 1);
    if (rest.starts_with('%')) {
      resolved += '%';
      rest.remove_prefix(1);
      continue;
    }
    const auto end = rest.find(')');
    if (!rest.starts_with('(')) fail("'%' must be followed by '%' or '('; write %% for a single %");
    if (end == std::string_view::npos || end < 2 || rest.substr(end + 1, 1) != "s") {
      fail(fmt::format("'%{}' is not of the form %(name)s; write %% for a single %", rest.substr(0, 20)));
    }
    const std::string other = lower(rest.substr(1, end - 1));
    const Value* referred = find(section, other);
    if (referred == nullptr) fail(fmt::format("%({})s refers to a key that is not there", other));
    resolved += resolve(section, other, *referred, depth + 1);
    rest.remove_prefix(end + 2);
  }
}

}  // namespace flakebisect::repo_reader
