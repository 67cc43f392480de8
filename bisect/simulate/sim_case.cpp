#include "bisect/simulate/sim_case.h"

namespace flakebisect::bisect::simulate {

std::string case_kind_name(CaseKind kind) {
  switch (kind) {
    case CaseKind::self:
      return "self";
    case CaseKind::polluter:
      return "polluter";
    case CaseKind::polluters:
      return "polluters";
    case CaseKind::polluter_set:
      return "polluter-set";
    case CaseKind::brittle:
      return "brittle";
    case CaseKind::cumulative:
      return "cumulative";
    case CaseKind::not_reproduced:
      return "not-reproduced";
  }
  return "self";
}

std::optional<CaseKind> case_kind_from_name(std::string_view name) {
  for (const CaseKind kind : all_case_kinds) {
    if (case_kind_name(kind) == name) {
      return kind;
    }
  }
  return std::nullopt;
}

std::vector<TestIndex> SimCase::listed() const {
  std::vector<TestIndex> tests;
  for (TestIndex i = 0; i < problem.candidates.size(); ++i) {
    if (problem.candidates[i].in_failing_run) {
      tests.push_back(i);
    }
  }
  return tests;
}

}  // namespace flakebisect::bisect::simulate
