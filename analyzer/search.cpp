#include "analyzer/search.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

#include "analyzer/ci_log.h"
#include "analyzer/exit_status.h"
#include "analyzer/failure_match.h"
#include "analyzer/forecast_words.h"
#include "analyzer/preamble.h"
#include "analyzer/report_words.h"
#include "analyzer/session_file.h"
#include "analyzer/side_by_side.h"
#include "analyzer/status_view.h"
#include "analyzer/stop_signals.h"
#include "analyzer/time_limits.h"
#include "bisect/engine.h"

namespace flakebisect::analyzer {

namespace {

using bisect::Engine;
using bisect::Kind;
using bisect::Outcome;
using bisect::Source;

/// The posterior's evolution is thinned to this many steps.
constexpr std::size_t most_evolution_steps = 400;
constexpr std::size_t leaders_shown = 8;

/// A resumed search must not draw the random choices of its first part again.
std::uint64_t seed_for(std::uint64_t seed, std::size_t earlier) {
  return earlier == 0 ? seed : seed ^ (0x9e3779b97f4a7c15ULL * (static_cast<std::uint64_t>(earlier) + 1));
}

bisect::Problem make_problem(const Bisection& bisection) {
  bisect::Problem problem;
  problem.candidates = bisection.facts.candidate_facts;
  problem.victim_seconds = bisection.facts.victim_seconds;
  problem.startup_seconds = bisection.facts.startup_seconds;
  problem.most_victim_runs = bisection.facts.most_victim_runs;
  if (const auto& side = bisection.facts.side_by_side) {
    // The victim's worker runs its whole list in each probe; what runs beside it costs no time.
    problem.startup_seconds += side->own_seconds;
    for (auto& candidate : problem.candidates) candidate.seconds = 0;
  }
  return problem;
}

bisect::EngineOptions make_engine_options(const Bisection& bisection, std::size_t earlier_probes) {
  bisect::EngineOptions options;
  options.confidence = bisection.options.confidence;
  options.seed = seed_for(bisection.options.seed, earlier_probes);
  options.find_all = bisection.options.find_all;
  options.find_cleaners = bisection.options.find_cleaners;
  return options;
}

/// Processor time for the forecast, after a search that took `spent` seconds: little after a short one, and
/// after a signal, whose sender will not wait for long.
double forecast_limit_seconds(const BisectOptions& options, LoopEnd end, double spent) {
  if (end == LoopEnd::stopped) return 0.5;
  const double limit = std::clamp(spent / 2, 0.5, 2.0);
  return options.budget_seconds ? std::min(limit, 0.4 * reserve_seconds(*options.budget_seconds)) : limit;
}

/// What a probe's result is to the search.
class Classifier {
 public:
  Classifier(const BisectCase& facts, const std::optional<std::string>& match) : match_(facts, match) {}

  Classified operator()(const bisect::ProbeResult& result) const {
    Classified classified;
    if (result.end == bisect::VictimEnd::pass) {
      classified.outcome = Outcome::pass;
      return classified;
    }
    const auto signature = match_.signature(result.traceback);
    classified.signature = signature_text(signature);
    classified.by_status_alone = result.by_exit_status && match_.cannot_be_told_apart(signature);
    const bool same = classified.by_status_alone || match_.same(result.traceback, signature).value_or(true);
    classified.outcome = same ? Outcome::fail : Outcome::other_failure;
    return classified;
  }

