#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>

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
  CHECK(count_words(flakebisect::bisect::Outcome::pass, 1).empty());
  CHECK(count_words(flakebisect::bisect::Outcome::pass, 32) == " (32 runs)");
  CHECK(count_words(flakebisect::bisect::Outcome::fail, 7) == " (run 7)");
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
  facts.loop.slots[0].victim_runs = 32;
  CHECK_THAT(status_line(facts, candidates, 400), Catch::EndsWith("75 tests + the victim (up to 32 times)"));
  CHECK_THAT(status_block(facts, candidates, 79, false).back(),
             Catch::EndsWith("75 tests + the victim (up to 32 times), search"));
  facts.loop.slots[0].victim_runs = 1;
  // Else nobody would know why it goes on.
  facts.leading = {{Kind::self, {}, 0.99}};
  facts.comparing_lists = true;
  CHECK(status_line(facts, candidates, 400) ==
        "12 probes, 3 failures, 41 s | fails on its own 99.0 % | comparing that with its rate behind the "
        "whole list | running 75 tests + the victim");
  CHECK(status_block(facts, candidates, 79, false)[1] ==
        "  comparing that with its rate behind the whole list");
  CHECK(status_block(facts, candidates, 79, false)[2] == "  ####################  99.0 %  fails on its own");
  const auto narrow = status_line(facts, candidates, 30);
  CHECK(narrow == "12 probes, 3 failures, 41 s |…");
}

namespace {

/// What a view writes.
class Written {
 public:
  Written() : file_(std::tmpfile()) { REQUIRE(file_ != nullptr); }
  ~Written() { std::fclose(file_); }
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;
  std::FILE* file() { return file_; }
  std::string text() {
    std::string text(static_cast<std::size_t>(std::ftell(file_)), ' ');
    std::rewind(file_);
    REQUIRE(std::fread(text.data(), 1, text.size(), file_) == text.size());
    return text;
  }

 private:
  std::FILE* file_;
};

StatusFacts facts_at(double seconds, std::uint64_t probes, std::uint64_t failures, double probability) {
  StatusFacts facts;
  facts.loop.elapsed_seconds = seconds;
  facts.loop.probes = probes;
  facts.loop.failures = failures;
  facts.leading = {{Kind::polluter, {0}, probability}};
  return facts;
}

}  // namespace

TEST_CASE("the live view has bars for the leaders and a line for each slot") {
  const std::vector<std::string> candidates = {"tests.a", "tests.b"};
  auto facts = facts_at(61, 12, 3, 0.75);
  facts.leading.push_back({Kind::self, {}, 0.25});
  facts.leading.push_back({Kind::brittle, {1}, 0.0001});
  facts.seconds_left = 20;
  facts.loop.slots.resize(2);
  facts.loop.slots[0] = {true, 1, 0.5, flakebisect::bisect::Purpose::treatment, false};
  facts.loop.slots[1].resting = true;
  CHECK(status_block(facts, candidates, 79, false) ==
        std::vector<std::string>{"12 probes, 3 failures, 1 min 1 s, about 20 s left",
                                 "  ###############.....  75.0 %  after tests.a",
                                 "  #####...............  25.0 %  fails on its own",
                                 "  slot 0    0.5 s  1 test + the victim, the reproduction again",
                                 "  slot 1   its machine was lost; it rests"});
  facts.loop.slots.assign(1000, {true, 3, 1, flakebisect::bisect::Purpose::search, false});
  const auto many = status_block(facts, candidates, 40, true);
  CHECK(many.size() == 12);
  CHECK(many.back() == "  and 992 more slots, 992 of them busy");
}

TEST_CASE("a terminal's lines are taken back before they are written again") {
  const std::vector<std::string> candidates = {"tests.a"};
  Written written;
  {
    StatusView view(written.file(), true, 80, candidates);
    view.update(facts_at(1, 5, 1, 0.6));
    view.update(facts_at(2, 6, 2, 0.7));
  }
  const auto text = written.text();
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
  const std::string back = "\r\033[2A\033[J";
  CHECK(text.find(back) < text.find("6 probes"));
  CHECK(text.rfind(back) == text.size() - back.size());
}

TEST_CASE("a log gets a line a minute, and on news") {
  const std::vector<std::string> candidates = {"tests.a"};
  Written written;
  {
    StatusView view(written.file(), false, 80, candidates);
    view.update(facts_at(0, 0, 0, 0.1));
    view.update(facts_at(3, 20, 0, 0.1));    // nothing new
    view.update(facts_at(5, 30, 1, 0.2));    // the first failure
    view.update(facts_at(8, 40, 9, 0.3));    // more of them
    view.update(facts_at(10, 50, 10, 0.6));  // somebody leads
    view.update(facts_at(12, 60, 11, 0.9));  // the same
    view.update(facts_at(71, 90, 12, 0.9));  // a minute later
  }
  const auto text = written.text();
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
  for (const char* line : {"30 probes, 1 failure,", "50 probes", "90 probes"})
    CHECK(text.find(line) != std::string::npos);
}

TEST_CASE("a log gets its line a minute also while the first probe runs") {
  const std::vector<std::string> candidates = {"tests.a"};
  Written written;
  {
    StatusView view(written.file(), false, 80, candidates);
    view.update(facts_at(0, 0, 0, 0.9));
    view.update(facts_at(59, 0, 0, 0.9));
    view.update(facts_at(61, 0, 0, 0.9));
    view.update(facts_at(100, 0, 0, 0.9));
    view.update(facts_at(122, 0, 0, 0.9));
    view.update(facts_at(125, 1, 0, 0.9));  // who leads was told
  }
  const auto text = written.text();
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  CHECK(text.find("0 probes, 0 failures, 1 min 1 s") == 0);
  CHECK(text.find("0 probes, 0 failures, 2 min 2 s") != std::string::npos);
}
