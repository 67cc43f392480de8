#include <catch2/catch.hpp>

#include "analyzer/report.h"
#include "analyzer/report_formats.h"
#include "analyzer/report_json.h"
#include "analyzer/report_text.h"
#include "analyzer/report_words.h"
#include "analyzer/sha256.h"
#include "report_samples.h"

using namespace flakebisect::analyzer;
using flakebisect::bisect::Kind;

TEST_CASE("runs for 95 percent follow from the rate") {
  CHECK(runs_for_95_percent(0.225) == 12);
  CHECK(runs_for_95_percent(1.0 / 30) == 89);
  CHECK(runs_for_95_percent(0.5) == 5);
  CHECK(runs_for_95_percent(0.95) == 1);
  CHECK(runs_for_95_percent(1) == 1);
  CHECK(runs_for_95_percent(0) == std::nullopt);
  CHECK(runs_for_95_percent(1e-9) == 2995732273U);
}

TEST_CASE("SHA-256 gives the standard's values") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_base64("") == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

TEST_CASE("a verdict is copied with names and what follows from it") {
  const auto report = report_samples::polluter();
  CHECK(report.verdict.tests == std::vector<std::string>{"shop.tests.test_orders.Test2.test_case_17"});
  CHECK(report.reproduce.tests ==
        std::vector<std::string>{"shop.tests.test_orders.Test2.test_case_17", report.victim});
  REQUIRE(report.exact_test);
  CHECK(report.exact_test->treatment == "culprits");
  CHECK(report.exact_test->control == "alone");
  // 4 of 11 against 0 of 8: C(11,4)/C(19,4) = 330/3876 and, at most as likely, no table of the other side.
  CHECK(report.exact_test->p == Approx((330.0 + 70.0) / 3876).epsilon(1e-9));
  Report missing;
  flakebisect::bisect::Verdict verdict;
  verdict.tests = {4};
  CHECK_THROWS_AS(fill_verdict(missing, verdict, 0.95), std::out_of_range);
}

TEST_CASE("tests that the report does not show count among those that it does not name") {
  auto report = report_samples::polluter();
  flakebisect::bisect::Verdict verdict;
  verdict.kind = Kind::polluter;
  verdict.tests = {17};
  verdict.probability = 0.96;
  verdict.confirmed = true;
  verdict.e_value = 30;
  verdict.alternatives = {{Kind::polluter, {17}, 0.99},
                          {Kind::self, {}, 0.004},
                          {Kind::polluter, {3}, 0.0006},
                          {Kind::polluter, {4}, 0.0001},
                          {Kind::polluter, {5}, 0.0001}};
  fill_verdict(report, verdict, 0.95);
  const auto text = render_text(report);
  CHECK(text.find("The 22 tests not named here") != std::string::npos);  // of 24: all but 17 and 3
  CHECK(text.find("together 0.5 %") != std::string::npos);
}

TEST_CASE("a fingerprint stays when the finding stays") {
  const auto report = report_samples::polluter();
  const auto first = fingerprint(report);
  CHECK(first.size() == 16);
  auto again = report;
  again.run_id = "1700";
  again.cost.probes = 3;
  again.seed = 99;
  again.arms.clear();
  again.verdict.probability = 0.96;
  CHECK(fingerprint(again) == first);
  for (auto change : {0, 1, 2, 3}) {
    auto other = report;
    if (change == 0) other.victim += "x";
    if (change == 1) other.verdict.kind = Kind::brittle;
    if (change == 2) other.verdict.tests.push_back("another");
    if (change == 3) other.failure.signature += "x";
    CHECK(fingerprint(other) != first);
  }
  auto set = report_samples::of_kind(Kind::polluter_set);
  const auto of_set = fingerprint(set);
  std::swap(set.verdict.tests[0], set.verdict.tests[1]);
  CHECK(fingerprint(set) == of_set);
}

