#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "bisect/concurrent_runner.h"

using namespace flakebisect::bisect;

namespace {

using Lists = std::vector<std::vector<std::string>>;

std::vector<std::string> list_of(const ProbeRequest& request) {
  auto list = request.before;
  list.push_back(request.victim);
  return list;
}

/// Where the runners of one probe meet: the victim's waits until the others have run so many rounds.
struct Meeting {
  std::mutex mutex;
  std::condition_variable changed;
  int rounds = 0;
  Lists beside;
  std::uint32_t most_runs_beside = 0;  ///< asked for of the last test of a list
  double victim_stop_time = 0;
};

/// The victim's worker: fails where the rounds it waits for contained the culprit.
class OwnRunner final : public Runner {
 public:
  OwnRunner(Meeting& meeting, int wait_for) : meeting_(meeting), wait_for_(wait_for) {}
  ProbeResult run(const ProbeRequest& request, const std::atomic<bool>&) override {
    lists.push_back(list_of(request));
    victim_runs = request.victim_runs;
    std::unique_lock lock(meeting_.mutex);
    meeting_.changed.wait(lock, [&] { return meeting_.rounds >= wait_for_; });
    ProbeResult result;
    result.end = VictimEnd::fail;
    for (const auto& test : request.before) result.ran.push_back({test, "success", 0.1});
    result.victim_seconds = 0.1;
    result.wall_seconds = 1;
    return result;
  }
  std::string reproduction_command(const std::vector<std::string>&) const override { return "true own"; }
  std::string description() const override { return "own"; }
  Lists lists;
  std::uint32_t victim_runs = 0;  ///< as asked for

 private:
  Meeting& meeting_;
  int wait_for_;
};

/// Another worker: one round ends at once, a later one lasts until it is cancelled.
class OtherRunner final : public Runner {
 public:
  explicit OtherRunner(Meeting& meeting, int quick_rounds = 2) : meeting_(meeting), quick_(quick_rounds) {}
  ProbeResult run(const ProbeRequest& request, const std::atomic<bool>& cancel) override {
    const bool last = quick_-- <= 0;
    {
      std::lock_guard lock(meeting_.mutex);
      ++meeting_.rounds;
      meeting_.beside.push_back(list_of(request));
      meeting_.most_runs_beside = std::max(meeting_.most_runs_beside, request.victim_runs);
    }
    meeting_.changed.notify_all();
    ProbeResult result;
    if (!last) {
      result.end = VictimEnd::pass;
      for (const auto& test : request.before) result.ran.push_back({test, "success", 0.1});
      return result;
    }
    while (!cancel) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    result.void_reason = "cancelled";
    return result;
  }
  std::string reproduction_command(const std::vector<std::string>&) const override { return "true other"; }
  std::string description() const override { return "other"; }

 private:
  Meeting& meeting_;
  int quick_;
};

/// Another worker whose list is in the middle of something when the victim ends.
class BusyRunner final : public Runner {
 public:
  BusyRunner(Meeting& meeting, bool& was_cut) : meeting_(meeting), was_cut_(was_cut) {}
  ProbeResult run(const ProbeRequest&, const std::atomic<bool>& cancel) override {
    {
      std::lock_guard lock(meeting_.mutex);
      ++meeting_.rounds;
    }
    meeting_.changed.notify_all();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    was_cut_ = was_cut_ || cancel;
    ProbeResult result;
    result.end = VictimEnd::pass;
    return result;
  }
  std::string reproduction_command(const std::vector<std::string>&) const override { return ""; }
  std::string description() const override { return ""; }

 private:
  Meeting& meeting_;
  bool& was_cut_;
};

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// The victim's worker: ends once the other has begun its first test, and says when.
class TimedOwnRunner final : public Runner {
 public:
  explicit TimedOwnRunner(Meeting& meeting) : meeting_(meeting) {}
  ProbeResult run(const ProbeRequest&, const std::atomic<bool>&) override {
    std::unique_lock lock(meeting_.mutex);
    meeting_.changed.wait(lock, [&] { return meeting_.rounds >= 1; });
    ProbeResult result;
    result.end = VictimEnd::pass;
    result.victim_stop_time = meeting_.victim_stop_time = now_seconds();
    meeting_.changed.notify_all();
    return result;
  }
  std::string reproduction_command(const std::vector<std::string>&) const override { return ""; }
  std::string description() const override { return ""; }

