#include "analysis_sample.h"

#include <functional>
#include <set>

#include "stats/rng.h"

namespace analysis_sample {

using namespace flakebisect::analyzer;
using flakebisect::stats::Rng;

namespace {

constexpr std::uint32_t plain_tests = 16;
constexpr std::int64_t hour_micros = 3'600'000'000;

/// What a test's outcome may depend on.
struct Moment {
  std::size_t run = 0;
  std::set<std::string> before;
  bool service_down = false;
  Rng* rng = nullptr;
};

/// Failure signature (a test fails where it is not empty) and seconds.
struct Outcome {
  std::string signature;
  float seconds = 0.25F;
};

Outcome outcome_of(const std::string& test, const Moment& moment) {
  const auto fails = [&](double chance) { return moment.rng->bernoulli(chance); };
  const auto pass = Outcome{};
  if (test == "shop.tests.test_money.TestMoney.test_total")
    return moment.before.count("shop.tests.test_config.TestConfig.test_currency") && fails(0.7)
               ? Outcome{"AssertionError in tests/test_money.py test_total: self.assertEqual(\"EUR\", total.currency)"}
               : pass;
  if (test == "shop.tests.test_files.TestFiles.test_reads")
    return moment.before.count("shop.tests.test_files.TestFiles.test_writes")
               ? pass
               : Outcome{"FileNotFoundError in tests/test_files.py test_reads: with open(path) as file:"};
  if (test == "shop.tests.test_ids.TestIds.test_unique") {
    if (!fails(0.12)) return pass;
    return fails(0.2)
               ? Outcome{"KeyError in tests/test_ids.py test_unique: seen[made]"}
               : Outcome{"AssertionError in tests/test_ids.py test_unique: self.assertNotIn(made, seen)"};
  }
  if (test == "shop.tests.test_net.TestNet.test_answers")
    return fails(0.08) ? Outcome{"TimeoutError in tests/test_net.py test_answers: answer = ask(server)", 5.5F}
                       : pass;
  if (test.find("TestService") != std::string::npos)
    return moment.service_down
               ? Outcome{"ConnectionRefusedError in tests/test_service.py setUp: self.db = connect()"}
               : pass;
  if (test == "shop.tests.test_new.TestNew.test_cache")
    return moment.run >= 150 && fails(0.3)
               ? Outcome{"AssertionError in tests/test_new.py test_cache: self.assertTrue(cache.hit)"}
               : pass;
  if (test == "shop.tests.test_old.TestOld.test_mended")
    return moment.run < 90 && fails(0.3)
               ? Outcome{"AssertionError in tests/test_old.py test_mended: self.fail()"}
               : pass;
  if (test == "shop.tests.test_old.TestOld.test_was_broken")
    return moment.run >= 100 && moment.run < 112
               ? Outcome{"ImportError in tests/test_old.py test_was_broken: import removed"}
               : pass;
  if (test == "shop.tests.test_todo.TestLater.test_never")
    return {"NotImplementedError in tests/test_later.py test_never: later()"};
  return pass;
}

std::uint32_t number_of(std::vector<std::string>& names, const std::string& name) {
  for (std::uint32_t i = 1; i < names.size(); ++i)
    if (names[i] == name) return i;
  names.push_back(name);
  return static_cast<std::uint32_t>(names.size() - 1);
}

History make(const std::vector<std::string>& tests, std::size_t runs,
             const std::function<Outcome(const std::string&, const Moment&)>& decide) {
  History history;
  history.tests = {""};
  history.signatures = {""};
  for (const auto& test : tests) number_of(history.tests, test);
  Rng rng(2026);
  for (std::size_t r = 0; r < runs; ++r) {
    std::vector<std::uint32_t> order;
    for (std::uint32_t t = 1; t < history.tests.size(); ++t) order.push_back(t);
    rng.shuffle(order);
    Moment moment;
    moment.run = r;
    moment.rng = &rng;
    moment.service_down = rng.bernoulli(0.06);
    const std::int64_t start = 1'760'000'400'000'000 + static_cast<std::int64_t>(r) * 3 * hour_micros;
    HistoryRun run;
    run.id = 1000 + r;
    run.started_micros = start;
    run.first_process = history.processes.size();
    run.process_count = 2;
    std::int64_t last = start;
    for (std::uint32_t w = 0; w < 2; ++w) {
      HistoryProcess process;
      process.worker = w + 1;
      process.first = history.results.size();
      moment.before.clear();
      std::int64_t clock = start;
      for (std::size_t i = w; i < order.size(); i += 2) {
        const auto& name = history.tests[order[i]];
        const auto outcome = r == 77 ? Outcome{"MemoryError"} : decide(name, moment);
        Result result;
        result.test = order[i];
        result.start_micros = clock;
        result.seconds = outcome.seconds;
        result.ending = outcome.signature.empty() ? Ending::pass : Ending::fail;
        if (!outcome.signature.empty()) result.signature = number_of(history.signatures, outcome.signature);
        clock = result.stop_micros() + 1000;
        history.results.push_back(result);
        moment.before.insert(name);
      }
      last = std::max(last, clock);
      process.count = history.results.size() - process.first;
      history.processes.push_back(process);
    }
    run.wall_seconds = static_cast<double>(last - start) / 1e6;
    history.runs.push_back(run);
  }
  return history;
}

Analysis analysis_of(History history, std::vector<KnownInterference> sessions) {
  IndexedHistory indexed;
  indexed.stored_runs = history.runs.size();
  indexed.history = std::move(history);
  AnalysisRequest request;
  request.wanted = [](const std::string&) { return true; };
  request.top = 7;
  request.command_prefix = "flakebisect";
  request.sessions.interference = std::move(sessions);
  return analyze_history(".stestr", std::move(indexed), request);
}

}  // namespace

Analysis planted() {
  std::vector<std::string> tests = {
      "shop.tests.test_money.TestMoney.test_total",  "shop.tests.test_config.TestConfig.test_currency",
      "shop.tests.test_files.TestFiles.test_reads",  "shop.tests.test_files.TestFiles.test_writes",
      "shop.tests.test_ids.TestIds.test_unique",     "shop.tests.test_net.TestNet.test_answers",
      "shop.tests.test_new.TestNew.test_cache",      "shop.tests.test_old.TestOld.test_mended",
      "shop.tests.test_old.TestOld.test_was_broken", "shop.tests.test_todo.TestLater.test_never"};
  for (const char* name : {"test_adds", "test_deletes", "test_lists", "test_renames"})
    tests.push_back(std::string("shop.tests.test_service.TestService.") + name);
  for (std::uint32_t i = 0; i < plain_tests; ++i)
    tests.push_back("shop.tests.test_plain.TestPlain.test_" + std::to_string(i));
  const auto found = [](const std::string& from, const std::string& to, InterferenceKind kind,
                        double probability) {
    return KnownInterference{"shop.tests." + from, "shop.tests." + to, kind, probability, true};
  };
  return analysis_of(
      make(tests, 240, outcome_of),
      {found("test_config.TestConfig.test_currency", "test_plain.TestPlain.test_3",
             InterferenceKind::pollutes, 0.98),
       found("test_config.TestConfig.test_currency", "test_plain.TestPlain.test_4",
             InterferenceKind::pollutes, 0.96),
       found("test_plain.TestPlain.test_9", "test_plain.TestPlain.test_3", InterferenceKind::cleans, 0.96),
       found("test_plain.TestPlain.test_4", "test_plain.TestPlain.test_11", InterferenceKind::overlaps, 0.95),
       found("test_plain.TestPlain.test_11", "test_plain.TestPlain.test_4", InterferenceKind::pollutes,
             0.95)});
}

Analysis hostile() {
  const std::vector<std::string> tests = {
      "=cmd|' /C calc'!A0", "evil\x1b[31m.</text><script>alert(1)</script>",
      "quote\"comma,apostrophe'\nnewline", "\xff\xfe not UTF-8 \xe2\x80\xae gnp"};
  return analysis_of(make(tests, 60,
                          [&](const std::string& test, const Moment& moment) {
                            const bool fails = test == tests[1] ? moment.before.count(tests[0]) != 0
                                                                : moment.rng->bernoulli(0.3);
                            return fails ? Outcome{"Error\x1b]0;title\x07 in </script>\u202e,\"=1+1\""}
                                         : Outcome{};
                          }),
                     {{tests[3], tests[2], InterferenceKind::pollutes, 0.95, true}});
}

Analysis quiet() {
  return analysis_of(make({"a", "b"}, 3, [](const std::string&, const Moment&) { return Outcome{}; }), {});
}

}  // namespace analysis_sample
