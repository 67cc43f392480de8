#include "repo_reader/list_pipeline.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "repo_reader/run_file.h"
#include "repo_reader/stream_decoder.h"
#include "repo_reader/stream_folder.h"
#include "repo_reader/subunit_encoder.h"
#include "repo_reader/v2_parser.h"

namespace flakebisect::repo_reader {
namespace {

/// subunit-ls with its output buffers: ids are held back, text is not.
class Listing {
 public:
  Listing(IdOutput ids, const TextSink& out) : held_back_(ids == IdOutput::held_back), out_(out) {}

  void id(std::string_view id) {
    constexpr std::size_t held_back = 8192;  // of Python's text layer
    const std::size_t bytes = id.size() + 1;
    if (!ids_.empty() && ids_.size() + bytes > held_back) flush();
    ids_.append(id).push_back('\n');
    if (ids_.size() >= held_back) flush();
  }

  void text(std::string_view text) {
    if (!held_back_) flush();
    out_(text);
  }

  void flush() {
    if (!ids_.empty()) out_(ids_);
    ids_.clear();
  }

 private:
  bool held_back_;
  const TextSink& out_;
  std::string ids_;
};

/// subunit-filter: takes events, hands on the tests that pass and the text.
class Filter final : public EventSink, private TestVisitor {
 public:
  Filter(const std::optional<std::string>& tag, Listing& listing)
      : tag_(tag), listing_(listing), folder_(*this) {}

  void on_event(const Event& event) override {
    if (!event.test_id) {
      if (event.file_name) listing_.text(event.file_bytes);
    } else if (event.status != Status::exists) {
      folder_.on_event(event);
    }
  }

  void finish() { folder_.finish(); }

 private:
  void on_test(const FoldedTest& test) override {
    const bool passes = !tag_ || test.status == Status::uxsuccess ||  // this one is never asked for its tags
                        std::find(test.tags.begin(), test.tags.end(), *tag_) != test.tags.end();
    if (passes && !test.id.empty()) listing_.id(test.id);
  }

  const std::optional<std::string>& tag_;
  Listing& listing_;
  StreamFolder folder_;
};

/// The pipe between subunit-1to2 and subunit-filter: text goes through it as it is, and may hide the
/// beginning of a packet or look like one. Events pass directly as long as the reader at the other end
/// expects a packet.
class Pipe final : public EventSink {
 public:
  explicit Pipe(EventSink& reader) : reader_(reader), parser_(reader, false) {}

  void on_event(const Event& event) override {
    if (!event.test_id) {
      write(event.file_bytes);
    } else if (pending_.empty() && parser_.expects_packet()) {
      reader_.on_event(event);
    } else {
      packet_.clear();
      try {
        encode_event(event, packet_);
      } catch (const EncodeError&) {
        return;  // subunit-1to2 dies here
      }
      write(packet_);
    }
  }

  void finish() { parser_.finish(pending_); }

 private:
  void write(std::string_view bytes) {
    if (pending_.empty()) {
      pending_ = bytes.substr(parser_.consume(bytes));
    } else {
      pending_.append(bytes);
      pending_.erase(0, parser_.consume(pending_));
    }
  }

  EventSink& reader_;
  V2Parser parser_;
  std::string pending_;
  std::string packet_;
};

/// `pieces` starts the stream anew and returns a function that gives its next piece, empty at the end.
using Pieces = std::function<std::function<std::string_view()>()>;

Version version_of(const Pieces& pieces) {
  CallbackSink nothing([](const Event&) {});
  StreamDecoder decoder(nothing, {.version = Version::automatic, .details = false});
  const auto next = pieces();
  for (auto piece = next(); !piece.empty() && decoder.version() == Version::automatic; piece = next()) {
    constexpr std::size_t enough = 4096;
    while (!piece.empty() && decoder.version() == Version::automatic) {
      decoder.feed(piece.substr(0, enough));
      piece.remove_prefix(std::min(enough, piece.size()));
    }
  }
  return decoder.version() == Version::v2 ? Version::v2 : Version::v1;
}

void run_pipeline(const Pieces& pieces, const std::optional<std::string>& tag, IdOutput ids,
                  const TextSink& out) {
  const Version version = version_of(pieces);
  Listing listing(ids, out);
  Filter filter(tag, listing);
  Pipe pipe(filter);
  // Only what is written into the pipe as bytes needs details, and only their length.
  StreamDecoder decoder(version == Version::v1 ? static_cast<EventSink&>(pipe) : filter,
                        {.version = version, .details = version == Version::v1});
  const auto next = pieces();
  for (auto piece = next(); !piece.empty(); piece = next()) decoder.feed(piece);
  decoder.finish();
  pipe.finish();
  filter.finish();
  listing.flush();
}

}  // namespace

IdOutput id_output_here() {
  const char* unbuffered = std::getenv("PYTHONUNBUFFERED");
  const bool in_order = (unbuffered != nullptr && *unbuffered != '\0') || isatty(STDOUT_FILENO) == 1;
  return in_order ? IdOutput::in_order : IdOutput::held_back;
}

void print_pipeline(const std::filesystem::path& file, const std::optional<std::string>& tag, IdOutput ids,
                    const TextSink& out) {
  run_pipeline([&] { return [reader = std::make_shared<FileReader>(file)] { return reader->next(); }; }, tag,
               ids, out);
}

void print_pipeline_of(std::string_view stream, const std::optional<std::string>& tag, IdOutput ids,
                       const TextSink& out) {
  run_pipeline([&] { return [rest = stream]() mutable { return std::exchange(rest, {}); }; }, tag, ids, out);
}

}  // namespace flakebisect::repo_reader
