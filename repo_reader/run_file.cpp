#include "repo_reader/run_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "repo_reader/input_error.h"

namespace flakebisect::repo_reader {
namespace {

constexpr std::size_t piece_bytes = std::size_t{256} << 10;  // stays in the processor's cache

[[noreturn]] void unreadable(const std::filesystem::path& file) {
  throw InputError(InputError::Kind::unreadable,
                   fmt::format("cannot read {}: {}; check that it is a file you may read", file.string(),
                               std::strerror(errno)));
}

}  // namespace

FileReader::FileReader(const std::filesystem::path& file) : file_(file) {
  descriptor_ = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) unreadable(file_);
  buffer_.resize(piece_bytes);
}

FileReader::~FileReader() {
  close(descriptor_);
}

std::string_view FileReader::next() {
  for (;;) {
    const ssize_t got = read(descriptor_, buffer_.data(), buffer_.size());
    if (got >= 0) return std::string_view(buffer_).substr(0, static_cast<std::size_t>(got));
    if (errno != EINTR) unreadable(file_);
  }
}

Version decode_file(const std::filesystem::path& file, EventSink& sink, DecoderOptions options) {
  FileReader reader(file);
  StreamDecoder decoder(sink, options);
  for (std::string_view piece = reader.next(); !piece.empty(); piece = reader.next()) decoder.feed(piece);
  decoder.finish();
  return decoder.version();
}

RunReader::RunReader(bool details)
    : folder_(builder_),
      decoder_(folder_, {.version = Version::automatic, .details = details, .drop_partial_line = true}) {}

TestRun RunReader::finish() {
  builder_.at_end_of_stream(decoder_.version() != Version::v2);
  decoder_.finish();
  folder_.finish();
  TestRun run = builder_.finish();
  run.no_subunit = any_bytes_ && decoder_.version() == Version::automatic;
  return run;
}

TestRun read_run_stream(std::string_view bytes) {
  RunReader reader;
  reader.feed(bytes);
  return reader.finish();
}

TestRun read_run_file(const std::filesystem::path& file) {
  FileReader reader(file);
  RunReader run;
  for (std::string_view piece = reader.next(); !piece.empty(); piece = reader.next()) run.feed(piece);
  return run.finish();
}

}  // namespace flakebisect::repo_reader
