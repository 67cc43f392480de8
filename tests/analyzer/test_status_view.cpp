#include <catch2/catch.hpp>

#include "analyzer/status_view.h"

using namespace flakebisect::analyzer;
using flakebisect::bisect::Kind;

TEST_CASE("seconds and probabilities read well") {
  CHECK(format_seconds(1.46) == "1.5 s");
  CHECK(format_seconds(59.4) == "59 s");
  CHECK(format_seconds(200) == "3 min 20 s");
  CHECK(format_seconds(7500) == "2 h 5 min");
  CHECK(format_probability(0.9721) == "97.2 %");
  CHECK(format_probability(1) == ">99.9 %");
  CHECK(format_probability(0) == "<0.1 %");
}

TEST_CASE("a status line fits the terminal and names the leaders") {
  const std::vector<std::string> candidates = {"tests.package.module.Class.test_polluter"};
  StatusFacts facts;
  facts.loop.probes = 12;
  facts.loop.failures = 3;
  facts.loop.elapsed_seconds = 41;
  facts.loop.slots = {{true, 75, 0.5, flakebisect::bisect::Purpose::search}};
  facts.leading = {{Kind::self, {}, 0.62}, {Kind::polluter, {0}, 0.21}, {Kind::brittle, {0}, 0.001}};
  CHECK(status_line(facts, candidates, 400) ==
        "12 probes, 3 failures, 41 s | fails on its own 62.0 %, after "
        "tests.package.module.Class.test_polluter 21.0 % | "
        "running 75 tests + the victim");
  const auto narrow = status_line(facts, candidates, 30);
  CHECK(narrow == "12 probes, 3 failures, 41 s |…");
}
