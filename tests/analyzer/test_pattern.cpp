#include "analyzer/pattern.h"

#include <catch2/catch.hpp>

using namespace flakebisect::analyzer;

TEST_CASE("A pattern is searched with ECMAScript's syntax", "[pattern]") {
  CHECK(Pattern("Key\\w+: '\\d{2}'").found_in("Traceback\nKeyError: '42'\n"));
  CHECK(Pattern("^Traceback").found_in("Traceback\nKeyError\n"));
  CHECK_FALSE(Pattern("^KeyError").found_in("Traceback\nKeyError\n"));
  CHECK_FALSE(Pattern("Traceback.KeyError").found_in("Traceback\nKeyError\n"));
  CHECK(Pattern("Traceback[\\s\\S]*KeyError").found_in("Traceback\nKeyError\n"));
  CHECK(Pattern("a(?=b)(?:b|c)+?$").found_in("aab"));
  CHECK(Pattern("(\\d+)-(\\d+)?").groups_of("12-") == std::vector<std::string>{"12-", "12", ""});
  CHECK_FALSE(Pattern("\\d+").groups_of("12-"));
}

TEST_CASE("A pattern that is none says so", "[pattern]") {
  for (const auto* text : {"(", "[a", "*a", "a**", "\\"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(Pattern(text), BadPattern);
  }
}

TEST_CASE("A long line neither ends the program nor goes unfound", "[pattern]") {
  const std::string line = "AssertionError: " + std::string(1'000'000, 'a') + "b";
  CHECK(Pattern("AssertionError.*b").found_in(line));
  CHECK_FALSE(Pattern("AssertionError.*c").found_in(line));
  CHECK(Pattern("(?:a)*b$").found_in(line));
}

TEST_CASE("A pattern that takes too many steps is an error with its text", "[pattern]") {
  const Pattern pattern("(a*)*(a*)*(a*)*c");
  CHECK_THROWS_WITH(pattern.found_in(std::string(400, 'a')), Catch::Contains("(a*)*(a*)*(a*)*c"));
}
