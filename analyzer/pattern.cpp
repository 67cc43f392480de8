#include "analyzer/pattern.h"

#include <regex>

namespace flakebisect::analyzer {

struct Pattern::Compiled {
  std::regex regex;
};

Pattern::Pattern(const std::string& text) {
  try {
    compiled_ = std::make_shared<const Compiled>(Compiled{std::regex(text)});
  } catch (const std::regex_error& error) {
    throw BadPattern(error.what());
  }
}

bool Pattern::found_in(const std::string& text) const {
  return std::regex_search(text, compiled_->regex);
}

std::optional<std::vector<std::string>> Pattern::groups_of(const std::string& text) const {
  std::smatch parts;
  if (!std::regex_match(text, parts, compiled_->regex)) return std::nullopt;
  std::vector<std::string> groups;
  for (const auto& part : parts) groups.push_back(part.str());
  return groups;
}

}  // namespace flakebisect::analyzer