 private:
  Meeting& meeting_;
};

/// Another worker that begins its first test before the victim's end and the others behind it. `told`: what
/// its stream says of such a time.
class TimedOtherRunner final : public Runner {
 public:
  TimedOtherRunner(Meeting& meeting, std::function<std::optional<double>(double)> told)
      : meeting_(meeting), told_(std::move(told)) {}
  ProbeResult run(const ProbeRequest& request, const std::atomic<bool>&) override {
    ProbeResult result;
    result.end = VictimEnd::pass;
    result.ran.push_back({request.before.front(), "success", 0.1, told_(now_seconds())});
    std::unique_lock lock(meeting_.mutex);
    ++meeting_.rounds;
    meeting_.changed.notify_all();
    meeting_.changed.wait(lock, [&] { return meeting_.victim_stop_time > 0; });
    // The clock has to go on by a tick.
    while (now_seconds() <= meeting_.victim_stop_time) std::this_thread::yield();
    result.victim_start_time = told_(now_seconds());
    return result;
  }
  std::string reproduction_command(const std::vector<std::string>&) const override { return ""; }
  std::string description() const override { return ""; }

 private:
  Meeting& meeting_;
  std::function<std::optional<double>(double)> told_;
};

/// Cannot run; where there is a meeting, that counts as a hundred rounds.
class BrokenRunner final : public Runner {
 public:
  explicit BrokenRunner(Meeting* meeting = nullptr) : meeting_(meeting) {}
  ProbeResult run(const ProbeRequest&, const std::atomic<bool>&) override {
    if (meeting_ != nullptr) {
      {
        std::lock_guard lock(meeting_->mutex);
        meeting_->rounds += 100;
      }
      meeting_->changed.notify_all();
    }
    throw CannotRun("no such command");
  }
  std::string reproduction_command(const std::vector<std::string>&) const override { return ""; }
  std::string description() const override { return ""; }

 private:
  Meeting* meeting_;
};

ConcurrentOptions two_workers() {
  ConcurrentOptions options;
  options.own = {"own.a", "own.b"};
  options.others = {
      {"x.1", 0, 0.1, std::nullopt}, {"y.1", 1, 0.1, std::nullopt}, {"x.2", 0, 0.1, std::nullopt}};
  return options;
}

ProbeRequest request(std::vector<std::string> before) {
  ProbeRequest asked;
  asked.before = std::move(before);
  asked.victim = "victim";
  return asked;
}

}  // namespace

TEST_CASE("each other worker runs its tests over and over until the victim has ended") {
  Meeting meeting;
  auto own = std::make_unique<OwnRunner>(meeting, 3);
  const auto& seen = *own;
  std::vector<std::unique_ptr<Runner>> beside;
  beside.push_back(std::make_unique<OtherRunner>(meeting));
  beside.push_back(std::make_unique<OtherRunner>(meeting, 99));
  ConcurrentRunner runner(two_workers(), std::move(own), std::move(beside));
  const std::atomic<bool> cancel{false};

  ProbeRequest asked = request({"x.1", "x.2"});
  asked.victim_runs = 20;
  const auto result = runner.run(asked, cancel);
  CHECK(seen.victim_runs == 1);
  CHECK(meeting.most_runs_beside == 1);
  CHECK(seen.lists == Lists{{"own.a", "own.b", "victim"}});
  REQUIRE(meeting.beside.size() >= 3);
  for (const auto& list : meeting.beside) CHECK(list == std::vector<std::string>{"x.1", "x.2"});
  CHECK(result.end == VictimEnd::fail);
  // What ran is told of the other workers, not of the victim's own list.
  REQUIRE(result.ran.size() == 2);
  CHECK(result.ran[0].id == "x.1");
  CHECK(result.ran[1].id == "x.2");
}

