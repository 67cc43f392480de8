#include "report_samples.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace flakebisect::analyzer;
using flakebisect::bisect::Kind;
using flakebisect::bisect::Outcome;
using flakebisect::bisect::Purpose;
using flakebisect::bisect::TestIndex;

namespace report_samples {

namespace {

std::vector<std::string> candidates(std::size_t number) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < number; ++i)
    ids.push_back("shop.tests.test_" + std::string(i < number / 2 ? "cart" : "orders") + ".Test" +
                  std::to_string(i / 6) + ".test_case_" + std::to_string(i));
  return ids;
}

Report base() {
  Report report;
  report.victim = "shop.tests.test_prices.TestPrices.test_total";
  report.run_id = "1615";
  report.worker = "worker-0";
  report.candidate_tests = candidates(24);
  report.position = 25;
  report.session = ".flakebisect/sessions.sqlite#3";
  report.seed = 7;
  report.version = "0.1.0";
  report.history = {40, 3};
  report.environment.host = "builder";
  report.environment.git_revision = "9cd9d45";
  report.environment.versions = {{"python", "3.11.2"}, {"testtools", "2.5.0"}};
  report.failure.signature = "AssertionError at shop/tests/test_prices.py: self.assertEqual(120, total())";
  report.failure.traceback =
      "Traceback (most recent call last):\n"
      "  File \"/src/shop/tests/test_prices.py\", line 31, in test_total\n"
      "    self.assertEqual(120, total())\n"
      "AssertionError: 120 != 100\n";
  return report;
}

/// Halving towards candidate 17, then confirmation, with outcomes fixed by hand.
void add_search(Report& report) {
  const TestIndex culprit = 17;
  struct Step {
    TestIndex first, last;
    Outcome outcome;
    double leader;
  };
  const Step steps[] = {{0, 11, Outcome::pass, 0.07},        {12, 23, Outcome::pass, 0.05},
                        {12, 23, Outcome::fail, 0.08},       {12, 17, Outcome::fail, 0.16},
                        {12, 14, Outcome::pass, 0.21},       {15, 17, Outcome::fail, 0.33},
                        {15, 16, Outcome::pass, 0.48},       {17, 17, Outcome::fail, 0.71},
                        {17, 17, Outcome::void_probe, 0.71}, {17, 17, Outcome::other_failure, 0.71},
                        {17, 17, Outcome::fail, 0.93}};
  std::uint64_t made = 0;
  add_posterior_step(
      report, 0, {{Kind::self, {}, 0.4}, {Kind::polluter, {culprit}, 0.025}, {Kind::polluter, {3}, 0.025}});
  const auto add = [&](std::vector<TestIndex> ran, Outcome outcome, Purpose purpose, double leader) {
    report.probes.push_back({std::move(ran), outcome, purpose, 1.5});
    add_posterior_step(report, ++made,
                       {{Kind::polluter, {culprit}, leader},
                        {Kind::self, {}, (1 - leader) * 0.4},
                        {Kind::polluter, {made < 6 ? TestIndex{16} : TestIndex{3}}, (1 - leader) * 0.3}});
  };
  for (const auto& step : steps) {
    std::vector<TestIndex> ran;
    for (TestIndex i = step.first; i <= step.last; ++i) ran.push_back(i);
    add(std::move(ran), step.outcome, Purpose::search, step.leader);
  }
  double leader = 0.93;
  for (int i = 0; i < 8; ++i) {
    leader += (0.997 - leader) / 3;
    add({culprit}, i % 4 == 0 ? Outcome::fail : Outcome::pass, Purpose::treatment, leader);
    add({}, Outcome::pass, Purpose::control, leader);
  }
}

}  // namespace

Report polluter() {
  auto report = base();
  add_search(report);
  flakebisect::bisect::Verdict verdict;
  verdict.kind = Kind::polluter;
  verdict.tests = {17};
  verdict.probability = 0.9971;
  verdict.confirmed = true;
  verdict.e_value = 61.7;
  verdict.alternatives = {
      {Kind::polluter, {17}, 0.9971}, {Kind::self, {}, 0.0012}, {Kind::polluter_set, {3, 17}, 0.0009}};
  verdict.arms = {{"alone", {}, 8, 0, 0, 0.0001, 0.26},
                  {"culprits", {17}, 11, 4, 4.0 / 11, 0.14, 0.65},
                  {"full",
                   {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23},
                   2,
                   1,
                   0.5,
                   0.06,
                   0.94}};
  verdict.cleaners = {20};
  verdict.reproduce = {17};
  verdict.reproduce_rate = 0.375;
  verdict.remarks = {"The failure rate varies from process to process."};
  fill_verdict(report, verdict, 0.95);
  report.cost = {27, 1, 40.5, 43.2};
  report.reproduce.command =
      "python3 -m testtools.run shop.tests.test_orders.Test2.test_case_17 "
      "shop.tests.test_prices.TestPrices.test_total";
  report.reproduce.seconds_per_run = 1.5;
  report.other_failures = {{"ConnectionError at shop/tests/test_prices.py: client.get(url)", 1,
                            "Traceback (most recent call last):\nConnectionError: refused\n"}};
  report.warnings = {"2 tests of the run to explain do not exist any more."};
  return report;
}

Report self() {
  auto report = base();
  flakebisect::bisect::Verdict verdict;
  verdict.kind = Kind::self;
  verdict.probability = 0.981;
  verdict.confirmed = true;
  verdict.e_value = 33.2;
  verdict.alternatives = {{Kind::self, {}, 0.981}, {Kind::polluter, {4}, 0.006}};
  verdict.arms = {{"alone", {}, 120, 4, 4.0 / 120, 0.011, 0.077}};
  verdict.reproduce_rate = 0.033;
  fill_verdict(report, verdict, 0.95);
  report.cost = {120, 0, 96, 96};
  report.reproduce.command = "python3 -m testtools.run shop.tests.test_prices.TestPrices.test_total";
  report.reproduce.seconds_per_run = 0.8;
  return report;
}

