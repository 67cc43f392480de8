#pragma once

/// The tags in force at a point of a v1 stream.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flakebisect::repo_reader {

/// A small set of tags in the order they were added. Reuses its memory.
class TagSet {
 public:
  /// Applies the argument of a `tags:` directive: blank separated words, "-t" removes t. Removal wins over
  /// addition in the same directive. Invalid UTF-8 is replaced.
  void change(std::string_view words);

  /// Valid until the next change.
  std::span<const std::string_view> view() const { return view_; }

  void assign(const TagSet& other);

 private:
  void add(std::string_view tag);
  void remove(std::string_view tag);
  void refresh();

  std::vector<std::string> tags_;
  std::vector<std::string_view> view_;
};

}  // namespace flakebisect::repo_reader
