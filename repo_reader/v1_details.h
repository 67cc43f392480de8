#pragma once

/// The details between "[" and "]" of a v1 outcome.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace flakebisect::repo_reader {

/// Reads the lines of one details section and keeps the parts. Reused for every test.
///
///   simple    := line* "]\n"                     a line that begins with " ]" loses that blank
///   multipart := part* "]\n"
///   part      := word " " MIME "\n" name "\n" chunk* "0\r\n"
///   chunk     := hex-size "\r\n" bytes           no line end of its own after the bytes
class V1Details {
 public:
  struct Part {
    std::string name;
    std::string mime_type;
    std::size_t offset = 0;  ///< into the section's bytes
    std::size_t size = 0;
  };

  enum class Kind { simple, multipart };

  /// Begins a section. `keep`: false keeps no bytes, only which parts there are.
  void begin(Kind kind, bool keep);

  /// What consume() came upon.
  enum class Result {
    need_more,  ///< all but an incomplete line was taken
    end,        ///< the closing line was taken
    damaged,    ///< damage() tells; the section goes on up to a closing line
  };

  /// Takes lines, or bytes of a chunk, from the front of `bytes` and says in `used` how many. In a text that
  /// ends inside a line the incomplete line is not taken; at most max_line_bytes ever have to be presented.
  Result consume(std::string_view bytes, std::size_t& used);

  /// The message and the line of the last Result::damaged; valid until the next consume().
  std::string_view damage_message() const { return damage_message_; }
  std::string_view damaged_line() const { return damaged_line_; }

  /// A simple section has one part without name and MIME type: they depend on the outcome.
  const std::vector<Part>& parts() const { return parts_; }
  std::string_view bytes_of(const Part& part) const {
    return std::string_view(bytes_).substr(part.offset, part.size);
  }

 private:
  enum class State { simple, content_type, name, chunk_header, chunk_data, skip };

  Result line(std::string_view line);
  Result damaged(std::string_view line, std::string message);
  void store(std::string_view bytes) {
    if (keep_) bytes_.append(bytes);
  }
  void finish_part();

  State state_ = State::simple;
  bool keep_ = true;
  bool line_open_ = false;  ///< simple, skip: the beginning of the current line was taken already
  std::size_t chunk_left_ = 0;
  Part part_;
  std::vector<Part> parts_;
  std::string bytes_;
  std::string damage_message_;
  std::string damaged_line_;
};

/// Longest line that is looked at as a whole; longer ones are program text, or damage inside details.
inline constexpr std::size_t max_line_bytes = std::size_t{16} << 20;

}  // namespace flakebisect::repo_reader
