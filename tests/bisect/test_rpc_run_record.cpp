#include <catch2/catch.hpp>

#include "bisect/rpc_run_record.h"

using namespace flakebisect::bisect;
using flakebisect::repo_reader::Status;
using flakebisect::repo_reader::Timestamp;

namespace {

/// A record of "a", then the victim "v", fed with one packet after another. Each packet comes a second after
/// the one before it, the first at second 1.
class Fed {
 public:
  explicit Fed(std::uint32_t victim_runs, bool unexpected_success_fails = false)
      : record({"a"}, "v", unexpected_success_fails, victim_runs) {}

  Fed& status(const std::string& id, Status status) {
    ChannelEvent event;
    event.test_id = id;
    event.status = status;
    event.runnable = true;
    event.timestamp = Timestamp{++seconds_ * 1000000};
    record.on_event(event);
    return *this;
  }
  Fed& file(const std::string& id, const std::string& name, const std::string& text) {
    ChannelEvent event;
    event.test_id = id;
    event.file_name = name;
    event.mime_type = "text/plain";
    event.file_bytes = text;
    record.on_event(event);
    return *this;
  }
  /// One run of a test: its start and its end.
  Fed& run(const std::string& id, Status end) { return status(id, Status::inprogress).status(id, end); }

  ProbeResult result() const {
    ProbeResult filled;
    record.fill(filled);
    return filled;
  }

  RpcRunRecord record;

 private:
  std::int64_t seconds_ = 0;
};

}  // namespace

TEST_CASE("a victim that is asked for once is finished with its first result") {
  Fed fed(1);
  fed.run("a", Status::success).status("v", Status::inprogress);
  CHECK_FALSE(fed.record.victim_finished());
  CHECK(fed.result().end == VictimEnd::void_probe);
  CHECK(fed.result().victim_runs == 0);
  fed.status("v", Status::success);
  CHECK(fed.record.victim_finished());
  CHECK(fed.record.all_finished());
  CHECK(fed.result().end == VictimEnd::pass);
  CHECK(fed.result().victim_runs == 1);
  // It runs again although nobody asked: the first result counts.
  fed.status("v", Status::inprogress).file("v", "traceback", "late").status("v", Status::fail);
  CHECK(fed.result().end == VictimEnd::pass);
  CHECK(fed.result().victim_runs == 1);
  CHECK_FALSE(fed.record.running());
}

TEST_CASE("a victim that passes each time is finished with the last run that was asked for") {
  Fed fed(3);
  fed.run("a", Status::success).run("v", Status::success).run("v", Status::xfail);
  CHECK_FALSE(fed.record.victim_finished());
  CHECK_FALSE(fed.record.all_finished());
  CHECK(fed.result().end == VictimEnd::void_probe);
  CHECK(fed.result().victim_runs == 0);
  fed.status("v", Status::inprogress);
  CHECK(fed.record.running() == "v");
  CHECK(fed.record.victim_results() == 2);
  fed.status("v", Status::success);
  CHECK_FALSE(fed.record.running());
  CHECK(fed.record.victim_finished());
  CHECK(fed.record.all_finished());
  const ProbeResult result = fed.result();
  CHECK(result.end == VictimEnd::pass);
  CHECK(result.victim_runs == 3);
  CHECK(result.traceback.empty());
  // The times are those of the first run.
  CHECK(result.victim_seconds == 1.0);
  CHECK(result.victim_start_time == 3.0);
  CHECK(result.victim_stop_time == 4.0);
  REQUIRE(result.ran.size() == 1);
  CHECK(result.ran[0].id == "a");
  CHECK(fed.record.unasked().empty());
  CHECK(fed.record.in_order());
}

TEST_CASE("the first failure is the last run, and its text is of that run alone") {
  Fed fed(5);
  fed.run("a", Status::success);
  fed.status("v", Status::inprogress).file("v", "traceback", "expected").status("v", Status::xfail);
  fed.file("v", "log", "after the first run");
  fed.status("v", Status::inprogress).file("v", "log", "chatter").file("v", "traceback", "un");
  fed.file("v", "traceback", "expected").status("v", Status::fail);
  CHECK(fed.record.victim_finished());
  CHECK(fed.record.all_finished());
  ProbeResult result = fed.result();
  CHECK(result.end == VictimEnd::fail);
  CHECK(result.victim_runs == 2);
  CHECK(result.traceback == "unexpected");
  CHECK(result.victim_stop_time == 4.0);
  // A server that goes on changes nothing.
  fed.status("v", Status::inprogress).file("v", "traceback", "more").status("v", Status::success);
  result = fed.result();
  CHECK(result.end == VictimEnd::fail);
  CHECK(result.victim_runs == 2);
  CHECK(result.traceback == "unexpected");
}

TEST_CASE("an unexpected success ends the runs and counts as it is told to") {
  for (const bool fails : {false, true}) {
    Fed fed(5, fails);
    fed.run("v", Status::success).run("v", Status::uxsuccess);
    CHECK(fed.record.victim_finished());
    CHECK(fed.result().end == (fails ? VictimEnd::fail : VictimEnd::pass));
    CHECK(fed.result().victim_runs == 2);
  }
}

TEST_CASE("a skip is void at the first run, and later leaves the runs before it") {
  Fed first(3);
  first.run("v", Status::skip);
  CHECK(first.record.victim_finished());
  CHECK(first.result().end == VictimEnd::void_probe);
  CHECK(first.result().void_reason == "the victim was skipped");
  CHECK(first.result().victim_runs == 0);
  Fed later(5);
  later.run("v", Status::success).run("v", Status::success).run("v", Status::skip);
  CHECK(later.record.victim_finished());
  CHECK(later.result().end == VictimEnd::pass);
  CHECK(later.result().victim_runs == 2);
  CHECK(later.result().void_reason.empty());
}

TEST_CASE("a request that ends early leaves the runs that passed") {
  Fed fed(5);
  fed.run("a", Status::success).run("v", Status::success);
  SECTION("between two runs") {
    fed.run("v", Status::success);
    fed.record.on_done(GENERATE(DoneStatus::ok, DoneStatus::cancelled, DoneStatus::error));
    CHECK(fed.result().victim_runs == 2);
  }
  SECTION("in the middle of one, without an error") {
    fed.status("v", Status::inprogress);
    fed.record.on_done(DoneStatus::ok);
    CHECK(fed.result().victim_runs == 1);
  }
  CHECK(fed.record.victim_finished());
  CHECK(fed.record.all_finished());
  CHECK(fed.result().end == VictimEnd::pass);
}

TEST_CASE("an error in the middle of a run leaves the victim unfinished") {
  Fed fed(5);
  fed.run("v", Status::success).status("v", Status::inprogress);
  fed.record.on_done(DoneStatus::error);
  CHECK_FALSE(fed.record.victim_finished());
  CHECK(fed.record.running() == "v");
  CHECK(fed.record.victim_results() == 1);
  Fed none(5);
  none.run("a", Status::success);
  none.record.on_done(DoneStatus::ok);
  CHECK_FALSE(none.record.victim_finished());
}
