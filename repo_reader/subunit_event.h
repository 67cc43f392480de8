#pragma once

/// One event of a subunit stream, whichever version of the protocol it came in.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace flakebisect::repo_reader {

/// Status of an event. The numbers are those on the wire of subunit v2: never renumber.
enum class Status : std::uint8_t {
  none = 0,
  exists = 1,      ///< known to the runner; not a result
  inprogress = 2,  ///< started
  success = 3,
  uxsuccess = 4,  ///< expected to fail, passed
  skip = 5,
  fail = 6,
  xfail = 7,  ///< failed as expected
};

/// The word subunit's tools use for a status; "unknown" for none.
constexpr std::string_view status_name(Status status) {
  constexpr std::string_view names[] = {"unknown",   "exists", "inprogress", "success",
                                        "uxsuccess", "skip",   "fail",       "xfail"};
  return names[static_cast<std::size_t>(status) & 7U];
}

/// True for a status that ends a test: everything but none and inprogress (exists counts as an end when
/// streams are folded, though it is no result).
constexpr bool is_final(Status status) {
  return status != Status::none && status != Status::inprogress;
}

/// A point in time: microseconds since 1970-01-01 00:00 UTC, the resolution of the reference implementation.
struct Timestamp {
  std::int64_t microseconds = 0;

  constexpr double seconds() const { return static_cast<double>(microseconds) / 1e6; }
  constexpr auto operator<=>(const Timestamp&) const = default;
};

/// Everything an event can carry. The views belong to the decoder: valid only during EventSink::on_event().
/// All text is valid UTF-8; file_bytes are any bytes.
struct Event {
  std::optional<std::string_view> test_id;  ///< absent: output of the stream itself
  Status status = Status::none;
  /// Absolute set, no tag twice; absent: nothing said about tags.
  std::optional<std::span<const std::string_view>> tags;
  bool runnable = true;  ///< false: cannot be asked for by id (fixtures, import errors)
  std::optional<std::string_view> file_name;
  std::string_view file_bytes;  ///< empty without file_name
  bool eof = false;             ///< advisory: the last part of this file
  std::optional<std::string_view> mime_type;
  std::optional<std::string_view> route_code;
  std::optional<Timestamp> timestamp;
};

/// Receiver of decoded events. Exceptions it throws pass through the decoder to the caller of feed(); the
/// decoder must then be thrown away.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on_event(const Event& event) = 0;
};

/// An EventSink from any callable taking a const Event&.
template <class Callable>
class CallbackSink final : public EventSink {
 public:
  explicit CallbackSink(Callable callable) : callable_(std::move(callable)) {}
  void on_event(const Event& event) override { callable_(event); }

 private:
  Callable callable_;
};

}  // namespace flakebisect::repo_reader
