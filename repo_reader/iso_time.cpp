#include "repo_reader/iso_time.h"

#include <charconv>
#include <chrono>
#include <string>

namespace flakebisect::repo_reader {
namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Takes characters off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  /// A number of `least` to `most` digits.
  std::optional<int> number(std::size_t least, std::size_t most) {
    int value = 0;
    std::size_t digits = 0;
    while (digits < most && digits < text_.size() && is_digit(text_[digits]))
      value = value * 10 + (text_[digits++] - '0');
    if (digits < least) return std::nullopt;
    text_.remove_prefix(digits);
    return value;
  }

  bool literal(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool any_but_newline() {
    if (text_.empty() || text_.front() == '\n') return false;
    text_.remove_prefix(1);
    return true;
  }

  std::string_view digits() {
    std::size_t count = 0;
    while (count < text_.size() && is_digit(text_[count])) ++count;
    const std::string_view taken = text_.substr(0, count);
    text_.remove_prefix(count);
    return taken;
  }

  std::string_view rest() const { return text_; }
  void reset(std::string_view text) { text_ = text; }

 private:
  std::string_view text_;
};

/// Microseconds as int(float("0." + digits) * 1e6) has them.
std::int64_t fraction_micros(std::string_view digits) {
  constexpr std::size_t exact_digits =
      15;  // digits and power of ten are exact doubles: the quotient is rounded once
  double fraction = 0;
  if (digits.size() <= exact_digits) {
    double numerator = 0;
    double power = 1;
    for (char digit : digits) {
      numerator = numerator * 10 + (digit - '0');
      power *= 10;
    }
    fraction = numerator / power;
  } else {
    const std::string text = "0." + std::string(digits);
    std::from_chars(text.data(), text.data() + text.size(), fraction);
  }
  return static_cast<std::int64_t>(fraction * 1e6);
}

}  // namespace

std::optional<Timestamp> parse_iso_time(std::string_view text) {
  Scanner scan(text);
  const auto year = scan.number(4, 4);
  if (!year || !scan.literal('-')) return std::nullopt;
  const auto month = scan.number(1, 2);
  if (!month || !scan.literal('-')) return std::nullopt;
  const auto day = scan.number(1, 2);
  if (!day || !scan.any_but_newline()) return std::nullopt;
  const auto hour = scan.number(2, 2);
  if (!hour || !scan.literal(':')) return std::nullopt;
  const auto minute = scan.number(2, 2);
  if (!minute || !scan.literal(':')) return std::nullopt;
  const auto second = scan.number(2, 2);
  if (!second) return std::nullopt;

  std::int64_t micros = 0;
  const std::string_view before_fraction = scan.rest();
  if (scan.literal('.')) {
    const std::string_view digits = scan.digits();
    if (digits.empty()) {
      scan.reset(before_fraction);
    } else {
      micros = fraction_micros(digits);
    }
  }

  std::int64_t offset_minutes = 0;
  const std::string_view zone = scan.rest();
  if (!zone.empty() && (zone.front() == '+' || zone.front() == '-')) {
    scan.reset(zone.substr(1));
    const auto zone_hours = scan.number(2, 2);
    const bool colon = zone_hours && scan.literal(':');
    const auto zone_minutes = colon ? scan.number(2, 2) : std::nullopt;
    if (zone_minutes) {
      offset_minutes = *zone_hours * 60 + *zone_minutes;
      if (offset_minutes >= 24 * 60) return std::nullopt;
      if (zone.front() == '-') offset_minutes = -offset_minutes;
    }
  }

  using namespace std::chrono;
  const year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                            std::chrono::day{static_cast<unsigned>(*day)}};
  if (*year < 1 || !date.ok() || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const std::int64_t days = sys_days{date}.time_since_epoch().count();
  const std::int64_t seconds = ((days * 24 + *hour) * 60 + *minute - offset_minutes) * 60 + *second;
  return Timestamp{seconds * 1'000'000 + micros};
}

}  // namespace flakebisect::repo_reader
