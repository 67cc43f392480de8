#pragma once

/// A regular expression of the user's. Boost.Regex searches it: std::regex recurses with each character, and
/// a line of some ten thousand of them ends the program. In a file of its own because it is slow to compile.

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace flakebisect::analyzer {

/// The text is no regular expression, or one that is too much work for the text it is searched in. what()
/// says why.
struct BadPattern : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Copies share the compiled expression. ECMAScript's syntax.
class Pattern {
 public:
  /// Throws BadPattern.
  explicit Pattern(const std::string& text);
  /// Whether some part of the text matches. Throws BadPattern where that takes too many steps or too much
  /// memory, as repetitions inside repetitions may.
  bool found_in(const std::string& text) const;
  /// Where the whole text matches: the text, then what each group matched (nothing: empty). Throws likewise.
  std::optional<std::vector<std::string>> groups_of(const std::string& text) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace flakebisect::analyzer
