#include "bisect/rpc_probe.h"

#include "bisect/launcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace flakebisect::bisect {

namespace {

/// So often a server is asked during a run whether it answers then, before it is taken for one that does not.
constexpr unsigned kMostQuestions = 3;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<std::string> whole_list(const ProbeRequest& request) {
  std::vector<std::string> tests = request.before;
  tests.push_back(request.victim);
  return tests;
}

std::string because(const std::string& reason) {
  return reason.empty() ? "" : ": " + reason;
}

}  // namespace

RpcProbe::RpcProbe(ServerConnection& server, const ProbeRequest& request, const RpcProbeLimits& limits,
                   Liveness& liveness, Clock::time_point begin)
    : server_(server),
      request_(request),
      limits_(limits),
      liveness_(liveness),
      begin_(begin),
      sent_(Clock::now()),
      last_news_(sent_),
      ordered_(server.core().feature("ordered")),
      isolated_(server.core().feature("isolated")),
      victim_runs_(ordered_ && server.core().feature("repeat") ? std::max(request.victim_runs, 1U) : 1),
      record_(request.before, request.victim, limits.unexpected_success_fails, victim_runs_) {
  run_ = server_.core().run(whole_list(request), {ordered_, isolated_, victim_runs_});
}

RpcProbeEnd RpcProbe::run(const std::atomic<bool>& cancel) {
  const auto whole_deadline = request_.time_limit_seconds > 0
                                  ? begin_ + duration_of(request_.time_limit_seconds)
                                  : Clock::time_point::max();
  bool go_on = true;
  while (go_on) {
    ClientEvent event;
    switch (server_.next(event, std::min(whole_deadline, test_deadline()), cancel)) {
      case Wake::event:
        take(event);
        go_on = !record_.victim_finished() && !done_;
        if (!go_on && record_.victim_finished()) settle(cancel);
        if (!go_on && !record_.victim_finished()) on_done();
        break;
      case Wake::closed:
        on_closed();
        go_on = false;
        break;
      case Wake::cancelled:
        set_void("cancelled");
        go_on = false;
        break;
      case Wake::deadline:
        on_limit(Clock::now() >= whole_deadline, cancel, go_on);
        break;
    }
  }
  end_.worth_retry = !record_.anything_started() && !(done_ && done_->status == DoneStatus::refused);
  if (end_.result.wall_seconds == 0) end_.result.wall_seconds = seconds_since(begin_);
  if (end_.result.end != VictimEnd::pass) end_.result.output_tail = server_.tails();
  return std::move(end_);
}

Clock::time_point RpcProbe::test_deadline() const {
  if (!record_.anything_started()) return sent_ + duration_of(limits_.start_seconds);
  const double limit = quiet_limit(request_, record_.running().value_or(""));
  return limit > 0 ? last_news_ + duration_of(limit) : Clock::time_point::max();
}

void RpcProbe::take(const ClientEvent& event) {
  if (const auto* done = std::get_if<RequestDone>(&event)) {
    if (done->request == run_) {
      done_ = *done;
      record_.on_done(done->status);
    }
    if (done->request == question_) {
      question_answered_ = true;
      question_.clear();
      if (!done_) liveness_.answers_while_running = true;
    }
    return;
  }
  const auto* test = std::get_if<TestEvent>(&event);
  if (test == nullptr || test->event.status == repo_reader::Status::exists) return;
  // A result of an earlier request that was cancelled cannot come: its Done was waited for.
  last_news_ = Clock::now();
  const bool first = !record_.anything_started();
  const auto results = record_.victim_results();
  record_.on_event(test->event);
  if (first && record_.anything_started()) end_.result.startup_seconds = seconds_since(begin_);
  if (first && record_.anything_started() && !liveness_.answers_while_running &&
      liveness_.questions < kMostQuestions && question_.empty()) {
    ++liveness_.questions;
    question_answered_ = false;
    question_ = server_.core().list(std::vector<std::string>{});
  }
  if (record_.victim_results() != results) end_.result.wall_seconds = seconds_since(begin_);
}

