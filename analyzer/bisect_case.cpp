#include "analyzer/bisect_case.h"

#include <nlohmann/json.hpp>

namespace flakebisect::analyzer {

using nlohmann::json;

namespace {

json side_by_side_to_json(const SideBySide& side) {
  json others = json::array();
  for (const auto& test : side.others)
    others.push_back(
        {{"worker", test.worker}, {"lead_seconds", test.lead_seconds ? json(*test.lead_seconds) : json()}});
  return {{"first_session", side.first_session},
          {"own", side.own},
          {"own_longest_seconds", side.own_longest_seconds},
          {"own_seconds", side.own_seconds},
          {"workers", side.workers},
          {"others", others}};
}

SideBySide side_by_side_from_json(const json& object, const BisectCase& of) {
  SideBySide side;
  object.at("first_session").get_to(side.first_session);
  object.at("own").get_to(side.own);
  object.at("own_longest_seconds").get_to(side.own_longest_seconds);
  object.at("own_seconds").get_to(side.own_seconds);
  object.at("workers").get_to(side.workers);
  for (std::size_t i = 0; i < of.candidates.size(); ++i) {
    const auto& other = object.at("others").at(i);
    bisect::BesideTest test{of.candidates[i], other.at("worker").get<std::uint32_t>(),
                            of.candidate_facts[i].seconds, std::nullopt};
    if (!other.at("lead_seconds").is_null()) test.lead_seconds = other.at("lead_seconds").get<double>();
    side.others.push_back(std::move(test));
  }
  return side;
}

}  // namespace

std::string case_to_json(const BisectCase& bisect_case) {
  json candidates = json::array();
  for (std::size_t i = 0; i < bisect_case.candidates.size(); ++i) {
    const auto& facts = bisect_case.candidate_facts[i];
    candidates.push_back(
        {{"id", bisect_case.candidates[i]},
         {"seconds", facts.seconds},
         {"longest_seconds", i < bisect_case.longest_seconds.size() ? bisect_case.longest_seconds[i] : 0.0},
         {"in_failing_run", facts.in_failing_run},
         {"weight", facts.weight}});
  }
  return json{
      {"run_id", bisect_case.run_id},
      {"worker", bisect_case.worker},
      {"victim", bisect_case.victim},
      {"position", bisect_case.position},
      {"worker_tests", bisect_case.worker_tests},
      {"candidates", candidates},
      {"victim_seconds", bisect_case.victim_seconds},
      {"victim_longest_seconds", bisect_case.victim_longest_seconds},
      {"startup_seconds", bisect_case.startup_seconds},
      {"most_victim_runs", bisect_case.most_victim_runs},
      {"victim_status", bisect_case.victim_status},
      {"traceback", bisect_case.traceback},
      {"history_runs", bisect_case.history_runs},
      {"history_failures", bisect_case.history_failures},
      {"history_other_failures", bisect_case.history_other_failures},
      {"other_failed", bisect_case.other_failed},
      {"warnings", bisect_case.warnings},
      {"other_workers", bisect_case.other_workers},
      {"side_by_side", bisect_case.side_by_side ? side_by_side_to_json(*bisect_case.side_by_side) : json()}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

BisectCase case_from_json(const std::string& text) {
  const json object = json::parse(text);
  BisectCase result;
  object.at("run_id").get_to(result.run_id);
  object.at("worker").get_to(result.worker);
  object.at("victim").get_to(result.victim);
  object.at("position").get_to(result.position);
  object.at("worker_tests").get_to(result.worker_tests);
  for (const auto& candidate : object.at("candidates")) {
    result.candidates.push_back(candidate.at("id").get<std::string>());
    result.candidate_facts.push_back({candidate.at("seconds").get<double>(),
                                      candidate.at("in_failing_run").get<bool>(),
                                      candidate.at("weight").get<double>()});
  }
  for (const auto& candidate : object.at("candidates")) {
    // Sessions of earlier versions have only the usual duration.
    result.longest_seconds.push_back(
        candidate.value("longest_seconds", candidate.at("seconds").get<double>()));
  }
  object.at("victim_seconds").get_to(result.victim_seconds);
  object.at("victim_longest_seconds").get_to(result.victim_longest_seconds);
  object.at("startup_seconds").get_to(result.startup_seconds);
  object.at("victim_status").get_to(result.victim_status);
  object.at("traceback").get_to(result.traceback);
  object.at("history_runs").get_to(result.history_runs);
  object.at("history_failures").get_to(result.history_failures);
  object.at("history_other_failures").get_to(result.history_other_failures);
  object.at("other_failed").get_to(result.other_failed);
  object.at("warnings").get_to(result.warnings);
  result.most_victim_runs = object.value("most_victim_runs", std::uint32_t{1});
  result.other_workers = object.value("other_workers", std::uint64_t{0});
  if (const auto side = object.find("side_by_side"); side != object.end() && !side->is_null())
    result.side_by_side = side_by_side_from_json(*side, result);
  return result;
}

}  // namespace flakebisect::analyzer
