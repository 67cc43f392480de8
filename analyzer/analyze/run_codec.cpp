#include "analyzer/analyze/run_codec.h"

#include <cmath>

namespace flakebisect::analyzer {

namespace {

constexpr std::uint8_t format = 1;
constexpr std::uint8_t ending_mask = 7;
constexpr std::uint8_t has_start = 8;
constexpr std::uint8_t has_duration = 16;
constexpr std::uint8_t has_signature = 32;

std::uint32_t checksum(std::string_view bytes) {
  // Eight bytes a step: a byte a step would cost more than all the rest of decoding.
  std::uint64_t hash = 0xcbf29ce484222325U;
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 8; ++i)
      word |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
    hash = (hash ^ word) * 0x100000001b3U;
    hash ^= hash >> 29U;
  }
  for (; at < bytes.size(); ++at) hash = (hash ^ static_cast<unsigned char>(bytes[at])) * 0x100000001b3U;
  return static_cast<std::uint32_t>(hash ^ (hash >> 32U));
}

void put(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80U);
    value >>= 7U;
  }
  out += static_cast<char>(value);
}

void put_signed(std::string& out, std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  put(out, (bits << 1U) ^ (value < 0 ? ~std::uint64_t{0} : 0));
}

/// Takes numbers from the front; `good` becomes false at the end of the bytes and stays so.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  std::uint64_t take() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) break;
      const auto byte = static_cast<unsigned char>(*at_++);
      value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if (byte < 0x80) return value;
    }
    good = false;
    return 0;
  }
  std::int64_t take_signed() {
    const std::uint64_t value = take();
    return static_cast<std::int64_t>((value >> 1U) ^ (~(value & 1U) + 1U));
  }
  std::uint8_t byte() {
    if (at_ == end_) {
      good = false;
      return 0;
    }
    return static_cast<std::uint8_t>(*at_++);
  }
  bool at_end() const { return at_ == end_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  bool good = true;

 private:
  const char* at_;
  const char* end_;
};

}  // namespace

std::string encode_run(const std::vector<HistoryProcess>& processes, const std::vector<Result>& results) {
  std::string out;
  out.reserve(16 + results.size() * 9);
  out += static_cast<char>(format);
  put(out, processes.size());
  std::int64_t clock = 0;
  for (const auto& process : processes) {
    put(out, process.worker);
    put(out, process.generation);
    put(out, process.count);
    std::int64_t test = 0;
    for (std::size_t i = process.first; i < process.first + process.count; ++i) {
      const Result& result = results[i];
      put_signed(out, static_cast<std::int64_t>(result.test) - test);
      test = result.test;
      auto flags = static_cast<std::uint8_t>(result.ending);
      if (result.has_start()) flags |= has_start;
      if (result.seconds >= 0) flags |= has_duration;
      if (result.signature != 0) flags |= has_signature;
      out += static_cast<char>(flags);
      const auto micros = result.seconds >= 0 ? std::llround(static_cast<double>(result.seconds) * 1e6) : 0;
      if (result.has_start()) {
        put_signed(out, result.start_micros - clock);
        clock = result.start_micros + micros;
      }
      if (result.seconds >= 0) put(out, static_cast<std::uint64_t>(micros));
      if (result.signature != 0) put(out, result.signature);
    }
  }
  const std::uint32_t sum = checksum(out);
  for (unsigned shift = 0; shift < 32; shift += 8) out += static_cast<char>(sum >> shift);
  return out;
}

std::optional<std::size_t> decode_run(std::string_view bytes, History& history) {
  if (bytes.size() < 6) return std::nullopt;
  const auto body = bytes.substr(0, bytes.size() - 4);
  std::uint32_t sum = 0;
  for (unsigned i = 0; i < 4; ++i)
    sum |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[body.size() + i])) << (8 * i);
  if (sum != checksum(body)) return std::nullopt;
  const std::size_t processes_before = history.processes.size();
  const std::size_t results_before = history.results.size();
  Reader reader(body);
  bool good = reader.byte() == format;
  const std::uint64_t processes = reader.take();
  std::int64_t clock = 0;
  for (std::uint64_t p = 0; good && p < processes; ++p) {
    HistoryProcess process;
    process.worker = static_cast<std::uint32_t>(reader.take());
    process.generation = static_cast<std::uint32_t>(reader.take());
    const std::uint64_t count = reader.take();
    if (!reader.good || count > reader.left()) {
      good = false;
      break;
    }
    process.first = history.results.size();
    process.count = static_cast<std::size_t>(count);
    std::int64_t test = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      Result result;
      test += reader.take_signed();
      result.test = static_cast<std::uint32_t>(test);
      const std::uint8_t flags = reader.byte();
      result.ending = static_cast<Ending>(flags & ending_mask);
      if ((flags & has_start) != 0) {
        result.start_micros = clock + reader.take_signed();
        clock = result.start_micros;
      }
      if ((flags & has_duration) != 0) {
        const auto micros = reader.take();
        result.seconds = static_cast<float>(static_cast<double>(micros) * 1e-6);
        if ((flags & has_start) != 0) clock += static_cast<std::int64_t>(micros);
      }
      if ((flags & has_signature) != 0) result.signature = static_cast<std::uint32_t>(reader.take());
      history.results.push_back(result);
    }
    history.processes.push_back(process);
    good = reader.good;
  }
  if (good && reader.good && reader.at_end()) return history.processes.size() - processes_before;
  history.processes.resize(processes_before);
  history.results.resize(results_before);
  return std::nullopt;
}

}  // namespace flakebisect::analyzer