Report of_kind(Kind kind) {
  auto report = base();
  flakebisect::bisect::Verdict verdict;
  verdict.kind = kind;
  verdict.probability = 0.97;
  verdict.confirmed = kind != Kind::inconclusive && kind != Kind::not_reproduced;
  verdict.e_value = verdict.confirmed ? 25 : 0;
  if (kind == Kind::polluter || kind == Kind::brittle || kind == Kind::concurrent) verdict.tests = {5};
  if (kind == Kind::polluter_set) verdict.tests = {2, 5};
  verdict.alternatives = {{kind == Kind::inconclusive ? Kind::self : kind, verdict.tests, 0.62},
                          {kind == Kind::concurrent ? kind : Kind::polluter, {9}, 0.2}};
  if (kind == Kind::concurrent) {
    report.side_by_side = true;
    report.own_tests = {"shop.tests.test_stock.TestStock.test_empty"};
    verdict.reproduce = verdict.tests;
    verdict.remarks = {"the victim's worker alone did not show the failure in 30 runs"};
  }
  const flakebisect::bisect::Arm often{"", {}, 20, 12, 0.6, 0.38, 0.79};
  const flakebisect::bisect::Arm seldom{"", {}, 20, 1, 0.05, 0.01, 0.2};
  verdict.arms = {kind == Kind::brittle ? often : seldom};
  verdict.arms.back().name = "alone";
  if (!verdict.tests.empty()) {
    verdict.arms.push_back(kind == Kind::brittle ? seldom : often);
    verdict.arms.back().name = "culprits";
    verdict.arms.back().tests = verdict.tests;
  }
  if (kind == Kind::polluter_set) {
    verdict.arms.push_back({"culprits but no. 1", {5}, 9, 0, 0, 0, 0.24});
    verdict.arms.push_back({"culprits but no. 2", {2}, 7, 1, 1.0 / 7, 0.02, 0.5});
  }
  if (verdict.confirmed && kind != Kind::brittle) verdict.reproduce = verdict.tests;
  verdict.reproduce_rate = verdict.confirmed ? 0.6 : 0;
  fill_verdict(report, verdict, 0.95);
  if (!verdict.confirmed)
    report.verdict.abstains = "The budget of 30 min ended before any explanation reached 95 %.";
  report.cost = {44, 2, 60, 31};
  return report;
}

Report hostile() {
  // Each text carries a marker, so that tests can see that it arrived, and attempts at every format.
  const std::string attack =
      "T\x1b[2J\x1b]0;owned\x07|`a`|\"'<script>alert(1)</"
      "script><!--]]>{code}{noformat}*b*_i_{color:red}[x|http://e.example]"
      "\xe2\x80\xae"
      "desrever\xff\\n%0A::error::x,y:z \\\" -->\xc2\x9b"
      "31m @octocat #1 !image.png! ${HOME} $(id) \\";
  auto report = base();
  report.victim = attack + "\nid line 2\r\n# heading";
  report.candidate_tests = {attack + "0", "plain.test", attack + "2"};
  report.worker = attack;
  report.run_id = attack;
  report.session = attack;
  report.version = attack;
  report.environment.host = attack;
  report.environment.git_revision = attack;
  report.environment.versions = {{attack, attack}};
  report.warnings = {attack};
  flakebisect::bisect::Verdict verdict;
  verdict.kind = Kind::polluter;
  verdict.tests = {0};
  verdict.probability = 0.99;
  verdict.confirmed = true;
  verdict.e_value = 30;
  verdict.alternatives = {{Kind::polluter, {0}, 0.99}, {Kind::polluter_set, {0, 2}, 0.006}};
  verdict.arms = {{"alone", {}, 9, 0, 0, 0, 0.2},
                  {"culprits", {0}, 9, 5, 5.0 / 9, 0.26, 0.8},
                  {attack, {2}, 9, 5, 5.0 / 9, 0.26, 0.8}};
  verdict.cleaners = {2};
  verdict.reproduce = {0};
  verdict.reproduce_rate = 0.55;
  verdict.remarks = {attack};
  fill_verdict(report, verdict, 0.95);
  report.verdict.further_polluters = {{report.candidate_tests[2]}};
  report.reproduce.command = "run " + attack + "\n```\n~~~\n{code}\n{noformat}\n</pre>";
  report.failure.signature = attack;
  report.failure.traceback = attack + "\n```\n~~~~\n{code}\n{noformat}\n</details></pre></textarea>\n]]>\n" +
                             attack + "\n::error::x\n";
  report.other_failures = {{attack, 2, attack}};
  report.probes = {{{0, 1}, Outcome::fail, Purpose::search, 1}, {{2}, Outcome::pass, Purpose::search, 1}};
  report.cost = {2, 0, 2, 2};
  add_posterior_step(report, 0, {{Kind::polluter, {0}, 0.3}, {Kind::polluter_set, {0, 2}, 0.3}});
  add_posterior_step(report, 2, {{Kind::polluter, {0}, 0.99}});
  return report;
}

std::string golden(const std::string& name, const std::string& rendered) {
  const std::string path = std::string(TEST_DATA) + "/reports/" + name;
  if (const char* update = std::getenv("UPDATE_GOLDEN"); update != nullptr && std::string(update) == "1") {
    std::ofstream(path, std::ios::binary) << rendered;
    return rendered;
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return file ? text.str()
              : "(there is no " + path + ": run the tests once with UPDATE_GOLDEN=1 and read the file)";
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

}  // namespace report_samples