 private:
  FailureMatch match_;
};

/// What the loop gathers for the report; the probes themselves stay in the session file, for an overnight
/// search makes a hundred thousand.
struct Gathered {
  std::uint64_t probes = 0;
  double test_seconds = 0;
  std::uint64_t voids = 0;
  std::uint64_t failures = 0;
  std::uint64_t reordered = 0;
  std::uint64_t repeats = 0;  ///< runs of the victim beyond the first one of each probe
};

/// The engine's evidence, as stored.
std::vector<bisect::Observation> evidence_of(const Bisection& bisection) {
  std::vector<bisect::Observation> evidence;
  for (auto& stored : bisection.store->observations(bisection.session)) {
    if (!bisection.one_at_a_time || stored.beside == 0) evidence.push_back(std::move(stored.observation));
  }
  return evidence;
}

/// What probes for other victims of the campaign saw of this one. They weigh as much as probes of its own;
/// but their failures are no part of a confirmation, and their cost was counted where they were made.
std::vector<StoredObservation> shared_observations(const Bisection& bisection) {
  std::vector<StoredObservation> observations;
  if (!bisection.shared) return observations;
  const auto& facts = bisection.facts;
  const Classifier classify(facts, bisection.options.match);
  std::map<std::string, bisect::TestIndex> index_of;
  for (bisect::TestIndex i = 0; i < facts.candidates.size(); ++i) index_of.emplace(facts.candidates[i], i);
  for (const auto& run : bisection.shared->of(facts.victim)) {
    bisect::ProbeResult result;
    result.end = run.end;
    result.traceback = run.traceback;
    const auto classified = classify(result);
    StoredObservation stored;
    for (const auto& id : run.ran) {
      if (const auto found = index_of.find(id); found != index_of.end())
        stored.observation.ran.push_back(found->second);
    }
    stored.observation.outcome = classified.outcome;
    stored.observation.source = Source::history;
    stored.asked = stored.observation.ran;
    stored.signature = classified.signature;
    stored.traceback = run.traceback;
    stored.made_at = now_seconds();
    stored.runner = "probe for another victim";
    stored.beside = run.beside;
    stored.version = FLAKEBISECT_VERSION;
    observations.push_back(std::move(stored));
  }
  return observations;
}

/// What further runs of the victim made a probe longer, in probes like it in which the victim runs once.
/// Their duration is that of its first run.
double probes_of_repeats(const StoredObservation& stored, double usual_victim_seconds) {
  const double once = stored.victim_seconds < 0 ? usual_victim_seconds : stored.victim_seconds;
  const double repeats = once * (stored.observation.victim_runs - 1);
  return repeats > 0 ? repeats / std::max(once, stored.observation.seconds - repeats) : 0;
}

void gather(Gathered& gathered, const StoredObservation& stored) {
  const auto& observation = stored.observation;
  if (observation.source != Source::probe) return;
  ++gathered.probes;
  gathered.test_seconds += observation.seconds;
  gathered.repeats += observation.victim_runs - 1;
  if (observation.outcome == Outcome::void_probe) ++gathered.voids;
  if (observation.outcome == Outcome::fail) ++gathered.failures;
  if (observation.outcome != Outcome::void_probe && observation.ran != stored.asked) ++gathered.reordered;
}

/// Keeps at most most_evolution_steps steps: every second one goes when there are more.
void thin(std::vector<PosteriorStep>& steps) {
  if (steps.size() <= most_evolution_steps) return;
  std::vector<PosteriorStep> kept;
  for (std::size_t i = 0; i < steps.size(); i += 2) kept.push_back(std::move(steps[i]));
  steps = std::move(kept);
}

std::string why_no_verdict(const Bisection& bisection, const LoopResult& loop,
                           const bisect::Verdict& verdict) {
  if (verdict.kind != Kind::inconclusive) return {};
  switch (loop.end) {
    case LoopEnd::stopped:
      return "The search was interrupted before it could decide.";
    case LoopEnd::budget:
      return fmt::format(
          "The budget of {} ended before the evidence sufficed for a verdict at {} confidence.",
          format_seconds(bisection.options.budget_seconds.value_or(0)),
          format_probability(bisection.options.confidence));
    case LoopEnd::max_probes:
      return fmt::format("{} probes did not suffice for a verdict at {} confidence.",
                         bisection.options.max_probes, format_probability(bisection.options.confidence));
    case LoopEnd::finished:
    case LoopEnd::gave_way:
      break;
  }
  return "No explanation that the search knows fits what was seen well enough to be named.";
}

int exit_status_of(const LoopResult& loop, const bisect::Verdict& verdict, int signal) {
  if (verdict.kind != Kind::inconclusive && verdict.kind != Kind::not_reproduced && verdict.confirmed)
    return exit_ok;
  if (loop.end == LoopEnd::stopped) return 128 + signal;
  return verdict.kind == Kind::not_reproduced ? exit_not_reproduced : exit_inconclusive;
}

}  // namespace

double reserve_seconds(double budget) {
  return std::min({5.0, std::max(0.8, 0.1 * budget), 0.5 * budget});
}

std::vector<StoredObservation> first_evidence(const Bisection& bisection) {
  std::vector<StoredObservation> evidence;
  const auto& side_by_side = bisection.facts.side_by_side;
  if (!bisection.options.no_history || side_by_side) {
    for (const auto& observation : bisection.facts.history) {
      StoredObservation stored;
      stored.observation = observation;
      stored.asked = observation.ran;
      stored.made_at = now_seconds();
      stored.runner = side_by_side ? fmt::format("session {}", side_by_side->first_session) : "repository";
      stored.version = FLAKEBISECT_VERSION;
      evidence.push_back(std::move(stored));
    }
  }
  for (auto& stored : shared_observations(bisection)) evidence.push_back(std::move(stored));
  return evidence;
}

SearchEnd run_search(Bisection& bisection, const std::optional<Turn>& turn) {
  SearchEnd ended;
  const auto& facts = bisection.facts;
  const auto& options = bisection.options;
  const auto& stop = catch_stop_signals();
  const auto earlier_probes = static_cast<std::size_t>(std::count_if(
      bisection.earlier.begin(), bisection.earlier.end(),
      [](const StoredObservation& stored) { return stored.observation.source == Source::probe; }));
  const auto engine_options = make_engine_options(bisection, earlier_probes);
  Engine engine(make_problem(bisection), engine_options);
  InterferenceGuard guard;
  Gathered gathered;
  Report& report = ended.report;
  const bool side_by_side = facts.side_by_side.has_value();
  report.side_by_side = side_by_side;
  if (side_by_side) report.own_tests = facts.side_by_side->own;
  report.victim = facts.victim;
  report.run_id = facts.run_id;
  report.worker = facts.worker;
  report.position = facts.position;
  report.candidate_tests = facts.candidates;
  report.history = {facts.history_runs, facts.history_failures};
  report.environment = bisection.environment;
  report.session = fmt::format("{}#{}", bisection.store->path(), bisection.session);
  report.seed = options.seed;
  report.warnings = facts.warnings;
  report.version = FLAKEBISECT_VERSION;
  if (bisection.one_at_a_time) {
    report.warnings.emplace_back(
        "probes that ran at the same time were found to disturb each other: only those that ran alone count");
  }

  const auto leading = [&](std::size_t most) {
    auto explanations = engine.leading(most);
    return side_by_side ? side_by_side_explanations(std::move(explanations)) : explanations;
  };
  const auto step = [&] {
    add_posterior_step(report, gathered.probes, leading(leaders_shown));
    thin(report.evolution);
  };
  if (bisection.earlier.empty()) {
    // A session is created with what is known; one of an earlier version may have been killed before that.
    bisection.earlier = first_evidence(bisection);
    bisection.store->add(bisection.session, bisection.earlier);
  }
  for (const auto& stored : bisection.earlier) {
    gather(gathered, stored);
    if (bisection.one_at_a_time && stored.beside != 0) continue;
    engine.observe(stored.observation);
    if (!stored.observation.lost) guard.observe(stored.observation, stored.beside);
  }
  step();
  if (!options.common.quiet && !std::exchange(bisection.introduced, true)) {
    if (side_by_side)
      print_side_by_side_preamble(bisection);
    else
      print_preamble(bisection);
  }

  const char* const term = std::getenv("TERM");
  const bool terminal = isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
  StatusView view(stderr, terminal, terminal_width(STDERR_FILENO), facts.candidates);
  const Classifier classify(facts, options.match);
  LoopSettings settings;
  settings.candidates = facts.candidates;
  settings.victim = facts.victim;
  settings.after = bisection.after;
  settings.one_at_a_time = bisection.one_at_a_time;
  settings.hang_is_failure = facts.victim_status == "unfinished";
  if (options.budget_seconds) {
    const std::chrono::duration<double> gone = std::chrono::steady_clock::now() - bisection.began;
    settings.budget_seconds =
        std::max(0.0, *options.budget_seconds - gone.count() - reserve_seconds(*options.budget_seconds));
  }
  settings.max_probes = bisection.probes_left;
  if (!settings.max_probes && options.max_probes != 0) settings.max_probes = options.max_probes;
  settings.limits = side_by_side ? side_by_side_limits(facts, options.test_timeout_seconds)
                                 : time_limits(facts, options.test_timeout_seconds);
  if (turn && side_by_side && gathered.failures == 0) settings.full_first = turn->probes;

  const auto warn = [&](const std::string& warning) {
    if (!options.common.quiet) std::fprintf(stderr, "warning: %s\n", warning.c_str());
    report.warnings.push_back(warning);
  };
  LoopHooks hooks;
  hooks.classify = classify;
  bool said_by_status = false;
  double repeats_in_turn = 0;  ///< as probes
  hooks.record = [&](const ProbeFacts& facts_of_probe, const bisect::Observation& observation) {
    const auto& probe = facts_of_probe.probe;
    const auto& result = facts_of_probe.result;
    const auto& classified = facts_of_probe.classified;
    StoredObservation stored;
    stored.observation = observation;
    stored.asked = probe.subset;
    stored.signature = classified.signature;
    stored.traceback = result.traceback;
    stored.void_reason = result.void_reason;
    stored.startup_seconds = result.startup_seconds;
    stored.victim_seconds = result.victim_seconds.value_or(-1);
    stored.made_at = now_seconds();
    stored.runner = bisection.runner_names[facts_of_probe.slot];
    stored.beside = facts_of_probe.beside;
    stored.version = FLAKEBISECT_VERSION;
    std::vector<KnownRun> shared;
    if (bisection.shared) shared = bisection.shared->add(facts.victim, result, facts_of_probe.beside);
    bisection.store->add(bisection.session, stored, shared);
    gather(gathered, stored);
    repeats_in_turn += probes_of_repeats(stored, facts.victim_seconds);
    if (classified.by_status_alone && !std::exchange(said_by_status, true)) {
      view.clear();
      warn(
          "the command's output is no subunit and names no line that failed, so its exit status speaks: "
          "every failure of it counts as the one to explain; to tell failures apart, let it print them and "
          "name the one with --match");
    }
    if (options.common.verbose) {
      view.clear();
      std::fprintf(stderr, "probe %llu: %zu tests, %s%s, %s%s\n", static_cast<unsigned long long>(probe.id),
                   observation.ran.size(),
                   classified.outcome == Outcome::pass            ? "passed"
                   : classified.outcome == Outcome::fail          ? "FAILED"
                   : classified.outcome == Outcome::other_failure ? "failed differently"
                                                                  : "void",
                   count_words(classified.outcome, observation.victim_runs).c_str(),
                   format_seconds(result.wall_seconds).c_str(),
                   result.void_reason.empty() ? "" : (": " + result.void_reason).c_str());
    }
  };
  hooks.interference = [&](const std::string& sentence) {
    bisection.store->set_one_at_a_time(bisection.session);
    bisection.one_at_a_time = true;
    if (bisection.shared) bisection.shared->disturbed();
    Engine fresh(make_problem(bisection), make_engine_options(bisection, gathered.probes));
    for (const auto& observation : evidence_of(bisection)) fresh.observe(observation);
    view.clear();
    const auto warning =
        sentence + ". From there on one probe ran at a time, and those that ran beside others do not count";
    warn(warning);
    return fresh;
  };
  settings.slots_may_fail = options.launcher.has_value();
  hooks.lost = [&](std::size_t slot, const std::string& reason, double rest_seconds) {
    if (options.common.quiet) return;
    view.clear();
    std::fprintf(stderr, "warning: slot %zu (%s): %s; it is tried again in %s\n", slot,
                 bisection.runner_names[slot].c_str(), reason.c_str(), format_seconds(rest_seconds).c_str());
  };
  std::uint64_t stepped = 0;
  hooks.tick = [&](const LoopStatus& status) {
    if (status.probes != stepped) {
      stepped = status.probes;
      step();
    }
    if (options.common.quiet || !view.due(status)) return;
    view.update({status, leading(4), engine.expected_seconds_left(), engine.comparing_lists()});
  };
  if (turn) {
    hooks.give_way = [&](const LoopStatus& status) {
      if (gathered.failures != 0) return false;
      const double made = static_cast<double>(status.probes) + repeats_in_turn;
      return (turn->probes != 0 && made >= static_cast<double>(turn->probes)) ||
             (turn->seconds > 0 && status.elapsed_seconds >= turn->seconds);
    };
  }

  const auto resume_advice = [&] {
    return resume_command(bisection.store->path(), std::to_string(bisection.session));
  };
  LoopResult& loop = ended.loop;
  CiSection section(stderr, "flakebisect: why does " + facts.victim + " fail?");
  try {
    loop = run_probe_loop(engine, bisection.runners, settings, hooks, stop.number, std::move(guard));
  } catch (...) {
    view.clear();
    try {
      bisection.store->set_state(bisection.session, "failed");
    } catch (const SessionError&) {
      // The session file itself may be what failed; what went wrong first is what is told.
    }
    if (gathered.probes != 0) {
      std::fprintf(stderr, "what was seen so far is kept; go on with: %s\n", resume_advice().c_str());
    }
    throw;
  }
  view.clear();
  section.end();
  step();

  ended.failures = gathered.failures;
  if (loop.end == LoopEnd::gave_way) return ended;
  auto& verdict = ended.verdict;
  verdict = engine.verdict();
  if (verdict.kind == Kind::inconclusive && gathered.failures == 0 && loop.end != LoopEnd::stopped &&
      gathered.probes > gathered.voids) {
    verdict.kind = Kind::not_reproduced;
  }
  if (loop.unchecked) {
    verdict.kind = Kind::inconclusive;
    verdict.confirmed = false;
  }
  // An interrupted search has not looked long enough to say so.
  if (loop.end == LoopEnd::stopped && verdict.kind == Kind::not_reproduced && !engine.done())
    verdict.kind = Kind::inconclusive;
  if (side_by_side) verdict = side_by_side_verdict(std::move(verdict));
  fill_verdict(report, verdict, options.confidence);
  report.verdict.abstains = why_no_verdict(bisection, loop, verdict);
  if (verdict.kind == Kind::not_reproduced && loop.end != LoopEnd::finished)
    report.verdict.abstains = fmt::format("The failure did not come back in {} probes.", gathered.probes);
  if (!report.verdict.abstains.empty() && loop.end != LoopEnd::finished) {
    bisect::ForecastInput input;
    input.problem = make_problem(bisection);
    input.options = engine_options;
    input.seen = evidence_of(bisection);
    input.jobs = bisection.one_at_a_time ? 1 : bisection.runners.size();
    input.seed = options.seed;
    const double spent =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - bisection.began).count();
    report.forecast = make_forecast(input, spent, forecast_limit_seconds(options, loop.end, spent));
    if (report.forecast) report.verdict.abstains += " " + forecast_words(*report.forecast);
  }
  report.cost = {gathered.probes, gathered.voids, gathered.test_seconds, loop.status.elapsed_seconds,
                 gathered.repeats};
  for (auto& stored : bisection.store->observations(bisection.session)) {
    auto& one = stored.observation;
    if (one.source != Source::probe) continue;
    report.probes.push_back({std::move(one.ran), one.outcome, one.purpose, one.seconds, one.victim_runs});
  }
  set_seconds_per_run(report);
  report.failure.traceback = facts.traceback;
  if (!facts.traceback.empty())
    report.failure.signature = signature_text(failure_signature(facts.traceback, facts.victim));
  for (const auto& failure : bisection.store->failures(bisection.session)) {
    if (failure.matches) {
      if (report.failure.traceback.empty()) {
        report.failure = {failure.signature, failure.traceback};
      }
    } else {
      report.other_failures.push_back({failure.signature, failure.count, failure.traceback});
    }
  }
  if (gathered.reordered != 0) {
    report.warnings.push_back(fmt::format(
        "in {} of {} probes the tests did not run as asked for (order or selection); what really ran was "
        "taken as the evidence",
        gathered.reordered, gathered.probes));
  }
  if (!report.reproduce.tests.empty()) {
    auto tests = report.reproduce.tests;
    if (side_by_side) {
      tests = report.reproduce.beside;
      tests.push_back(facts.victim);
    }
    report.reproduce.command = bisection.runners.front()->reproduction_command(tests);
  }
  ended.status = exit_status_of(loop, verdict, stop.number);
  report.verdict.exhausted = loop.end == LoopEnd::finished && ended.status != exit_ok;
  return ended;
}

}  // namespace flakebisect::analyzer
