#include "bisect/engine.h"

namespace flakebisect::bisect {

std::string kind_name(Kind kind) {
  switch (kind) {
    case Kind::self:
      return "self";
    case Kind::polluter:
      return "polluter";
    case Kind::polluter_set:
      return "polluter-set";
    case Kind::brittle:
      return "brittle";
    case Kind::cumulative:
      return "cumulative";
    case Kind::concurrent:
      return "concurrent";
    case Kind::not_reproduced:
      return "not-reproduced";
    case Kind::inconclusive:
      return "inconclusive";
  }
  return "inconclusive";
}

std::optional<Kind> kind_from_name(std::string_view name) {
  for (const Kind kind : {Kind::self, Kind::polluter, Kind::polluter_set, Kind::brittle, Kind::cumulative,
                          Kind::concurrent, Kind::not_reproduced, Kind::inconclusive})
    if (kind_name(kind) == name) return kind;
  return std::nullopt;
}

}  // namespace flakebisect::bisect