TEST_CASE("a list that runs when the victim has ended comes to its end") {
  Meeting meeting;
  bool was_cut = false;
  std::vector<std::unique_ptr<Runner>> beside;
  beside.push_back(std::make_unique<BusyRunner>(meeting, was_cut));
  beside.push_back(std::make_unique<BrokenRunner>());
  ConcurrentRunner runner(two_workers(), std::make_unique<OwnRunner>(meeting, 1), std::move(beside));
  const auto result = runner.run(request({"x.2"}), std::atomic<bool>{false});
  CHECK_FALSE(was_cut);
  REQUIRE(result.ran.size() == 1);
  CHECK(result.ran[0].id == "x.2");
}

TEST_CASE("a test that starts behind the victim's result did not run beside it") {
  Meeting meeting;
  std::vector<std::unique_ptr<Runner>> beside;
  SECTION("as the streams say") {
    beside.push_back(std::make_unique<TimedOtherRunner>(meeting, [](double time) { return time; }));
    beside.push_back(std::make_unique<BrokenRunner>());
    ConcurrentRunner runner(two_workers(), std::make_unique<TimedOwnRunner>(meeting), std::move(beside));
    const auto result = runner.run(request({"x.1", "x.2"}), std::atomic<bool>{false});
    REQUIRE(result.ran.size() == 1);
    CHECK(result.ran[0].id == "x.1");
  }
  SECTION("where the streams say nothing, or what cannot be, it counts") {
    const bool silent = GENERATE(true, false);
    beside.push_back(std::make_unique<TimedOtherRunner>(
        meeting, [silent](double time) { return silent ? std::nullopt : std::optional(time + 1e6); }));
    beside.push_back(std::make_unique<BrokenRunner>());
    ConcurrentRunner runner(two_workers(), std::make_unique<TimedOwnRunner>(meeting), std::move(beside));
    const auto result = runner.run(request({"x.1", "x.2"}), std::atomic<bool>{false});
    CHECK(result.ran.size() == 2);
  }
}

TEST_CASE("without tests of other workers the victim's worker runs alone") {
  Meeting meeting;
  std::vector<std::unique_ptr<Runner>> beside;
  beside.push_back(std::make_unique<BrokenRunner>());
  beside.push_back(std::make_unique<BrokenRunner>());
  ConcurrentRunner runner(two_workers(), std::make_unique<OwnRunner>(meeting, 0), std::move(beside));
  const auto result = runner.run(request({}), std::atomic<bool>{false});
  CHECK(result.end == VictimEnd::fail);
  CHECK(result.ran.empty());
}

TEST_CASE("a worker that cannot run at all is an error, not an idle neighbour") {
  Meeting meeting;
  std::vector<std::unique_ptr<Runner>> beside;
  beside.push_back(std::make_unique<OtherRunner>(meeting));
  beside.push_back(std::make_unique<BrokenRunner>(&meeting));
  ConcurrentRunner runner(two_workers(), std::make_unique<OwnRunner>(meeting, 100), std::move(beside));
  CHECK_THROWS_AS(runner.run(request({"x.1", "y.1"}), std::atomic<bool>{false}), CannotRun);
}

TEST_CASE("the reproduction names both sides and ends what it started") {
  Meeting meeting;
  std::vector<std::unique_ptr<Runner>> beside;
  beside.push_back(std::make_unique<OtherRunner>(meeting));
  beside.push_back(std::make_unique<OtherRunner>(meeting));
  ConcurrentRunner runner(two_workers(), std::make_unique<OwnRunner>(meeting, 0), std::move(beside));
  const auto command = runner.reproduction_command({"y.1", "victim"});
  CHECK(command.find("true own") != std::string::npos);
  CHECK(command.find("true other") != std::string::npos);
  CHECK(command.find("while") == command.rfind("while"));  // one other worker has a test among them
  CHECK(command.find("\nwait\n") != std::string::npos);
}
