#include "analyzer/status_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace flakebisect::analyzer {

using bisect::Explanation;
using bisect::Kind;

namespace {

/// So often plain output looks for news.
constexpr double look_interval_seconds = 2;
/// An explanation is news once it is likelier than not.
constexpr double news_probability = 0.5;
constexpr std::size_t most_bars = 4;
constexpr std::size_t most_slots = 8;
/// Why the search goes on although the answer is as sure as was asked for.
constexpr const char* comparing = "comparing that with its rate behind the whole list";
constexpr std::size_t bar_width = 20;
/// Plain lines come at least this often.
constexpr double plain_interval_seconds = 60;
/// A live line changes at most this often.
constexpr double live_interval_seconds = 0.2;

std::string shorten_left(const std::string& text, std::size_t width) {
  if (width == 0 || text.size() <= width || width < 4) return text;
  // Ids are shortened on the left: what tells tests apart stands on the right. Never cut inside a UTF-8
  // character.
  std::size_t from = text.size() - (width - 1);
  while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0U) == 0x80U) ++from;
  return "…" + text.substr(from);
}

/// Columns the text takes, as far as one code point is one column.
std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
  }));
}

/// " (up to 32 times)"; empty for once.
std::string repeat_words(std::uint32_t victim_runs) {
  return victim_runs > 1 ? fmt::format(" (up to {} times)", victim_runs) : std::string();
}

std::string cut_right(std::string text, std::size_t width) {
  if (columns(text) <= width) return text;
  std::size_t kept = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t next = at + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0U) == 0x80U) ++next;
    if (kept + 2 > width) break;
    ++kept;
    at = next;
  }
  text.resize(at);
  return text + "…";
}

}  // namespace

std::string format_seconds(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string format_probability(double probability) {
  if (probability > 0.999) return ">99.9 %";
  if (probability < 0.001) return "<0.1 %";
  return fmt::format("{:.1f} %", probability * 100);
}

std::string count_words(bisect::Outcome outcome, std::uint32_t victim_runs) {
  if (victim_runs <= 1) return {};
  return outcome == bisect::Outcome::pass ? fmt::format(" ({} runs)", victim_runs)
                                          : fmt::format(" (run {})", victim_runs);
}

std::string describe(const Explanation& explanation, const std::vector<std::string>& candidates,
                     std::size_t width) {
  std::string names;
  for (const auto index : explanation.tests) {
    if (!names.empty()) names += " + ";
    names += shorten_left(index < candidates.size() ? candidates[index] : "?", width);
  }
  switch (explanation.kind) {
    case Kind::self:
      return "fails on its own";
    case Kind::polluter:
      return "after " + names;
    case Kind::polluter_set:
      return "after " + names + " together";
    case Kind::brittle:
      return "only without " + names;
    case Kind::cumulative:
      return "the more tests before it";
    case Kind::concurrent:
      return names.empty() ? "the more of other workers' tests" : "beside " + names;
    case Kind::not_reproduced:
      return "does not fail any more";
    case Kind::inconclusive:
      break;
  }
  return "something else";
}

std::string status_line(const StatusFacts& facts, const std::vector<std::string>& candidates,
                        std::size_t width) {
  const auto& loop = facts.loop;
  std::string line =
      fmt::format("{} probe{}, {} failure{}, {}", loop.probes, loop.probes == 1 ? "" : "s", loop.failures,
                  loop.failures == 1 ? "" : "s", format_seconds(loop.elapsed_seconds));
  if (loop.voids != 0) line += fmt::format(", {} void", loop.voids);
  std::size_t busy = 0;
  const SlotStatus* shown = nullptr;
  for (const auto& slot : loop.slots) {
    if (!slot.busy) continue;
    ++busy;
    if (shown == nullptr || slot.running_seconds > shown->running_seconds) shown = &slot;
  }
  const std::size_t id_width = std::max<std::size_t>(24, width / 3);
  bool first = true;
  for (const auto& explanation : facts.leading) {
    if (!first && explanation.probability < 0.02) break;
    line += (first ? " | " : ", ") + describe(explanation, candidates, id_width) + " " +
            format_probability(explanation.probability);
    first = false;
  }
  if (facts.comparing_lists) line += std::string(" | ") + comparing;
  if (busy == 1)
    line += fmt::format(" | running {} test{} + the victim{}", shown->tests, shown->tests == 1 ? "" : "s",
                        repeat_words(shown->victim_runs));
  if (busy > 1) line += fmt::format(" | {} running", busy);
  if (facts.seconds_left) line += " | about " + format_seconds(*facts.seconds_left) + " left";
  return cut_right(line, width);
}

StatusView::StatusView(std::FILE* out, bool terminal, std::size_t width,
                       const std::vector<std::string>& candidates)
    : out_(out), terminal_(terminal), width_(width), candidates_(candidates) {}

StatusView::~StatusView() {
  clear();
}

bool locale_is_utf8() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view text = value;
    return text.find("UTF-8") != std::string_view::npos || text.find("utf8") != std::string_view::npos;
  }
  return false;
}

