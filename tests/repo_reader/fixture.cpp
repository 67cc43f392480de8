#include "fixture.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

#include "repo_reader/subunit_encoder.h"
#include "repo_reader/utf8.h"

namespace fixture {
namespace {

using nlohmann::json;

std::string directory(const std::string& name) {
  return fmt::format("{}/subunit/{}", TEST_DATA, name);
}

std::string gunzip(const std::string& packed) {
  std::string out(std::size_t{8} << 20, '\0');
  std::size_t size = 0;
  libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
  const auto result =
      libdeflate_gzip_decompress(decompressor, packed.data(), packed.size(), out.data(), out.size(), &size);
  libdeflate_free_decompressor(decompressor);
  if (result != LIBDEFLATE_SUCCESS) throw std::runtime_error("cannot unpack a fixture");
  out.resize(size);
  return out;
}

json render_time(const std::optional<rr::Timestamp>& time) {
  if (!time) return nullptr;
  std::int64_t seconds = time->microseconds / 1'000'000;
  std::int64_t micros = time->microseconds % 1'000'000;
  if (micros < 0) {
    --seconds;
    micros += 1'000'000;
  }
  return json::array({seconds, micros});
}

template <class Tags>
json render_tags(const Tags& tags) {
  std::vector<std::string> sorted(tags.begin(), tags.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

json render_event(const rr::Event& event, rr::Version version) {
  json out;
  out["eof"] = event.eof;
  out["runnable"] = event.runnable;
  if (event.test_id) out["test_id"] = *event.test_id;
  if (event.status != rr::Status::none) out["test_status"] = rr::status_name(event.status);
  if (event.tags) out["test_tags"] = render_tags(*event.tags);
  if (event.file_name) {
    out["file_name"] = *event.file_name;
    out["file_bytes"] = render_bytes(event.file_bytes);
  }
  if (event.mime_type) out["mime_type"] = *event.mime_type;
  if (event.route_code) out["route_code"] = *event.route_code;
  if (event.timestamp || version == rr::Version::v1) out["timestamp"] = render_time(event.timestamp);
  return out;
}

/// The MIME type as testtools prints it: parameters sorted and quoted.
std::string render_mime(const std::string& given) {
  const std::string whole = given.empty() ? "application/octet-stream" : given;
  std::istringstream parts(whole);
  std::string part;
  std::getline(parts, part, ';');
  std::string out = part;
  std::map<std::string, std::string> parameters;
  while (std::getline(parts, part, ';')) {
    const std::size_t equals = part.find('=');
    std::string value = part.substr(equals + 1);
    std::erase(value, '"');
    std::string key = part.substr(0, equals);
    std::erase(key, ' ');
    if (key == "charset") value = value.substr(0, value.find(','));
    parameters[key] = value;
  }
  for (const auto& [key, value] : parameters) out += fmt::format("; {}=\"{}\"", key, value);
  return out;
}

bool is_stream_text(const json& event) {
  return !event.contains("test_id") && event.contains("file_name") && event["file_name"] == "stdout" &&
         !event.contains("mime_type");
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("no file " + path);
  std::ostringstream out;
  out << in.rdbuf();
  return std::move(out).str();
}

std::string stream(const std::string& name) {
  const std::string packed = directory(name) + "/input.bin.gz";
  if (std::ifstream(packed)) return gunzip(read_file(packed));
  return read_file(directory(name) + "/input.bin");
}

std::vector<std::string> names() {
  std::istringstream index(read_file(std::string(TEST_DATA) + "/subunit/INDEX.txt"));
  std::vector<std::string> out;
  for (std::string line; std::getline(index, line);) out.push_back(line.substr(0, line.find('\t')));
  return out;
}

json expected(const std::string& name) {
  json out = json::parse(read_file(directory(name) + "/expected.json"));
  // Long contents are checked by length: the checksum of their packet covers the bytes.
  for (json& event : out["events"]) {
    if (event.contains("file_bytes")) event["file_bytes"].erase("sha256");
  }
  for (json& test : out["tests"]) {
    for (json& detail : test["details"]) detail["bytes"].erase("sha256");
  }
  return out;
}

rr::Version version(const std::string& name) {
  return name.starts_with("v1_") ? rr::Version::v1 : rr::Version::v2;
}

json render_bytes(std::string_view bytes) {
  if (bytes.size() > 4096) return {{"len", bytes.size()}};
  if (rr::check_utf8(bytes).complete()) return {{"utf8", bytes}};
  std::string hex;
  for (char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return {{"hex", hex}};
}

Decoded decode(std::string_view bytes, rr::Version version, std::size_t piece) {
  Decoded out;
  std::string text;
  const auto flush_text = [&] {
    if (!text.empty()) {
      out.events.push_back(
          {{"eof", false}, {"runnable", true}, {"file_name", "stdout"}, {"file_bytes", render_bytes(text)}});
    }
    text.clear();
  };
  rr::CallbackSink sink([&](const rr::Event& event) {
    json rendered = render_event(event, version);
    if (is_stream_text(rendered)) {
      (version == rr::Version::v1 ? out.passthrough : text).append(event.file_bytes);
      return;
    }
    flush_text();
    out.events.push_back(std::move(rendered));
  });
  rr::StreamDecoder decoder(sink, {.version = version, .details = true});
  if (piece == 0) piece = bytes.size();
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const std::string copy(bytes.substr(at, piece));  // gone after the call: nothing may point into it
    decoder.feed(copy);
  }
  decoder.finish();
  flush_text();
  return out;
}

json fold(std::string_view bytes, rr::Version version) {
  json out = json::array();
  struct Visitor final : rr::TestVisitor {
    explicit Visitor(json& target) : tests(target) {}
    void on_test(const rr::FoldedTest& test) override {
      json details = json::object();
      for (const rr::Attachment& file : test.details) {
        details[file.name] = {{"bytes", render_bytes(file.bytes)}, {"type", render_mime(file.mime_type)}};
      }
      tests.push_back({{"id", test.id},
                       {"status", rr::status_name(test.status)},
                       {"tags", render_tags(test.tags)},
                       {"timestamps", json::array({render_time(test.start), render_time(test.stop)})},
                       {"details", details}});
    }
    json& tests;
  };
  Visitor visitor(out);
  rr::StreamFolder folder(visitor);
  rr::decode_stream(bytes, folder, {.version = version, .details = true});
  folder.finish();
  return out;
}

std::string packet(std::string_view id, rr::Status status, std::optional<std::int64_t> micros,
                   std::string_view tag) {
  rr::Event event;
  event.test_id = id;
  event.status = status;
  if (micros) event.timestamp = rr::Timestamp{*micros};
  const std::string_view tags[] = {tag};
  if (!tag.empty()) event.tags = tags;
  std::string out;
  rr::encode_event(event, out);
  return out;
}

}  // namespace fixture
