#pragma once

/// The files of stored runs. They are read, never mapped: another process may cut one at any time.

#include <filesystem>
#include <string>

#include "repo_reader/stream_decoder.h"
#include "repo_reader/test_run.h"

namespace flakebisect::repo_reader {

/// Decodes a file in constant memory and returns the version it is in. Throws InputError (unreadable).
Version decode_file(const std::filesystem::path& file, EventSink& sink, DecoderOptions options);

/// Reads a file piece by piece. Throws InputError (unreadable).
class FileReader {
 public:
  explicit FileReader(const std::filesystem::path& file);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  /// The next piece, empty at the end of the file; valid until the next call.
  std::string_view next();

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
  std::string buffer_;
};

/// Folds a stream into a run, a piece at a time.
class RunReader {
 public:
  explicit RunReader(bool details = false);
  void feed(std::string_view bytes) {
    any_bytes_ = any_bytes_ || !bytes.empty();
    decoder_.feed(bytes);
  }
  TestRun finish();

 private:
  RunBuilder builder_;
  StreamFolder folder_;
  StreamDecoder decoder_;
  bool any_bytes_ = false;
};

/// The run of a stream in memory.
TestRun read_run_stream(std::string_view bytes);

/// The run of a file. Throws InputError (unreadable).
TestRun read_run_file(const std::filesystem::path& file);

}  // namespace flakebisect::repo_reader
