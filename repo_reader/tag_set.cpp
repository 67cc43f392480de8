#include "repo_reader/tag_set.h"

#include <algorithm>

#include "repo_reader/utf8.h"

namespace flakebisect::repo_reader {
namespace {

/// Bytes of the white space character beyond ASCII at the start of `text`, 0 if there is none.
std::size_t wide_white_space_at(std::string_view text) {
  constexpr std::string_view wide[] = {"\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80",
                                       "\xE2\x80\x81", "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84",
                                       "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88",
                                       "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE2\x80\xA9",
                                       "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};
  for (std::string_view space : wide) {
    if (text.starts_with(space)) return space.size();
  }
  return 0;
}

template <class Visit>
void for_each_word(std::string_view text, Visit visit) {
  std::size_t start = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const bool ascii_space = (byte >= 0x09 && byte <= 0x0D) || (byte >= 0x1C && byte <= 0x20);
    const std::size_t space = ascii_space ? 1 : byte < 0xC2 ? 0 : wide_white_space_at(text.substr(at));
    if (space == 0) {
      ++at;
      continue;
    }
    if (at > start) visit(text.substr(start, at - start));
    at += space;
    start = at;
  }
  if (at > start) visit(text.substr(start));
}

}  // namespace

void TagSet::change(std::string_view words) {
  std::string replaced;
  if (!check_utf8(words).complete()) {
    replaced = replace_invalid_utf8(words);
    words = replaced;
  }
  bool added = false;
  bool removed = false;
  for_each_word(words, [&](std::string_view word) {
    if (word.front() == '-') {
      remove(word.substr(1));
      removed = true;
    } else {
      add(word);
      added = true;
    }
  });
  if (added && removed) {  // removal wins, whatever the order of the words
    for_each_word(words, [&](std::string_view word) {
      if (word.front() == '-') remove(word.substr(1));
    });
  }
  refresh();
}

void TagSet::assign(const TagSet& other) {
  tags_ = other.tags_;
  refresh();
}

void TagSet::add(std::string_view tag) {
  if (std::find(tags_.begin(), tags_.end(), tag) == tags_.end()) tags_.emplace_back(tag);
}

void TagSet::remove(std::string_view tag) {
  const auto found = std::find(tags_.begin(), tags_.end(), tag);
  if (found != tags_.end()) tags_.erase(found);
}

void TagSet::refresh() {
  view_.assign(tags_.begin(), tags_.end());
}

}  // namespace flakebisect::repo_reader
