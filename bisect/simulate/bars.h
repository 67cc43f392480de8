#pragma once

/// The benchmark that ships with the project: the seven bars that the search is held to, each with the figure
/// reached and with the peers' policies beside it, in one run. docs/simulation.md defines them.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bisect/simulate/campaign.h"

namespace flakebisect::bisect::simulate {

/// One line of a bar.
struct BarRow {
  std::string what;
  std::string figure;              ///< ours, with its interval or counts
  std::string limit;               ///< "at most 5 %"; empty where the row is only shown
  bool holds = true;               ///< true where it is only shown
  std::vector<std::string> peers;  ///< as in Bar::peer_names
};

struct Bar {
  int number = 0;
  std::string title;
  std::vector<std::string> peer_names;
  std::vector<BarRow> rows;
  bool holds() const;
};

struct BarsOptions {
  std::uint64_t cases = 200;  ///< of each kind
  bool smoke = false;         ///< 4 small cases of each kind
  CampaignOptions campaign;
};

struct BarsResult {
  std::vector<Bar> bars;
  std::uint64_t engine_errors = 0;  ///< cases in which the engine threw
  bool hold() const;
};

/// Runs all of it. `details`, where not null, receives every result in the form of simulation_json().
BarsResult run_bars(const BarsOptions& options, nlohmann::json* details);

/// As text: a table for each bar and a last line that says which hold.
std::string bars_text(const BarsResult& result);
nlohmann::json bars_json(const BarsResult& result);

}  // namespace flakebisect::bisect::simulate
