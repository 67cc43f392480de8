#include "bisect/simulate/judge.h"

#include <algorithm>

namespace flakebisect::bisect::simulate {
namespace {

bool right(const Truth& truth, const PolicyAnswer& answer) {
  std::vector<TestIndex> named = answer.tests;
  std::sort(named.begin(), named.end());
  const bool all_true = !named.empty() && std::includes(truth.culprits.begin(), truth.culprits.end(),
                                                        named.begin(), named.end());
  switch (truth.kind) {
    case CaseKind::self:
      return answer.kind == Kind::self;
    case CaseKind::polluter:
    case CaseKind::polluters:
      return answer.kind == Kind::polluter && named.size() == 1 && all_true;
    case CaseKind::polluter_set:
      return (answer.kind == Kind::polluter_set || answer.kind == Kind::polluter) && named == truth.culprits;
    case CaseKind::brittle:
      return answer.kind == Kind::brittle && all_true;
    case CaseKind::cumulative:
      return answer.kind == Kind::cumulative;
    case CaseKind::not_reproduced:
      return answer.kind == Kind::not_reproduced;
  }
  return false;
}

}  // namespace

Judgement judge(const SimCase& sim_case, const PolicyAnswer& answer) {
  if (right(sim_case.truth, answer)) {
    return Judgement::right;
  }
  const bool silent = answer.kind == Kind::inconclusive || answer.kind == Kind::not_reproduced;
  return silent ? Judgement::abstained : Judgement::wrong;
}

bool accuses(const PolicyAnswer& answer) {
  return answer.kind == Kind::polluter || answer.kind == Kind::polluter_set || answer.kind == Kind::brittle ||
         answer.kind == Kind::cumulative;
}

}  // namespace flakebisect::bisect::simulate
