#include "repo_reader/v1_details.h"

#include <algorithm>
#include <utility>

#include "repo_reader/utf8.h"

namespace flakebisect::repo_reader {
namespace {

constexpr std::string_view closing_line = "]\n";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Size from a chunk header without its line end; npos if it is none.
std::size_t chunk_size(std::string_view digits) {
  if (digits.empty()) return std::string_view::npos;
  constexpr std::size_t most = std::size_t{1} << 60;  // more than any stream has: the rest of the stream
  std::size_t size = 0;
  for (char c : digits) {
    const int value = hex_value(c);
    if (value < 0) return std::string_view::npos;
    size = std::min(most, size * 16 + static_cast<std::size_t>(value));
  }
  return size;
}

}  // namespace

void V1Details::begin(Kind kind, bool keep) {
  state_ = kind == Kind::simple ? State::simple : State::content_type;
  keep_ = keep;
  line_open_ = false;
  chunk_left_ = 0;
  parts_.clear();
  bytes_.clear();
  part_ = {};
}

V1Details::Result V1Details::consume(std::string_view bytes, std::size_t& used) {
  used = 0;
  while (used < bytes.size()) {
    const std::string_view rest = bytes.substr(used);
    if (state_ == State::chunk_data) {
      const std::size_t taken = std::min(chunk_left_, rest.size());
      store(rest.substr(0, taken));
      chunk_left_ -= taken;
      used += taken;
      if (chunk_left_ == 0) state_ = State::chunk_header;
      continue;
    }
    const std::size_t newline = rest.find('\n');
    const bool by_line = state_ != State::simple && state_ != State::skip;
    if (newline == rest.npos) {
      if (by_line) {
        if (rest.size() <= max_line_bytes) return Result::need_more;
        used = bytes.size();
        line_open_ = true;
        return damaged({}, "A line inside details is too long");
      }
      // Three bytes tell that this is neither the closing line nor one that is quoted with a blank.
      if (!line_open_ && rest.size() < 3) return Result::need_more;
      used = bytes.size();
      if (state_ == State::simple) store(!line_open_ && rest.starts_with(" ]") ? rest.substr(1) : rest);
      line_open_ = true;
      return Result::need_more;
    }
    const std::string_view whole = rest.substr(0, newline + 1);
    used += whole.size();
    if (by_line && whole.size() > max_line_bytes) return damaged({}, "A line inside details is too long");
    const Result result = line(whole);
    if (result != Result::need_more) return result;
  }
  return Result::need_more;
}

V1Details::Result V1Details::line(std::string_view line) {
  const bool fresh = !std::exchange(line_open_, false);
  switch (state_) {
    case State::simple:
      if (fresh && line == closing_line) {
        parts_.push_back({{}, {}, 0, bytes_.size()});
        return Result::end;
      }
      store(fresh && line.starts_with(" ]") ? line.substr(1) : line);
      return Result::need_more;
    case State::skip:
      return fresh && line == closing_line ? Result::end : Result::need_more;
    case State::content_type: {
      if (line == closing_line) return Result::end;
      const std::size_t blank = line.find(' ');
      const std::string_view value =
          blank == line.npos ? std::string_view{} : line.substr(blank + 1, line.size() - blank - 2);
      if (std::count(value.begin(), value.end(), '/') != 1)
        return damaged(line, "Invalid MIME type in details");
      part_.mime_type = value;
      state_ = State::name;
      return Result::need_more;
    }
    case State::name:
      part_.name = line.substr(0, line.size() - 1);
      part_.offset = bytes_.size();
      state_ = State::chunk_header;
      return Result::need_more;
    case State::chunk_header: {
      const bool crlf = line.ends_with("\r\n");
      const std::size_t size = crlf ? chunk_size(line.substr(0, line.size() - 2)) : line.npos;
      if (size == line.npos) {
        finish_part();
        return damaged(line, "Invalid chunk header in details");
      }
      if (size == 0) {
        finish_part();
        state_ = State::content_type;
      } else {
        chunk_left_ = size;
        state_ = State::chunk_data;
      }
      return Result::need_more;
    }
    case State::chunk_data:
      break;  // consume() takes these bytes itself
  }
  return Result::need_more;
}

void V1Details::finish_part() {
  part_.size = bytes_.size() - part_.offset;
  if (!check_utf8(part_.name).complete()) part_.name = replace_invalid_utf8(part_.name);
  if (!check_utf8(part_.mime_type).complete()) part_.mime_type = replace_invalid_utf8(part_.mime_type);
  // The last part of a name counts, at the place of the first.
  const auto same =
      std::find_if(parts_.begin(), parts_.end(), [&](const Part& p) { return p.name == part_.name; });
  if (same != parts_.end()) {
    *same = part_;
  } else {
    parts_.push_back(part_);
  }
}

V1Details::Result V1Details::damaged(std::string_view line, std::string message) {
  damaged_line_ = line;
  damage_message_ = std::move(message);
  state_ = State::skip;
  return Result::damaged;
}

}  // namespace flakebisect::repo_reader
