/// The requirements of version 2's features, and of the end of a conversation.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "bisect/check_server_checks.h"

namespace flakebisect::bisect {

namespace {

using Texts = std::vector<std::string>;

void expect_refused(CheckContext& context, const RunMessage& run, CheckSession& session) {
  session.send(run);
  std::size_t done = 0;
  const DoneMessage end = session.wait_done(run.nonce, &done);
  expect(end.status == DoneStatus::refused,
         fmt::format("the status of Done is {}, not refused", done_status_name(end.status)));
  expect(ran(session, done).empty(), "something ran: " + comma_list(ids_of(ran(session, done))));
  context.require_alive(session);
}

void refuse_missing_feature(CheckContext& context) {
  context.need_version_2();
  const bool ordered = context.feature("ordered"), isolated = context.feature("isolated");
  if (ordered && isolated) throw CheckNotOffered{"nothing can be missing: it offers both features of Run"};
  const std::string test = context.tests()[0];
  CheckSession& session = context.shared();
  if (!ordered) expect_refused(context, RunMessage{session.fresh_nonce(), Texts{test}, "given", ""}, session);
  session.mark();
  if (!isolated)
    expect_refused(context, RunMessage{session.fresh_nonce(), Texts{test}, "", "process"}, session);
}

void refuse_whole(CheckContext& context) {
  context.need_version_2();
  const std::string test = context.tests()[0];
  CheckSession& session = context.shared();
  expect_refused(
      context,
      RunMessage{session.fresh_nonce(), Texts{test, "flakebisect.check_server.no_such_test"}, "", ""},
      session);
}

void ordered(CheckContext& context) {
  context.need_feature("ordered");
  const Texts forwards = context.tests();
  if (forwards.size() < 2) throw CheckNotOffered{"it takes two tests to try"};
  for (const Texts& wanted : {Texts(forwards.rbegin(), forwards.rend()), forwards}) {
    CheckSession& session = context.shared();
    session.mark();
    std::size_t done = 0;
    const DoneMessage end = context.run(session, wanted, true, context.feature("isolated"), &done);
    expect(end.status == DoneStatus::ok, "the Run was not answered with ok");
    const Texts order = ids_of(ran(session, done));
    expect(order == wanted, fmt::format("asked for {}; ran {}", comma_list(wanted), comma_list(order)));
  }
}

std::string status_alone(CheckContext& context, CheckSession& session, const std::string& test) {
  session.mark();
  std::size_t done = 0;
  const DoneMessage end = context.run(session, Texts{test}, false, true, &done);
  if (end.status != DoneStatus::ok) return std::string(done_status_name(end.status));
  const auto tests = ran(session, done);
  expect(ids_of(tests) == Texts{test}, fmt::format("asked for {}, ran {}", test, comma_list(ids_of(tests))));
  return std::string(repo_reader::status_name(tests[0].last));
}

void isolated_state(CheckContext& context) {
  context.need_feature("isolated");
  const Texts tests = context.tests();
  std::vector<std::pair<std::string, std::string>> alone;
  for (const std::string& test : tests) {
    CheckSession& fresh = context.another();
    fresh.greet(kRpcMinVersion, kRpcMaxVersion);
    alone.emplace_back(test, status_alone(context, fresh, test));
  }
  context.begin();
  CheckSession& session = context.shared();
  const bool in_order = context.feature("ordered");
  context.run(session, tests, in_order, true);
  context.run(session, Texts(tests.rbegin(), tests.rend()), in_order, true);
  for (const auto& [test, before] : alone) {
    const std::string after = status_alone(context, session, test);
    expect(after == before,
           fmt::format("{} alone: {} in a new server, {} after other isolated runs", test, before, after));
  }
}

constexpr unsigned kRepeats = 3;

/// A Run of this list in this order, where it is offered in a process of its own, else in a new server.
std::vector<TestSeen> run_given(CheckContext& context, const Texts& list, std::int64_t repeat) {
  const bool isolated = context.feature("isolated");
  CheckSession& session = isolated ? context.shared() : context.another();
  if (!isolated) session.greet(kRpcMinVersion, kRpcMaxVersion);
  session.mark();
  const Nonce nonce = session.fresh_nonce();
  session.send(RunMessage{nonce, list, "given", isolated ? "process" : "", repeat});
  std::size_t done = 0;
  const DoneMessage end = session.wait_done(nonce, &done);
  expect(end.status == DoneStatus::ok, "the Run was not answered with ok");
  return ran(session, done);
}

/// Runs the list with its last test repeated, and looks at how often each test ran.
void expect_repeated(CheckContext& context, const Texts& list) {
  const auto tests = run_given(context, list, kRepeats);
  expect(ids_of(tests) == list,
         fmt::format("asked for {}; ran {}", comma_list(list), comma_list(ids_of(tests))));
  for (const TestSeen& test : tests) {
    expect(test.starts == test.finals,
           fmt::format("the packets of {}: {} with inprogress, {} with a final status", test.id, test.starts,
                       test.finals));
    if (test.id != list.back())
      expect(test.finals == 1, fmt::format("{} is not the last test and ran {} times", test.id, test.finals));
  }
  const TestSeen& last = tests.back();
  const bool passed = passes(last.last);
  expect(last.passes + (passed ? 0 : 1) == last.finals, last.id + " ran again after it did not pass");
  expect(passed ? last.finals == kRepeats : last.finals <= kRepeats,
         fmt::format("{} was to run {} times, as long as it passes, and ran {} times", last.id, kRepeats,
                     last.finals));
}

void repeat_last(CheckContext& context) {
  context.need_feature("repeat");
  context.need_feature("ordered");
  const Texts tests = context.tests();
  const auto once = run_given(context, tests, 0);
  expect(ids_of(once) == tests,
         fmt::format("asked for {}; ran {}", comma_list(tests), comma_list(ids_of(once))));
  // The list up to its last test that passes, and the one up to its last test that does not, if there is one.
  for (const bool wanted : {true, false}) {
    const auto found = std::find_if(once.rbegin(), once.rend(),
                                    [&](const TestSeen& test) { return passes(test.last) == wanted; });
    if (found == once.rend()) {
      if (wanted) throw CheckNotOffered{"it takes a test that passes to try"};
      continue;
    }
    context.begin();
    expect_repeated(context, Texts(tests.begin(), tests.begin() + (once.rend() - found)));
  }
}

void isolated_twice(CheckContext& context) {
  context.need_feature("isolated");
  const std::string test = context.tests()[0];
  CheckSession& session = context.shared();
  const Nonce first = session.fresh_nonce(), second = session.fresh_nonce();
  session.send(RunMessage{first, Texts{test}, "", "process"});
  session.send(RunMessage{second, Texts{test}, "", "process"});
  session.wait_done(second);
  session.wait_done(first);
  context.require_alive(session);
}

void cancel_run(CheckContext& context) {
  context.need_feature("cancel");
  const Texts tests = context.tests();
  CheckSession& session = context.another();
  session.greet(kRpcMinVersion, kRpcMaxVersion);
  const Nonce run = session.fresh_nonce();
  session.send(RunMessage{run, tests, "", context.feature("isolated") ? "process" : ""});
  session.send(CancelMessage{run});
  const DoneMessage done = session.wait_done(run);
  expect(done.status == DoneStatus::ok || done.status == DoneStatus::cancelled,
         fmt::format("the status of Done is {}, not cancelled (or ok, where it came too late)",
                     done_status_name(done.status)));
  context.require_alive(session);
}

void cancel_unknown(CheckContext& context) {
  context.need_feature("cancel");
  CheckSession& session = context.shared();
  session.send(CancelMessage{nonce_of("never used")});
  context.require_alive(session);
  expect(session.find_done(nonce_of("never used")) == nullptr, "a Done came for a request that never was");
}

void expect_end(CheckContext& context, CheckSession& session, const char* after) {
  const double limit = context.options().exit_limit_seconds;
  expect(session.wait_exit(limit),
         fmt::format("the server still runs {:.3g} seconds after {}", limit, after));
  for (const Seen& seen : session.seen()) {
    // A second Done may come late, after this request for the end: it is the business of done.once.
    const bool late_done =
        seen.message() != nullptr && std::holds_alternative<DoneMessage>(seen.message()->message);
    expect(seen.message() == nullptr || late_done,
           fmt::format("a message came after {}: {}", after, seen.text()));
  }
  const auto left = session.orphans();
  expect(left.empty(),
         fmt::format("{} process{} of the server live{} on after it: {}", left.size(),
                     left.size() == 1 ? "" : "es", left.size() == 1 ? "s" : "", fmt::join(left, ", ")));
}

void end_goodbye(CheckContext& context) {
  const Texts tests = context.tests();
  CheckSession& session = context.another();
  session.greet(kRpcMinVersion, kRpcMaxVersion);
  context.run(session, tests, false, context.feature("isolated"));
  session.mark();
  session.send(GoodbyeMessage{});
  expect_end(context, session, "Goodbye");
}

void end_of_input(CheckContext& context) {
  CheckSession& session = context.another();
  session.greet(kRpcMinVersion, kRpcMaxVersion);
  context.require_alive(session);
  session.mark();
  session.close_input();
  expect_end(context, session, "the end of its input");
}

void end_while_running(CheckContext& context) {
  const Texts tests = context.tests();
  CheckSession& session = context.another();
  session.greet(kRpcMinVersion, kRpcMaxVersion);
  session.send(RunMessage{session.fresh_nonce(), tests, "", context.feature("isolated") ? "process" : ""});
  session.send(GoodbyeMessage{});
  const double limit = context.options().exit_limit_seconds;
  expect(session.wait_exit(limit),
         fmt::format("the server still runs {:.3g} seconds after Goodbye during a Run", limit));
}

void done_once(CheckContext& context) {
  context.discard();
  expect(context.stray_dones().empty(),
         fmt::format("{} Done message{} came that answered nothing or answered twice; the first: {}",
                     context.stray_dones().size(), context.stray_dones().size() == 1 ? "" : "s",
                     context.stray_dones().empty() ? "" : context.stray_dones()[0]));
}

}  // namespace

const std::vector<Check>& feature_checks() {
  static const std::vector<Check> checks = {
      {"refuse.feature", "refuses a Run that asks for a feature it does not offer", refuse_missing_feature},
      {"refuse.whole", "runs nothing where one of the tests is not known", refuse_whole},
      {"ordered", "runs exactly the tests asked for in the order given", ordered},
      {"isolated.state", "lets no isolated Run see what another left behind", isolated_state},
      {"isolated.again", "takes isolated Runs one after the other, and lives on", isolated_twice},
      {"repeat", "runs the last test several times, as long as it passes, and the others once", repeat_last},
      {"cancel", "ends a Run that is cancelled, and lives on", cancel_run},
      {"cancel.unknown", "ignores the Cancel of a request that is not in flight", cancel_unknown},
  };
  return checks;
}

const std::vector<Check>& end_checks() {
  static const std::vector<Check> checks = {
      {"end.goodbye", "ends at Goodbye without a word, and leaves no process", end_goodbye},
      {"end.input", "ends at the end of its input, and leaves no process", end_of_input},
      {"end.running", "ends at Goodbye during a Run", end_while_running},
      {"done.once", "says Done once for each request, and for nothing else", done_once},
  };
  return checks;
}

}  // namespace flakebisect::bisect