/// The victim's result is in: ends the request and looks at what it is worth.
void RpcProbe::settle(const std::atomic<bool>& cancel) {
  record_.fill(end_.result);
  if (!record_.in_order() || (ordered_ && !record_.all_finished())) {
    end_.result.remarks.emplace_back(
        ordered_ ? "the server offers 'ordered' but ran the tests in another order than it was asked for; "
                   "the order "
                   "that ran is what counts"
                 : "the server ran the tests in another order than asked for, as it may (it does not offer "
                   "'ordered'); the order that ran is what counts");
  }
  if (!record_.unasked().empty()) {
    set_fault(fmt::format("the server ran {} test{} that it was not asked for (the first is {})",
                          record_.unasked().size(), record_.unasked().size() == 1 ? "" : "s",
                          record_.unasked()[0]));
  }
  if (!done_ && !record_.all_finished()) {
    if (!isolated_ || !server_.core().feature("cancel")) return;  // ended by its owner
    server_.core().cancel(run_);
  }
  end_.server_idle = wait_for_done(limits_.done_seconds, cancel);
  if (!end_.server_idle && !cancel.load()) {
    end_.result.remarks.push_back(fmt::format(
        "the server did not say Done within {:.3g} seconds after the victim's result and was ended",
        limits_.done_seconds));
  }
}

bool RpcProbe::wait_for_done(double seconds, const std::atomic<bool>& cancel) {
  const auto deadline = Clock::now() + duration_of(seconds);
  while (!done_) {
    ClientEvent event;
    if (server_.next(event, deadline, cancel) != Wake::event) return false;
    take(event);
  }
  return true;
}

/// The request ended and the victim has no result.
void RpcProbe::on_done() {
  end_.server_idle = true;
  record_.fill(end_.result);
  const auto running = record_.running();
  switch (done_->status) {
    case DoneStatus::ok:
      if (!record_.fixture_failure().empty()) {
        set_void("the victim did not run: " + record_.fixture_failure() + " failed");
      } else {
        set_fault("the server said Done and had not run the victim");
      }
      break;
    case DoneStatus::refused:
      set_fault("the server refused the run" + because(done_->reason));
      break;
    case DoneStatus::cancelled:
      set_fault("the server cancelled the run unasked" + because(done_->reason));
      break;
    case DoneStatus::error:
      if (running == request_.victim) {
        victim_failed("the process that ran the test died" + because(done_->reason));
      } else if (running) {
        set_void(fmt::format("the process that ran the tests died while {} ran{}", *running,
                             because(done_->reason)));
      } else if (record_.anything_started()) {
        set_void("the run ended with an error before the victim" + because(done_->reason));
      } else {
        set_fault("the server could not run the tests" + because(done_->reason));
      }
      break;
  }
}

void RpcProbe::on_closed() {
  record_.fill(end_.result);
  end_.result.wait_status = server_.wait_status();
  const auto running = record_.running();
  const std::string how = server_.end_clause();
  if (limits_.launched && !launched_exit(server_.error_tail())) {
    set_void(fmt::format("{} was lost or could not be reached: {}", limits_.far_end,
                         launcher_last_words(server_.error_tail())));
    end_.result.lost = true;
    return;
  }
  if (!running || isolated_) {
    set_fault(fmt::format("the server died or hung up during a run: {}{}", how,
                          running ? fmt::format(" while {} ran in a process of its own", *running) : ""));
  } else if (running == request_.victim) {
    victim_failed(fmt::format("the process that ran the test ended during it: {}", how));
  } else {
    set_void(fmt::format("the process that ran the tests ended while {} ran: {}", *running, how));
  }
}

/// Asks whether the server is alive.
RpcProbe::Pong RpcProbe::ping(bool news_counts, const std::atomic<bool>& cancel) {
  if (question_.empty()) question_ = server_.core().list(std::vector<std::string>{});
  question_answered_ = false;
  const auto asked = Clock::now();
  const auto deadline = asked + duration_of(limits_.ping_seconds);
  for (;;) {
    ClientEvent event;
    const Wake wake = server_.next(event, deadline, cancel);
    if (wake == Wake::deadline) return Pong::silent;
    if (wake != Wake::event) return Pong::ended;
    take(event);
    if (question_answered_) return Pong::alive;
    if (done_ || record_.victim_finished() || (news_counts && last_news_ > asked)) return Pong::news;
  }
}

