#include <catch2/catch.hpp>

#include "bisect/concurrent_timing.h"

using namespace flakebisect::bisect;

namespace {

BesideTest test(const char* id, double seconds, std::optional<double> lead = std::nullopt) {
  return {id, 0, seconds, lead};
}

}  // namespace

TEST_CASE("a test met the victim where they share a moment") {
  CHECK(met_victim(test("before and into it", 2, -1), 1));
  CHECK(met_victim(test("within", 0.1, 0.5), 1));
  CHECK(met_victim(test("touches its end", 1, 1), 1));
  CHECK_FALSE(met_victim(test("over before", 1, -2), 1));
  CHECK_FALSE(met_victim(test("after", 1, 1.5), 1));
  CHECK_FALSE(met_victim(test("no times", 1), 1));
}

TEST_CASE("workers start together where the list is as it was") {
  // The victim starts after 5 seconds, and the other worker's third test half a second before it.
  const auto delays = start_delays({{test("a", 2, -5), test("b", 2.5, -3), test("c", 1, -0.5)}}, 5, 1);
  CHECK(delays.own == Approx(0));
  CHECK(delays.beside.at(0) == Approx(0));
}

TEST_CASE("a test that met the victim meets it again when those before it are gone") {
  const auto delays = start_delays({{test("c", 1, -0.5)}, {test("y", 1, -4), test("x", 2, -1)}}, 5, 1);
  CHECK(delays.own == Approx(0));
  CHECK(delays.beside.at(0) == Approx(4.5));
  CHECK(delays.beside.at(1) == Approx(3));
}

TEST_CASE("the victim's worker waits for a list that should have begun before it") {
  const auto delays = start_delays({{test("long", 20, -12)}, {test("later", 1, 0.25)}}, 5, 1);
  CHECK(delays.own == Approx(7));
  CHECK(delays.beside.at(0) == Approx(0));
  CHECK(delays.beside.at(1) == Approx(12.25));
}

TEST_CASE("without times everything starts at once") {
  const auto delays = start_delays({{test("a", 1), test("b", 1)}, {test("c", 1)}}, 30, 1);
  CHECK(delays.own == 0);
  CHECK(delays.beside == std::vector<double>{0, 0});
}
