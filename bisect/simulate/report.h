#pragma once

/// The results of a simulation as text and as JSON.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bisect/simulate/campaign.h"

namespace flakebisect::bisect::simulate {

/// One line for each kind and policy: verdicts, probes, machine seconds, and ours against it where both ran.
std::string results_text(const std::vector<Batch>& batches, const std::vector<BatchResult>& results);

/// Ours with jobs against ours with one probe at a time: each batch with jobs follows the same without.
std::string jobs_text(const std::vector<Batch>& batches, const std::vector<BatchResult>& results);
/// Batches of ours that differ in the asked confidence alone: claimed against reached.
std::string calibration_text(const std::vector<Batch>& batches, const std::vector<BatchResult>& results);

/// One object for each batch and policy, with its tally and every case. Times are seconds, shares are
/// probabilities. Processor times of choices, the only part that differs between runs, are left out.
nlohmann::json simulation_json(const std::vector<Batch>& batches, const std::vector<BatchResult>& results);

}  // namespace flakebisect::bisect::simulate
