#include "analyzer/analyze/run_codec.h"

#include <catch2/catch.hpp>

#include "stats/rng.h"

using namespace flakebisect::analyzer;
using flakebisect::stats::Rng;

namespace {

History random_run(Rng& rng, std::size_t results) {
  History history;
  std::int64_t clock = 1'700'000'000'000'000 + static_cast<std::int64_t>(rng.below(1'000'000'000));
  while (history.results.size() < results) {
    HistoryProcess process;
    process.worker = static_cast<std::uint32_t>(rng.below(5));
    process.generation = static_cast<std::uint32_t>(1 + rng.below(2));
    process.first = history.results.size();
    process.count = std::min<std::size_t>(1 + rng.below(20), results - history.results.size());
    for (std::size_t i = 0; i < process.count; ++i) {
      Result result;
      result.test = static_cast<std::uint32_t>(rng.below(100'000));
      result.ending = static_cast<Ending>(rng.below(5));
      // Clocks are turned back, and some results have no times.
      clock += static_cast<std::int64_t>(rng.below(2'000'000)) - 100'000;
      if (rng.bernoulli(0.9)) result.start_micros = clock;
      if (rng.bernoulli(0.9)) result.seconds = static_cast<float>(rng.below(1'000'000)) / 4096.0F;
      if (rng.bernoulli(0.3)) result.signature = static_cast<std::uint32_t>(rng.below(1'000'000));
      history.results.push_back(result);
    }
    history.processes.push_back(process);
  }
  return history;
}

}  // namespace

TEST_CASE("Runs come back from their bytes as they were") {
  Rng rng(1);
  for (int trial = 0; trial < 100; ++trial) {
    const History run = random_run(rng, rng.below(200));
    const auto bytes = encode_run(run.processes, run.results);
    History back = random_run(rng, 3);
    const auto processes = back.processes.size();
    const auto results = back.results.size();
    REQUIRE(decode_run(bytes, back) == run.processes.size());
    for (std::size_t p = 0; p < run.processes.size(); ++p) {
      const auto& found = back.processes[processes + p];
      CHECK(found.worker == run.processes[p].worker);
      CHECK(found.generation == run.processes[p].generation);
      CHECK(found.first == results + run.processes[p].first);
      CHECK(found.count == run.processes[p].count);
    }
    REQUIRE(back.results.size() == results + run.results.size());
    for (std::size_t i = 0; i < run.results.size(); ++i) {
      const auto& found = back.results[results + i];
      CHECK(found.test == run.results[i].test);
      CHECK(found.ending == run.results[i].ending);
      CHECK(found.signature == run.results[i].signature);
      CHECK(found.start_micros == run.results[i].start_micros);
      CHECK(found.seconds == Approx(run.results[i].seconds).margin(2e-6));
    }
  }
}

TEST_CASE("No damage to a run's bytes goes unnoticed") {
  Rng rng(2);
  const History run = random_run(rng, 60);
  const auto bytes = encode_run(run.processes, run.results);
  History untouched = random_run(rng, 5);
  const auto results = untouched.results.size();
  for (std::size_t length = 0; length < bytes.size(); ++length)
    CHECK_FALSE(decode_run(std::string_view(bytes).substr(0, length), untouched));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    auto damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ static_cast<char>(1 + rng.below(255)));
    CHECK_FALSE(decode_run(damaged, untouched));
  }
  CHECK(untouched.results.size() == results);
}

TEST_CASE("A usual result takes about eight bytes") {
  History run;
  run.processes.push_back({1, 1, 0, 500});
  Rng rng(3);
  std::int64_t clock = 1'700'000'000'000'000;
  for (std::uint32_t i = 0; i < 500; ++i) {
    Result result;
    result.test = 40 + i;
    result.ending = Ending::pass;
    result.start_micros = clock;
    result.seconds = static_cast<float>(rng.exponential() * 0.05);
    clock = result.stop_micros() + 20;
    run.results.push_back(result);
  }
  CHECK(encode_run(run.processes, run.results).size() < 500 * 8);
}
