/// Replacing what changes from run to run.

#include <algorithm>
#include <cctype>

#include "analyzer/signature.h"
#include "analyzer/signature_frames.h"

namespace flakebisect::analyzer {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}

std::size_t run_length(std::string_view text, bool (*wanted)(char)) {
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), wanted) - text.begin());
}

/// 8-4-4-4-12 hexadecimal digits.
bool is_uuid(std::string_view text) {
  if (text.size() < 36) return false;
  for (std::size_t i = 0; i < 36; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return text.size() == 36 || !is_word(text[36]);
}

/// The length of a temporary path at the start of `text`; 0 where there is none.
std::size_t temporary_path(std::string_view text) {
  for (const std::string_view root : {"/tmp/", "/var/tmp/", "/private/var/folders/", "/dev/shm/"}) {
    if (text.substr(0, root.size()) != root) continue;
    std::size_t end = root.size();
    while (end < text.size() &&
           (is_word(text[end]) || text[end] == '/' || text[end] == '-' || text[end] == '.'))
      ++end;
    return end;
  }
  return 0;
}

/// The length of a number with its fraction, exponent and the parts of a date or time that are joined to it.
std::size_t number_length(std::string_view text) {
  std::size_t end = run_length(text, is_digit);
  while (end + 1 < text.size() &&
         (text[end] == '.' || text[end] == ':' || text[end] == ',' || text[end] == '-') &&
         is_digit(text[end + 1]))
    end += 1 + run_length(text.substr(end + 1), is_digit);
  if (end + 1 < text.size() && text[end] == 'T' && is_digit(text[end + 1])) {
    end += 1;
    return end + number_length(text.substr(end));
  }
  if (end + 2 < text.size() && (text[end] == 'e' || text[end] == 'E') &&
      (text[end + 1] == '-' || text[end + 1] == '+') && is_digit(text[end + 2]))
    end += 2 + run_length(text.substr(end + 2), is_digit);
  return end;
}

}  // namespace

std::string mask_volatile(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  char before = ' ';
  while (!text.empty()) {
    std::size_t taken = 1;
    std::string_view masked;
    const bool word_start = !is_word(before);
    if (const auto path = before == '/' || is_word(before) ? 0 : temporary_path(text); path != 0) {
      taken = path;
      masked = "<tmp>";
    } else if (word_start && is_uuid(text)) {
      taken = 36;
      masked = "<uuid>";
    } else if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') && is_hex(text[2])) {
      taken = 2 + run_length(text.substr(2), is_hex);
      masked = "<address>";
    } else if (word_start && is_hex(text[0])) {
      // Long hexadecimal words with a digit are hashes and ids; short ones and plain words are words.
      const auto word = text.substr(0, run_length(text, is_word));
      const auto hex = run_length(word, is_hex);
      if (hex == word.size() && hex >= 8 && std::any_of(word.begin(), word.end(), is_digit) &&
          !std::all_of(word.begin(), word.end(), is_digit)) {
        taken = hex;
        masked = "<id>";
      }
    }
    if (masked.empty() && is_digit(text[0])) {
      taken = number_length(text);
      masked = "<n>";
    }
    if (masked.empty())
      out += text[0];
    else
      out += masked;
    before = text[taken - 1];
    text.remove_prefix(taken);
  }
  return out;
}

}  // namespace flakebisect::analyzer
