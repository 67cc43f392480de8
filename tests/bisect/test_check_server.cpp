#include <catch2/catch.hpp>
#include <map>

#include "bisect/check_server.h"
#include "rpc_test_tools.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;

namespace {

using Ids = std::vector<std::string>;

/// Tests whose isolation shows: the one fails where the other ran before it in its process.
const char* const kCheckedTests = "suite.a_pass suite.b_pollute suite.e_victim";

CheckReport check(const std::string& mode, const std::string& tests = kCheckedTests, double reply_limit = 60,
                  std::vector<std::string> only = {}) {
  CheckOptions options;
  options.reply_limit_seconds = reply_limit;
  options.exit_limit_seconds = reply_limit;
  options.only = std::move(only);
  return check_server(
      fmt::format("exec {} -S {}/servers/tiny_server.py {} {}", FLAKEBISECT_PYTHON, TEST_DATA, mode, tests),
      options);
}

std::vector<std::string> with(const CheckReport& report, CheckOutcome outcome) {
  std::vector<std::string> ids;
  for (const auto& one : report.requirements) {
    if (one.outcome != outcome) continue;
    ids.push_back(one.id);
    UNSCOPED_INFO(one.id << ": " << one.why);
  }
  return ids;
}

}  // namespace

TEST_CASE("a good server passes every requirement", "[check-server]") {
  const std::string mode = GENERATE("repeats", "good", "good_noisy", "good_routed");
  INFO(mode);
  const CheckReport report = check(mode);
  CHECK(with(report, CheckOutcome::failed).empty());
  Ids missing = with(report, CheckOutcome::not_offered);
  if (missing[0] == "run.meanwhile")
    missing.erase(missing.begin());  // the tests may be over before the List is read
  CHECK(missing == (mode == "repeats" ? Ids{"refuse.feature"} : Ids{"refuse.feature", "repeat"}));
  CHECK(report.conforms());
  CHECK(report.version == 2);
  CHECK(report.server == "tiny_server 1.0");
  CHECK(report.features == (mode == "repeats" ? Ids{"ordered", "isolated", "cancel", "repeat"}
                                              : Ids{"ordered", "isolated", "cancel"}));
}

TEST_CASE("what a server may leave out is not offered, and no failure", "[check-server]") {
  const CheckReport old = check("inline");
  CHECK(with(old, CheckOutcome::failed).empty());
  CHECK(with(old, CheckOutcome::not_offered) == Ids{"run.meanwhile", "refuse.feature", "refuse.whole",
                                                    "ordered", "isolated.state", "isolated.again", "repeat",
                                                    "cancel", "cancel.unknown"});
  CHECK(old.version == 1);
  CHECK(old.conforms());
  const CheckReport plain = check("ordered");
  CHECK(with(plain, CheckOutcome::failed).empty());
  Ids missing = with(plain, CheckOutcome::not_offered);
  if (missing[0] == "run.meanwhile")
    missing.erase(missing.begin());  // the tests may be over before the List is read
  CHECK(missing == Ids{"isolated.state", "isolated.again", "repeat", "cancel", "cancel.unknown"});
  const CheckReport newer = check("rejects_old");
  CHECK(with(newer, CheckOutcome::failed).empty());
  CHECK(with(newer, CheckOutcome::not_offered)[0] == "hello.version-1");
}

TEST_CASE("what is no server fails the first requirement and skips the rest", "[check-server]") {
  const std::string mode = GENERATE("dies_at_once", "text", "old_program", "v7");
  INFO(mode);
  const CheckReport report = check(mode);
  CHECK_FALSE(report.answered_hello);
  CHECK_FALSE(report.conforms());
  CHECK(with(report, CheckOutcome::failed) == Ids{"hello.answer"});
  CHECK(report.count(CheckOutcome::skipped) + 1 == report.requirements.size());
  if (mode == "dies_at_once") {
    CHECK(report.requirements[0].why == "no Hello came: the server exited with status 3");
    CHECK_THAT(report.error_tail, Catch::Matchers::Contains("cannot find my tests"));
  }
}