/// Whether the far end gives a sign of life beyond the first `signs`.
bool RpcProbe::heard_since(std::uint64_t signs, const std::atomic<bool>& cancel) {
  const auto until = Clock::now() + duration_of(most_silence_seconds);
  while (server_.signs_of_life() == signs && Clock::now() < until) {
    ClientEvent event;
    const Wake wake = server_.next(event, std::min(until, Clock::now() + duration_of(0.1)), cancel);
    if (wake == Wake::event) {
      take(event);
      return true;
    }
    if (wake != Wake::deadline) break;
  }
  return server_.signs_of_life() != signs;
}

/// A limit has passed. go_on: there was news after all.
void RpcProbe::on_limit(bool whole_probe, const std::atomic<bool>& cancel, bool& go_on) {
  const bool started = record_.anything_started();
  const double allowed =
      started ? quiet_limit(request_, record_.running().value_or("")) : limits_.start_seconds;
  const bool could_answer = liveness_.answers_while_running;
  const auto signs = server_.signs_of_life();
  const Pong pong = ping(!whole_probe, cancel);
  if (pong == Pong::news) {
    if (record_.victim_finished()) {
      settle(cancel);
      go_on = false;
    } else if (done_) {
      on_done();
      go_on = false;
    }
    if (!go_on || !whole_probe) return;
  }
  go_on = false;
  if (pong == Pong::ended) {
    if (cancel.load()) {
      set_void("cancelled");
    } else {
      on_closed();
    }
    return;
  }
  const bool silent = limits_.launched && pong == Pong::silent && !heard_since(signs, cancel);
  if (record_.victim_finished()) return settle(cancel);
  if (done_) return on_done();
  if (silent && server_.exited()) return on_closed();
  record_.fill(end_.result);
  const auto running = record_.running();
  const std::string limit =
      whole_probe
          ? fmt::format("the probe's time limit of {:.3g} seconds passed", request_.time_limit_seconds)
          : fmt::format("nothing came within the limit of {:.3g} seconds", allowed);
  if (silent) {
    set_void(cancel.load() ? "cancelled"
                           : fmt::format("{} was lost: {}, and no sign of life for {:.3g} seconds more",
                                         limits_.far_end, limit, most_silence_seconds));
    end_.result.lost = !cancel.load();
    return;
  }
  if (!running) {
    const std::string stage = started ? "between two tests" : "and no test had started";
    if (pong == Pong::alive) {
      set_fault(fmt::format("{} {}; the server is alive but does not go on", limit, stage));
    } else {
      set_fault(
          fmt::format("the server is stuck: {} {}, and it does not answer a List either", limit, stage));
    }
  } else if (pong == Pong::alive) {
    set_void(fmt::format("{} is stuck: {} while it ran, and the server is alive", *running, limit));
  } else if (could_answer) {
    set_fault(fmt::format(
        "the server is stuck: {} while {} ran, and it does not answer a List, which it did before "
        "during a run",
        limit, *running));
  } else {
    set_void(fmt::format(
        "{} while {} ran; whether the test is stuck or the server cannot be told, since this server "
        "has not answered a List during a run",
        limit, *running));
  }
  if (running == request_.victim && request_.hang_is_failure && end_.fault.empty())
    victim_failed(fmt::format("the test hangs: {}", limit));
  if (pong == Pong::alive && isolated_ && server_.core().feature("cancel") && !done_) {
    server_.core().cancel(run_);
    end_.server_idle = wait_for_done(limits_.done_seconds, cancel);
  }
}

void RpcProbe::set_void(std::string reason) {
  end_.result.end = VictimEnd::void_probe;
  end_.result.void_reason = std::move(reason);
  end_.result.victim_runs = 0;
  if (!record_.victim_finished()) end_.result.wall_seconds = 0;  // set at the end of run()
  end_.result.traceback.clear();
}

void RpcProbe::set_fault(std::string sentence) {
  if (server_.noise_bytes() > 0)
    sentence += fmt::format(" ({} bytes that are no subunit came from it)", server_.noise_bytes());
  end_.fault = sentence;
  set_void(std::move(sentence));
}

/// The run of the victim that has no result is the failure.
void RpcProbe::victim_failed(std::string traceback) {
  end_.result.end = VictimEnd::fail;
  end_.result.void_reason.clear();
  end_.result.victim_runs = record_.victim_results() + 1;
  end_.result.wall_seconds = 0;
  end_.result.traceback = std::move(traceback);
}

}  // namespace flakebisect::bisect
