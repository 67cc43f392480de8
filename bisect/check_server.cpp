#include "bisect/check_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "bisect/check_server_checks.h"
#include "bisect/runner.h"
#include "repo_reader/test_ids.h"

namespace flakebisect::bisect {

namespace {

/// So many of the listed tests are run where the caller names none.
constexpr std::size_t kTestsToRun = 4;

/// All requirements, in the order in which they are tried.
std::array<const std::vector<Check>*, 4> groups() {
  return {&hello_checks(), &request_checks(), &feature_checks(), &end_checks()};
}

void try_one(const Check& check, CheckContext& context, CheckedRequirement& requirement) {
  context.begin();
  try {
    check.check(context);
    requirement.outcome = CheckOutcome::passed;
  } catch (const CheckFailed& failure) {
    requirement.outcome = CheckOutcome::failed;
    requirement.why = failure.why;
    context.transcript(requirement);
    context.discard();
  } catch (const CheckNotOffered& missing) {
    requirement.outcome = CheckOutcome::not_offered;
    requirement.why = missing.why;
  }
}

}  // namespace

std::string check_outcome_name(CheckOutcome outcome) {
  switch (outcome) {
    case CheckOutcome::passed:
      return "passed";
    case CheckOutcome::failed:
      return "failed";
    case CheckOutcome::not_offered:
      return "not offered";
    case CheckOutcome::skipped:
      break;
  }
  return "skipped";
}

std::size_t CheckReport::count(CheckOutcome outcome) const {
  return static_cast<std::size_t>(std::count_if(requirements.begin(), requirements.end(),
                                                [&](const auto& one) { return one.outcome == outcome; }));
}

bool CheckReport::conforms() const {
  return answered_hello && count(CheckOutcome::failed) == 0;
}

CheckContext::CheckContext(const std::string& command, const CheckOptions& options, CheckReport& report)
    : command_(command), options_(options), report_(report), tests_(options.tests) {}

void CheckContext::retire(std::unique_ptr<CheckSession>& session) {
  if (!session) return;
  stray_dones_.insert(stray_dones_.end(), session->stray_dones().begin(), session->stray_dones().end());
  error_tail_ = session->error_tail();
  session.reset();
}

void CheckContext::begin() {
  for (auto& session : others_) retire(session);
  others_.clear();
  if (shared_ && shared_->ended()) retire(shared_);
  if (shared_) shared_->mark();
}

void CheckContext::discard() {
  for (auto& session : others_) retire(session);
  others_.clear();
  retire(shared_);
}

CheckSession& CheckContext::shared() {
  if (!shared_) {
    shared_ = std::make_unique<CheckSession>(command_, options_);
    shared_->greet(kRpcMinVersion, kRpcMaxVersion);
    shared_->mark();
  }
  return *shared_;
}

CheckSession& CheckContext::another() {
  others_.push_back(std::make_unique<CheckSession>(command_, options_));
  return *others_.back();
}

void CheckContext::transcript(CheckedRequirement& requirement) const {
  const auto add = [&](const CheckSession& session) {
    const auto sent = session.sent(), received = session.received();
    requirement.sent.insert(requirement.sent.end(), sent.begin(), sent.end());
    requirement.received.insert(requirement.received.end(), received.begin(), received.end());
  };
  if (shared_ && !shared_->sent().empty()) add(*shared_);
  for (const auto& session : others_) add(*session);
}

bool CheckContext::feature(const std::string& name) const {
  return version() >= 2 &&
         std::find(report_.features.begin(), report_.features.end(), name) != report_.features.end();
}

void CheckContext::need_version_2() const {
  if (version() < 2) throw CheckNotOffered{"the server speaks version 1 alone"};
}

void CheckContext::need_feature(const std::string& name) const {
  if (!feature(name)) throw CheckNotOffered{fmt::format("the server does not name '{}'", name)};
}

const std::vector<std::string>& CheckContext::tests() {
  if (tests_.empty()) {
    std::size_t done = 0;
    CheckSession& session = shared();
    list(session, std::nullopt, &done);
    tests_ = listed(session, done);
    tests_.resize(std::min(tests_.size(), kTestsToRun));
    session.mark();
  }
  if (tests_.empty()) throw CheckNotOffered{"the server lists no test; name one with --tests"};
  return tests_;
}

DoneMessage CheckContext::list(CheckSession& session, std::optional<std::vector<std::string>> tests,
                               std::size_t* done_index) {
  const Nonce nonce = session.fresh_nonce();
  session.send(ListMessage{nonce, std::move(tests)});
  return session.wait_done(nonce, done_index);
}

DoneMessage CheckContext::run(CheckSession& session, std::optional<std::vector<std::string>> tests,
                              bool ordered, bool isolated, std::size_t* done_index) {
  const Nonce nonce = session.fresh_nonce();
  session.send(RunMessage{nonce, std::move(tests), ordered ? "given" : "", isolated ? "process" : ""});
  return session.wait_done(nonce, done_index);
}

void CheckContext::require_alive(CheckSession& session) {
  list(session, std::vector<std::string>{});
}

std::vector<std::string> listed(const CheckSession& session, std::size_t end) {
  std::vector<std::string> tests;
  for (std::size_t i = 0; i < end; ++i) {
    const ChannelEvent* event = session.seen()[i].event();
    if (event != nullptr && event->test_id && event->status == repo_reader::Status::exists)
      tests.push_back(*event->test_id);
  }
  return tests;
}

std::vector<TestSeen> ran(const CheckSession& session, std::size_t end) {
  std::vector<TestSeen> tests;
  for (std::size_t i = 0; i < end; ++i) {
    const ChannelEvent* event = session.seen()[i].event();
    if (event == nullptr || !event->test_id || !event->runnable || !repo_reader::is_test_id(*event->test_id))
      continue;
    if (event->status == repo_reader::Status::none || event->status == repo_reader::Status::exists) continue;
    auto test = std::find_if(tests.begin(), tests.end(),
                             [&](const auto& seen) { return seen.id == *event->test_id; });
    if (test == tests.end()) {
      tests.push_back({*event->test_id});
      test = tests.end() - 1;
    }
    test->starts += event->status == repo_reader::Status::inprogress ? 1U : 0U;
    test->started = test->starts > 0;
    test->passes += passes(event->status) ? 1U : 0U;
    test->finals += repo_reader::is_final(event->status) ? 1U : 0U;
    test->last = event->status;
  }
  return tests;
}

bool passes(repo_reader::Status status) {
  return status == repo_reader::Status::success || status == repo_reader::Status::xfail;
}

std::vector<std::string> ids_of(const std::vector<TestSeen>& tests) {
  std::vector<std::string> ids;
  ids.reserve(tests.size());
  for (const auto& test : tests) ids.push_back(test.id);
  return ids;
}

std::string comma_list(const std::vector<std::string>& texts) {
  return texts.empty() ? "nothing" : fmt::format("{}", fmt::join(texts, ", "));
}

std::vector<std::string> check_ids() {
  std::vector<std::string> ids;
  for (const auto* group : groups()) {
    for (const Check& check : *group) ids.emplace_back(check.id);
  }
  return ids;
}

CheckReport check_server(const std::string& command, const CheckOptions& options) {
  const auto all = check_ids();
  for (const std::string& id : options.only) {
    if (std::find(all.begin(), all.end(), id) == all.end())
      throw std::invalid_argument("there is no requirement '" + id + "'");
  }
  CheckReport report;
  report.command = command;
  CheckContext context(command, options, report);
  for (const auto* group : groups()) {
    for (const Check& check : *group) {
      const bool first = report.requirements.empty();
      const auto& only = options.only;
      if (!first && !only.empty() && std::find(only.begin(), only.end(), check.id) == only.end()) continue;
      CheckedRequirement requirement{check.id, check.title, CheckOutcome::skipped, "", {}, {}};
      if (first || report.answered_hello) {
        try_one(check, context, requirement);
        if (requirement.outcome == CheckOutcome::failed) report.error_tail = context.error_tail();
      } else {
        requirement.why = "Hello was not answered";
      }
      report.requirements.push_back(std::move(requirement));
      if (options.on_requirement) options.on_requirement(report.requirements.back());
    }
  }
  return report;
}

}  // namespace flakebisect::bisect
