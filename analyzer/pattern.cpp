#include "analyzer/pattern.h"

#include <fmt/format.h>

#include <boost/regex.hpp>

namespace flakebisect::analyzer {

namespace {

/// As ECMAScript has it: '.' ends at a line's end, '^' and '$' are the ends of the whole text.
boost::regex_constants::match_flag_type search_flags() {
  using namespace boost::regex_constants;
  return match_default | match_not_dot_newline | match_single_line;
}

/// What Boost.Regex throws while it searches, in words for the user.
[[noreturn]] void too_much(const std::string& pattern, const std::string& text,
                           const std::runtime_error& error) {
  throw BadPattern(
      fmt::format("the regular expression '{}' takes too many steps or too much memory on a text of {} "
                  "characters ({}); give a simpler one, without repetitions inside repetitions",
                  pattern, text.size(), error.what()));
}

}  // namespace

struct Pattern::Compiled {
  std::string text;
  boost::regex regex;
};

Pattern::Pattern(const std::string& text) {
  try {
    compiled_ = std::make_shared<const Compiled>(Compiled{text, boost::regex(text)});
  } catch (const std::runtime_error& error) {
    throw BadPattern(error.what());
  }
}

bool Pattern::found_in(const std::string& text) const {
  try {
    return boost::regex_search(text, compiled_->regex, search_flags());
  } catch (const std::runtime_error& error) {
    too_much(compiled_->text, text, error);
  }
}

std::optional<std::vector<std::string>> Pattern::groups_of(const std::string& text) const {
  boost::smatch parts;
  try {
    if (!boost::regex_match(text, parts, compiled_->regex, search_flags())) return std::nullopt;
  } catch (const std::runtime_error& error) {
    too_much(compiled_->text, text, error);
  }
  std::vector<std::string> groups;
  for (const auto& part : parts) groups.push_back(part.str());
  return groups;
}

}  // namespace flakebisect::analyzer