std::vector<std::string> status_block(const StatusFacts& facts, const std::vector<std::string>& candidates,
                                      std::size_t width, bool unicode) {
  const auto& loop = facts.loop;
  std::vector<std::string> lines;
  std::string head = fmt::format("{} probe{}, {} failure{}", loop.probes, loop.probes == 1 ? "" : "s",
                                 loop.failures, loop.failures == 1 ? "" : "s");
  if (loop.voids != 0) head += fmt::format(", {} void", loop.voids);
  head += ", " + format_seconds(loop.elapsed_seconds);
  if (facts.seconds_left) head += ", about " + format_seconds(*facts.seconds_left) + " left";
  lines.push_back(head);
  if (facts.comparing_lists) lines.push_back(std::string("  ") + comparing);
  const std::size_t above = lines.size();
  for (const auto& explanation : facts.leading) {
    if (lines.size() >= most_bars + above || (lines.size() > above && explanation.probability < 0.005)) break;
    const double share = explanation.probability * static_cast<double>(bar_width);
    const auto full = static_cast<std::size_t>(std::lround(share));
    std::string bar;
    for (std::size_t i = 0; i < bar_width; ++i)
      bar += i < full ? (unicode ? "█" : "#") : (unicode ? "░" : ".");
    lines.push_back(fmt::format("  {} {:>7}  {}", bar, format_probability(explanation.probability),
                                describe(explanation, candidates, std::max<std::size_t>(24, width / 2))));
  }
  std::size_t shown = 0;
  for (std::size_t slot = 0; slot < loop.slots.size(); ++slot) {
    const auto& status = loop.slots[slot];
    if (shown == most_slots && slot + 1 < loop.slots.size()) {
      std::size_t busy = 0;
      for (std::size_t i = slot; i < loop.slots.size(); ++i) busy += loop.slots[i].busy ? 1U : 0U;
      lines.push_back(fmt::format("  and {} more slots, {} of them busy", loop.slots.size() - slot, busy));
      break;
    }
    std::string what = status.resting ? "its machine was lost; it rests" : "waits";
    if (status.busy) {
      const char* why = status.purpose == bisect::Purpose::search      ? "search"
                        : status.purpose == bisect::Purpose::treatment ? "the reproduction again"
                                                                       : "its control";
      what = fmt::format("{:>6}  {} test{} + the victim{}, {}", format_seconds(status.running_seconds),
                         status.tests, status.tests == 1 ? "" : "s", repeat_words(status.victim_runs), why);
    }
    lines.push_back(fmt::format("  slot {:<3} {}", slot, what));
    ++shown;
  }
  for (auto& line : lines) line = cut_right(std::move(line), width);
  return lines;
}

bool StatusView::due(const LoopStatus& loop) const {
  if (last_look_ < 0) return true;
  const double since = loop.elapsed_seconds - last_look_;
  if (terminal_) return since >= live_interval_seconds;
  return since >= look_interval_seconds || (loop.failures != 0 && !failed_);
}

void StatusView::update(const StatusFacts& facts) {
  last_look_ = facts.loop.elapsed_seconds;
  if (terminal_) {
    // The last column stays free: some terminals wrap when it is written.
    static const bool unicode = locale_is_utf8();
    const auto lines = status_block(facts, candidates_, width_ > 1 ? width_ - 1 : 1, unicode);
    clear();
    for (const auto& line : lines) std::fprintf(out_, "%s\n", line.c_str());
    shown_ = lines.size();
    std::fflush(out_);
    return;
  }
  std::pair<Kind, std::vector<bisect::TestIndex>> leader{Kind::inconclusive, {}};
  if (!facts.leading.empty() && facts.leading.front().probability >= news_probability)
    leader = {facts.leading.front().kind, facts.leading.front().tests};
  const bool news = facts.loop.probes != 0 && ((facts.loop.failures != 0 && !failed_) ||
                                               (leader.first != Kind::inconclusive && leader != leader_));
  const bool minute = facts.loop.elapsed_seconds - std::max(0.0, last_seconds_) >= plain_interval_seconds;
  if (!news && !minute) return;
  if (leader.first != Kind::inconclusive) leader_ = std::move(leader);
  failed_ = failed_ || facts.loop.failures != 0;
  last_seconds_ = facts.loop.elapsed_seconds;
  std::fprintf(out_, "%s\n", status_line(facts, candidates_, 400).c_str());
  std::fflush(out_);
}

void StatusView::clear() {
  if (shown_ == 0) return;
  // Up to the first of our lines, and everything below it away.
  std::fprintf(out_, "\r\033[%zuA\033[J", shown_);
  std::fflush(out_);
  shown_ = 0;
}

}  // namespace flakebisect::analyzer