TEST_CASE("JSON holds the whole report") {
  for (const auto& report :
       {report_samples::polluter(), report_samples::self(), report_samples::of_kind(Kind::inconclusive),
        report_samples::of_kind(Kind::brittle)}) {
    const auto text = render_json(report);
    const auto back = parse_report_json(text);
    CHECK(render_json(back) == text);
    CHECK(render_text(back) == render_text(report));
    CHECK(back.probes.size() == report.probes.size());
    CHECK(back.evolution.size() == report.evolution.size());
  }
  CHECK(report_samples::golden("polluter.json", render_json(report_samples::polluter())) ==
        render_json(report_samples::polluter()));
  // Bytes that are no UTF-8 do not make it invalid.
  const auto hostile = render_json(report_samples::hostile());
  CHECK(render_json(parse_report_json(hostile)) == hostile);
  CHECK(report_samples::golden("hostile.json", hostile) == hostile);
  for (const char c : hostile) CHECK((c == '\n' || (c >= 0x20 && c < 0x7f)));
}

TEST_CASE("JSON that is no report is refused with its place") {
  const std::string head = R"({"schema": "flakebisect/report/1", )";
  CHECK_THROWS_WITH(parse_report_json("{"), "report: this is not JSON");
  CHECK_THROWS_WITH(parse_report_json("[]"), Catch::Contains("not an object"));
  CHECK_THROWS_WITH(parse_report_json("{}"), Catch::Contains("schema 'none'"));
  CHECK_THROWS_WITH(parse_report_json(R"({"schema": "flakebisect/report/2"})"), Catch::Contains("report/2"));
  CHECK_THROWS_WITH(parse_report_json(head + R"("arms": [{"runs": "many"}]})"),
                    Catch::Contains("arms[0].runs"));
  CHECK_THROWS_WITH(parse_report_json(head + R"("arms": [{"interval": [1]}]})"), Catch::Contains("arms[0]"));
  CHECK_THROWS_WITH(parse_report_json(head + R"("arms": [{"runs": 1, "failures": 2}]})"),
                    Catch::Contains("more failures"));
  CHECK_THROWS_WITH(parse_report_json(head + R"("verdict": {"kind": "magic"}})"), Catch::Contains("magic"));
  CHECK_THROWS_WITH(
      parse_report_json(head + R"("candidate_tests": ["a"], "probes": [{"ran": "0-4294967295"}]})"),
      Catch::Contains("not there"));
  CHECK_THROWS_WITH(parse_report_json(head + R"("evolution": [{"probes": 1, "leading": [[0, 0.5]]}]})"),
                    Catch::Contains("evolution[0]"));
  CHECK_NOTHROW(parse_report_json(head + R"("new_field": {"a": [1]}, "victim": null})"));
}

TEST_CASE("several runs of the victim in a probe are said, and are no run of the reproduction") {
  auto report = report_samples::polluter();
  CHECK(render_json(report).find("victim_runs") == std::string::npos);
  CHECK(render_json(report).find("repeats") == std::string::npos);
  CHECK(cost_sentence(report).find("runs of the victim") == std::string::npos);
  report.probes = {
      {{17}, flakebisect::bisect::Outcome::fail, flakebisect::bisect::Purpose::search, 5, 7},
      {{17}, flakebisect::bisect::Outcome::pass, flakebisect::bisect::Purpose::search, 17.5, 32}};
  report.cost = {3, 1, 23, 23, 37};
  set_seconds_per_run(report);
  CHECK(report.reproduce.seconds_per_run == Approx(2));
  const auto text = render_json(report);
  const auto back = parse_report_json(text);
  CHECK(render_json(back) == text);
  REQUIRE(back.probes.size() == 2);
  CHECK(back.probes[1].victim_runs == 32);
  CHECK(cost_sentence(back) == "3 probes (1 void) with 39 runs of the victim in 23 s.");
  const auto page = render_html(back);
  CHECK(page.find("failed (run 7)") != std::string::npos);
  CHECK(page.find("passed (32 runs)") != std::string::npos);
  CHECK(page.find("1 of 2 failed (39 runs of the victim)") != std::string::npos);
  report.verdict.kind = Kind::not_reproduced;
  CHECK_THAT(plain(finding_sentence(report)),
             Catch::EndsWith("did not come back in 2 probes, in which the test ran 39 times."));
}

TEST_CASE("infinite numbers do not break JSON") {
  auto report = report_samples::self();
  report.verdict.e_value = std::numeric_limits<double>::infinity();
  report.cost.wall_seconds = std::numeric_limits<double>::quiet_NaN();
  const auto back = parse_report_json(render_json(report));
  CHECK(back.verdict.e_value > 1e299);
  CHECK(back.cost.wall_seconds == 0);
}