TEST_CASE("a broken server fails the right requirement", "[check-server]") {
  // For each kind: a requirement that must fail, and whether it must be the only one.
  struct Broken {
    const char* mode;
    const char* id;
    bool alone;
    double limit;
  };
  const auto broken = GENERATE(
      Broken{"runs_extra", "run.one", false, 60}, Broken{"runs_all", "run.one", false, 60},
      Broken{"forgets_victim", "run.one", false, 60}, Broken{"garbage", "run.one", false, 60},
      Broken{"reorders", "ordered", true, 60}, Broken{"shares_process", "isolated.state", true, 60},
      Broken{"leaks_state", "isolated.state", true, 60}, Broken{"done_twice", "done.once", true, 60},
      Broken{"repeats_twice", "repeat", true, 60}, Broken{"repeats_on", "repeat", true, 60},
      Broken{"repeats_each", "repeat", true, 60}, Broken{"repeats_in_silence", "repeat", true, 60},
      Broken{"wrong_nonce", "list.all", false, 0.5}, Broken{"drops_unknown", "ignore.messages", false, 60},
      Broken{"lists_unasked", "list.some", false, 60},
      Broken{"accepts_unknown_test", "run.unknown", false, 60},
      Broken{"answers_goodbye", "end.goodbye", true, 60}, Broken{"ignores_goodbye", "end.goodbye", false, 2},
      Broken{"ignores_end", "end.input", false, 2}, Broken{"leaves_child", "end.goodbye", false, 60});
  INFO(broken.mode);
  const CheckReport report =
      check(broken.mode, kCheckedTests, broken.limit, broken.alone ? Ids{} : Ids{broken.id});
  CHECK(report.answered_hello);
  CHECK_FALSE(report.conforms());
  const Ids failed = with(report, CheckOutcome::failed);
  CHECK_THAT(failed, Catch::Matchers::VectorContains(std::string(broken.id)));
  if (broken.alone) CHECK(failed == Ids{broken.id});
  for (const auto& one : report.requirements) {
    if (one.outcome != CheckOutcome::failed) continue;
    CHECK_FALSE(one.why.empty());
    if (one.id != "done.once") CHECK_FALSE(one.sent.empty());
  }
}

TEST_CASE("how often a test ran is looked at with every kind of test", "[check-server]") {
  const auto repeat = [](const std::string& mode, const std::string& tests) {
    const CheckReport report = check(mode, tests, 60, {"repeat"});
    REQUIRE(report.requirements.size() == 2);
    return report.requirements[1];
  };
  const std::string mode = GENERATE("repeats", "repeats_in_one");
  INFO(mode);
  CHECK(repeat(mode, "suite.a_pass").outcome == CheckOutcome::passed);
  CHECK(repeat(mode, "suite.a_pass suite.v_later_fail").outcome == CheckOutcome::passed);
  CHECK(repeat(mode, "suite.v_skip suite.a_pass suite.b_fail").outcome == CheckOutcome::passed);
  const CheckedRequirement none = repeat(mode, "suite.v_skip suite.b_fail");
  CHECK(none.outcome == CheckOutcome::not_offered);
  CHECK(none.why == "it takes a test that passes to try");
  CHECK(repeat("repeats_twice", "suite.a_pass suite.c_pass").why ==
        "suite.c_pass was to run 3 times, as long as it passes, and ran 2 times");
  CHECK(repeat("repeats_on", "suite.a_pass suite.b_fail").why ==
        "suite.b_fail ran again after it did not pass");
  CHECK(repeat("repeats_each", "suite.a_pass suite.c_pass").why ==
        "suite.a_pass is not the last test and ran 3 times");
  CHECK(repeat("repeats_in_silence", "suite.a_pass").why ==
        "the packets of suite.a_pass: 1 with inprogress, 3 with a final status");
}

TEST_CASE("a Cancel that is not obeyed is noticed where a test is long", "[check-server]") {
  CHECK(check("good", "suite.x_stuck", 60, {"cancel"}).conforms());
  CHECK(with(check("deaf_to_cancel", "suite.x_stuck", 1, {"cancel"}), CheckOutcome::failed) == Ids{"cancel"});
  CHECK_THROWS_AS(check("good", "suite.a_pass", 1, {"cansel"}), std::invalid_argument);
}
