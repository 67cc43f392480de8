#include <catch2/catch.hpp>

#include "bisect/engine.h"

using flakebisect::bisect::Kind;
using flakebisect::bisect::kind_name;

TEST_CASE("kind names are those of the JSON report") {
  CHECK(kind_name(Kind::self) == "self");
  CHECK(kind_name(Kind::polluter_set) == "polluter-set");
  CHECK(kind_name(Kind::not_reproduced) == "not-reproduced");
  CHECK(kind_from_name("polluter-set") == Kind::polluter_set);
  CHECK_FALSE(kind_from_name("gremlin"));
}
