#pragma once

/// What a user sees while probes run: one line kept up to date on a terminal, or plain lines on news and once
/// a minute elsewhere (CI logs). Written to standard error.

#include <cstdio>
#include <string>
#include <vector>

#include "analyzer/probe_loop.h"
#include "bisect/engine.h"

namespace flakebisect::analyzer {

/// Everything one line says.
struct StatusFacts {
  LoopStatus loop;
  std::vector<bisect::Explanation> leading;  ///< best first
  std::optional<double> seconds_left;        ///< estimate
};

/// "1.5 s", "42 s", "3 min 20 s", "2 h 5 min".
std::string format_seconds(double seconds);

/// "97.2 %", ">99.9 %", "<0.1 %": never 0 or 100.
std::string format_probability(double probability);

/// Words for an explanation: "fails on its own", "polluter tests.a.b", ... with ids shortened from the left
/// to `width` columns each (0: never).
std::string describe(const bisect::Explanation& explanation, const std::vector<std::string>& candidates,
                     std::size_t width);

/// One line of the facts, at most `width` columns.
std::string status_line(const StatusFacts& facts, const std::vector<std::string>& candidates,
                        std::size_t width);

class StatusView {
 public:
  /// `terminal`: keep one line up to date; else print lines. `candidates` must outlive the view.
  StatusView(std::FILE* out, bool terminal, std::size_t width, const std::vector<std::string>& candidates);
  ~StatusView();
  StatusView(const StatusView&) = delete;
  StatusView& operator=(const StatusView&) = delete;

  /// Whether update() would do anything now; facts need not be gathered otherwise.
  bool due(const LoopStatus& loop) const;
  void update(const StatusFacts& facts);
  /// Takes the live line off the terminal, before other output.
  void clear();

 private:
  std::FILE* out_;
  bool terminal_;
  std::size_t width_;
  const std::vector<std::string>& candidates_;
  bool shown_ = false;
  double last_seconds_ = -1;
  std::uint64_t last_failures_ = 0;
  std::uint64_t last_probes_ = 0;
};

}  // namespace flakebisect::analyzer
