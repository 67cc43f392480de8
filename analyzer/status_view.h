#pragma once

/// What a user sees while probes run: on a terminal a few lines kept up to date (the leading explanations
/// with bars, what each slot runs), elsewhere (CI logs) a plain line a minute, and on news: the first
/// failure, another explanation in the lead. Written to standard error.

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/probe_loop.h"
#include "bisect/engine.h"

namespace flakebisect::analyzer {

/// Everything one line says.
struct StatusFacts {
  LoopStatus loop;
  std::vector<bisect::Explanation> leading;  ///< best first
  std::optional<double> seconds_left;        ///< estimate
  bool comparing_lists = false;              ///< see Engine::comparing_lists()
};

/// "1.5 s", "42 s", "3 min 20 s", "2 h 5 min".
std::string format_seconds(double seconds);

/// "97.2 %", ">99.9 %", "<0.1 %": never 0 or 100.
std::string format_probability(double probability);

/// How often the victim ran in a probe: " (32 runs)" where all passed, " (run 7)" where that one failed;
/// empty for once.
std::string count_words(bisect::Outcome outcome, std::uint32_t victim_runs);

/// Words for an explanation: "fails on its own", "polluter tests.a.b", ... with ids shortened from the left
/// to `width` columns each (0: never).
std::string describe(const bisect::Explanation& explanation, const std::vector<std::string>& candidates,
                     std::size_t width);

/// One line of the facts, at most `width` columns.
std::string status_line(const StatusFacts& facts, const std::vector<std::string>& candidates,
                        std::size_t width);

/// The lines of the live view, each at most `width` columns. `unicode`: blocks for bars, else ASCII.
std::vector<std::string> status_block(const StatusFacts& facts, const std::vector<std::string>& candidates,
                                      std::size_t width, bool unicode);

/// Whether the locale's variables (LC_ALL, LC_CTYPE, LANG) name UTF-8.
bool locale_is_utf8();

class StatusView {
 public:
  /// `terminal`: keep a block of lines up to date; else print lines. `candidates` must outlive the view.
  StatusView(std::FILE* out, bool terminal, std::size_t width, const std::vector<std::string>& candidates);
  ~StatusView();
  StatusView(const StatusView&) = delete;
  StatusView& operator=(const StatusView&) = delete;

  /// Whether update() would do anything now; facts need not be gathered otherwise.
  bool due(const LoopStatus& loop) const;
  void update(const StatusFacts& facts);
  /// Takes the live lines off the terminal, before other output.
  void clear();

 private:
  std::FILE* out_;
  bool terminal_;
  std::size_t width_;
  const std::vector<std::string>& candidates_;
  std::size_t shown_ = 0;     ///< lines on the terminal
  double last_seconds_ = -1;  ///< of the last output
  double last_look_ = -1;     ///< of the last update()
  bool failed_ = false;       ///< a failure was told of
  std::pair<bisect::Kind, std::vector<bisect::TestIndex>> leader_{bisect::Kind::inconclusive, {}};
};

}  // namespace flakebisect::analyzer
