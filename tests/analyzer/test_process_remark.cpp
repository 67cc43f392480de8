#include "analyzer/process_remark.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <vector>

using flakebisect::analyzer::process_remark;
using flakebisect::bisect::Kind;
using flakebisect::bisect::Observation;
using flakebisect::bisect::Outcome;
using flakebisect::bisect::Source;
using flakebisect::bisect::Verdict;

namespace {

Observation seen(std::uint64_t process, bool failed, std::vector<std::uint32_t> ran = {}) {
  Observation observation;
  observation.process = process;
  observation.outcome = failed ? Outcome::fail : Outcome::pass;
  observation.ran = std::move(ran);
  return observation;
}

}  // namespace

TEST_CASE("a failure that belongs to some processes is said to vary by process", "[process-remark]") {
  std::vector<Observation> observations;
  for (std::uint64_t process = 1; process <= 5; ++process)
    for (int run = 0; run < 6; ++run) observations.push_back(seen(process, process % 2 == 0));
  const auto remark = process_remark(observations, Verdict{});
  REQUIRE(remark);
  CHECK_THAT(*remark, Catch::Matchers::Contains("2 of the 5 test server processes"));
  CHECK_THAT(*remark, Catch::Matchers::Contains("PYTHONHASHSEED"));
  // The same outcomes in processes of their own, or as history, say nothing about processes.
  for (auto& observation : observations) observation.process = 0;
  CHECK_FALSE(process_remark(observations, Verdict{}));
  for (std::size_t i = 0; i < observations.size(); ++i) {
    observations[i].process = 1 + i / 6;
    observations[i].source = Source::history;
  }
  CHECK_FALSE(process_remark(observations, Verdict{}));
}

TEST_CASE("what the verdict explains is no spread between processes", "[process-remark]") {
  // The polluter ran in the probes of two processes only; where it ran, the victim failed.
  std::vector<Observation> observations;
  for (std::uint64_t process = 1; process <= 5; ++process)
    for (int run = 0; run < 6; ++run)
      observations.push_back(process % 2 == 0 ? seen(process, true, {3, 7}) : seen(process, false, {3}));
  Verdict verdict;
  verdict.kind = Kind::polluter;
  verdict.tests = {7};
  CHECK_FALSE(process_remark(observations, verdict));
  verdict.tests = {3};
  CHECK(process_remark(observations, verdict));
  verdict.kind = Kind::brittle;
  verdict.tests = {3};
  CHECK_FALSE(process_remark(observations, verdict));
}
