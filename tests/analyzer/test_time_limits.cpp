#include "analyzer/time_limits.h"

#include <catch2/catch.hpp>

using namespace flakebisect;
using analyzer::time_limits;

namespace {

analyzer::BisectCase case_of(double quick, double slow, double own) {
  analyzer::BisectCase facts;
  facts.victim = "victim";
  facts.candidates = {"quick", "slow", "unknown"};
  facts.candidate_facts = {{quick, true, 1}, {slow, true, 1}, {0, true, 1}};
  facts.longest_seconds = {quick, slow, 0};
  facts.victim_seconds = own;
  facts.victim_longest_seconds = own;
  return facts;
}

bisect::ProbeRequest request_with(const analyzer::TimeLimits& limits) {
  bisect::ProbeRequest request;
  request.test_limit_seconds = limits.test_seconds;
  request.own_test_limits = limits.own;
  return request;
}

}  // namespace

TEST_CASE("each test has the time limit of its own history") {
  const auto limits = time_limits(case_of(0.01, 12, 3), std::nullopt);
  const auto request = request_with(limits);
  CHECK(quiet_limit(request, "quick") == 30);  // not less: the machine may be slow
  CHECK(quiet_limit(request, "slow") == 240);
  CHECK(quiet_limit(request, "victim") == 60);
  CHECK(quiet_limit(request, "unknown") == 240);  // as the longest of all
  CHECK(quiet_limit(request, "") == 240);         // a fixture between two tests
  CHECK(limits.probe_seconds == 480);
}

TEST_CASE("a quick test has time for the fixtures that slow ones have paid for") {
  const auto limits = time_limits(case_of(0.01, 100, 0.5), std::nullopt);
  const auto request = request_with(limits);
  CHECK(quiet_limit(request, "quick") == 200);
  CHECK(quiet_limit(request, "slow") == 2000);
  CHECK(limits.probe_seconds == 4000);
}

TEST_CASE("without history every test has the general limit") {
  const auto request = request_with(time_limits(case_of(0, 0, 0), std::nullopt));
  CHECK(quiet_limit(request, "quick") == 60);
  CHECK(quiet_limit(request, "victim") == 60);
}

TEST_CASE("--test-timeout is the limit of every test") {
  const auto limits = time_limits(case_of(0.01, 100, 0.5), 7);
  const auto request = request_with(limits);
  CHECK(quiet_limit(request, "quick") == 7);
  CHECK(quiet_limit(request, "slow") == 7);
  CHECK(quiet_limit(request, "victim") == 7);
  CHECK(quiet_limit(request, "") == 7);
}

TEST_CASE("the longest durations survive a session's file; those of old sessions are the usual ones") {
  auto facts = case_of(0.01, 12, 3);
  facts.longest_seconds = {0.5, 40, 0};
  auto text = analyzer::case_to_json(facts);
  CHECK(analyzer::case_from_json(text).longest_seconds == facts.longest_seconds);
  for (auto at = text.find("longest_seconds\":"); at != std::string::npos;
       at = text.find("longest_seconds\":", at + 1)) {
    if (text[at - 1] == '"') text.replace(at, 7, "ancient");
  }
  CHECK(analyzer::case_from_json(text).longest_seconds == std::vector<double>{0.01, 12, 0});
}

TEST_CASE("a probe that repeats the victim has time for each of its runs") {
  const auto limits = time_limits(case_of(0.01, 12, 3), std::nullopt);
  CHECK(limits.of_probe(1) == limits.probe_seconds);
  CHECK(limits.of_probe(32) == limits.probe_seconds + 31 * 60);
  const auto unknown = time_limits(case_of(0.01, 12, 0), std::nullopt);
  CHECK(unknown.of_probe(3) == unknown.probe_seconds + 2 * 240);
  CHECK(analyzer::TimeLimits{}.of_probe(32) == 0);
}

TEST_CASE("how often a probe may run the victim survives a session's file; in old sessions it is once") {
  auto facts = case_of(0.01, 12, 3);
  facts.most_victim_runs = 32;
  auto text = analyzer::case_to_json(facts);
  CHECK(analyzer::case_from_json(text).most_victim_runs == 32);
  text.replace(text.find("most_victim_runs"), 4, "none");
  CHECK(analyzer::case_from_json(text).most_victim_runs == 1);
}
