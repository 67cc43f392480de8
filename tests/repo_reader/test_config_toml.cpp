#include <catch2/catch.hpp>
#include <string>

#include "repo_reader/config.h"
#include "repo_reader/config_toml.h"

using Catch::Matchers::Contains;
using flakebisect::repo_reader::ConfigError;
using flakebisect::repo_reader::read_toml_table;
using flakebisect::repo_reader::TomlValue;

namespace {

auto read(std::string_view text, bool* found = nullptr) {
  bool is_there = false;
  auto values = read_toml_table(text, "tool.stestr", "pyproject.toml", is_there);
  if (found != nullptr) *found = is_there;
  return values;
}

}  // namespace

TEST_CASE("one table is found among everything else TOML has") {
  bool found = false;
  const auto values = read(R"(# a comment with [tool.stestr] in it
title = "x" # behind a value
[build-system]
requires = ["setuptools >= 40 # no comment", 'wheel', # a comment ]
  [1, 2, {a = "]", b = [ ]}],
]
numbers = {i = +1_000, f = 6.626e-34, n = nan, d = 1979-05-27T07:32:00Z, t = 07:32:00 }
text = """
[tool.stestr]
test_path = "wrong"
\"""quoted\""" """
literal = '''
[tool.stestr]
it's'''
[[tool.stestr.list]]
test_path = "wrong"
[tool.stestr]
test_path = "./tests\u00e9\t"   # the path
top_dir = 'C:\dir'
parallel_class = true
odd.dotted = 1
"group_regex" = '''([^\.]+\.)+'''
[tool.other]
test_path = "wrong"
)",
                           &found);
  CHECK(found);
  REQUIRE(values.size() == 4);
  CHECK(values.at("test_path").text == "./tests\xC3\xA9\t");
  CHECK(values.at("test_path").line == 18);
  CHECK(values.at("top_dir").text == "C:\\dir");
  CHECK(values.at("parallel_class").kind == TomlValue::Kind::boolean);
  CHECK(values.at("parallel_class").text == "true");
  CHECK(values.at("group_regex").text == R"(([^\.]+\.)+)");
}

TEST_CASE("dotted keys and inline tables are the same table") {
  CHECK(read("tool.stestr.test_path = 'a'").at("test_path").text == "a");
  CHECK(read("[tool]\nstestr.test_path = 'a'\n").at("test_path").text == "a");
  CHECK(read("[tool]\nstestr = {test_path = 'a', top_dir=\"b\"}\n").at("top_dir").text == "b");
  CHECK(read("[ tool . \"stestr\" ]\r\ntest_path = 'a'\r\n").at("test_path").text == "a");
  CHECK(read("[\"tool.stestr\"]\ntest_path = 'a'\n").empty());
}

TEST_CASE("an absent table is told from an empty one") {
  bool found = true;
  CHECK(read("[tool.x]\na = 1\n", &found).empty());
  CHECK_FALSE(found);
  CHECK(read("[tool.stestr]\n", &found).empty());
  CHECK(found);
}

TEST_CASE("quotes next to the end of a long string belong to it") {
  CHECK(read("[tool.stestr]\na = \"\"\"x\"\"\"\"\"\n").at("a").text == "x\"\"");
  CHECK(read("[tool.stestr]\na = \"\"\"one\\\n   two\"\"\"\n").at("a").text == "onetwo");
}

TEST_CASE("what is not TOML is an error with its line") {
  for (const char* text : {"a", "a =", "a = \"x", "a = [1, 2", "[a\nb=1", "a = {b = 1", "a = \"\\q\"",
                           "a = \"\\u12\"", "a = 'x' y", "= 1", "a = \"x\ny\""}) {
    CAPTURE(text);
    CHECK_THROWS_AS(read(text), ConfigError);
  }
  CHECK_THROWS_WITH(read("\n\na b\n"), Contains("pyproject.toml:3"));
  CHECK_THROWS_WITH(read("[tool.stestr]\na=1\na=2\n"), Contains(":3") && Contains("second"));
  CHECK_THROWS_AS(read("a = " + std::string(5000, '[')), ConfigError);
}
