#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "repo_reader/config.h"
#include "repo_reader/config_ini.h"

using Catch::Matchers::Contains;
using flakebisect::repo_reader::ConfigError;
using flakebisect::repo_reader::IniFile;

namespace {

IniFile parse(std::string_view text) {
  return IniFile::parse(text, "some.conf");
}

/// Files in which configparser's rules show; the key of interest is `k`.
const std::vector<std::string> dialect = {
    "[DEFAULT]\nk=v\n",
    "[DEFAULT]\nK : v w \n",
    "[DEFAULT]\nk = a=b:c\n",
    "[DEFAULT]\nk:a=b\n",
    "[DEFAULT]\nk=\n",
    "[DEFAULT]\nk=one\n two\n\tthree  \nother=x\n",
    "[DEFAULT]\nk=one \\\n   two\n",
    "[DEFAULT]\nk=one\n# gone\n  # gone too\n ; and this\n two # stays\n",
    "[DEFAULT]\nk=one\n\n\n two\n\n\nother=1\n",
    "[DEFAULT]\nk=one\n\n\n\n",
    "[DEFAULT]\nk=50%%\n",
    "[DEFAULT]\nk=%(name)s-%(NAME)s\nname=x%%y\n",
    "[DEFAULT]\nk=%\n",
    "[DEFAULT]\nk=50% of\n",
    "[DEFAULT]\nk=%(gone)s\n",
    "[DEFAULT]\nk=%(name\nname=1\n",
    "[DEFAULT]\nk=%(name)d\nname=1\n",
    "[DEFAULT]\nk=%()s\n",
    "[DEFAULT]\nk=%(k)s\n",
    "[DEFAULT]\nk=%(a)s\na=%(b)s\nb=%(c)s\nc=end\n",
    "[DEFAULT]\r\nk=one\r\n two\r\n",
    "[DEFAULT]\rk=one\r",
    "k=v\n",
    "\n# nothing before\n[DEFAULT]\nk=v\n",
    "[DEFAULT]\nk=1\nk=2\n",
    "[DEFAULT]\nk=1\nK=2\n",
    "[DEFAULT]\nk=1\n[DEFAULT]\nk2=1\n",
    "[DEFAULT]\nk=1\n[a]\nx=1\n[a]\ny=2\n",
    "[DEFAULT]\nk=1\n[a]\nk=2\n",
    "[DEFAULT] trailing\nk=1\n",
    "[DEFAULT]\nk=1\nnonsense\n",
    "[DEFAULT]\n=1\nk=1\n",
    "[DEFAULT]\n  k=1\n  j=2\n",
    "[DEFAULT]\n  k=1\n   j=2\n",
    "  [DEFAULT]\nk=1\n",
    "[DEFAULT]\nk=1 ; not a comment\n",
    "[DEFAULT]\nk = \"quoted\"\n",
    "[DEFAULT]\nk=\n  below\n",
    "[DEFAULT]\nk=${PYTHON:-python} -m subunit.run discover -t ./ ./tests $LISTOPT $IDOPTION\n",
    "[DEFAULT]\nk=a\n[other]\nz=%\n",
    "[DEFAULT]\nk=[x]\n [y]\n",
    "[default]\nk=1\n",
    "[DEFAULT]\nmy key = 1\nk=2",
};

constexpr const char* oracle = R"(
import configparser, json, sys
out = []
for text in json.load(open(sys.argv[1])):
    parser = configparser.ConfigParser()
    try:
        import io
        parser.read_file(io.StringIO(text, newline=None))
        out.append(parser.get('DEFAULT', 'k'))
    except configparser.NoOptionError:
        out.append(None)
    except configparser.Error:
        out.append({'error': 1})
json.dump(out, sys.stdout)
)";

std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  char buffer[4096];
  while (const std::size_t got = fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, got);
  REQUIRE(pclose(pipe) == 0);
  return output;
}

}  // namespace

TEST_CASE("the dialect is configparser's own") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("flakebisect-ini-" + std::to_string(getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "oracle.py") << oracle;
  std::ofstream(folder / "cases.json") << nlohmann::json(dialect).dump();
  const auto expected =
      nlohmann::json::parse(output_of(FLAKEBISECT_PYTHON " '" + (folder / "oracle.py").string() + "' '" +
                                      (folder / "cases.json").string() + "'"));
  fs::remove_all(folder);
  REQUIRE(expected.size() == dialect.size());
  for (std::size_t i = 0; i < dialect.size(); ++i) {
    CAPTURE(dialect[i], expected[i].dump());
    if (expected[i].is_object()) {
      CHECK_THROWS_AS(parse(dialect[i]).get("DEFAULT", "k"), ConfigError);
    } else {
      const auto value = parse(dialect[i]).get("DEFAULT", "k");
      CHECK(value.has_value() == expected[i].is_string());
      if (value && expected[i].is_string()) CHECK(*value == expected[i].get<std::string>());
    }
  }
}

TEST_CASE("a section has the keys of DEFAULT, and its own before them") {
  const auto file = parse("[DEFAULT]\na=1\nb=2\n[stestr]\nb=3\nc=%(a)s%(b)s\n");
  CHECK(file.get("stestr", "a") == "1");
  CHECK(file.get("stestr", "B") == "3");
  CHECK(file.get("stestr", "c") == "13");
  CHECK(file.get("DEFAULT", "b") == "2");
  CHECK_FALSE(file.get("DEFAULT", "c"));
  CHECK_FALSE(file.get("tox", "a"));
  CHECK(file.has_section("stestr"));
  CHECK_FALSE(file.has_section("tox"));
  CHECK(file.line_of("stestr", "c") == 6);
  CHECK(file.line_of("stestr", "nothing") == 0);
}

TEST_CASE("a byte order mark is skipped") {
  CHECK(parse("\xEF\xBB\xBF[DEFAULT]\na=1\n").get("DEFAULT", "a") == "1");
}

TEST_CASE("INI errors name file, line and remedy") {
  CHECK_THROWS_WITH(parse("\na=1\n"), Contains("some.conf:2: 'a=1'") && Contains("[DEFAULT]"));
  CHECK_THROWS_WITH(parse("[DEFAULT]\nx\n"), Contains("some.conf:2: 'x'") && Contains("indent"));
  CHECK_THROWS_WITH(parse("[DEFAULT]\na=1\nA=2\n"), Contains("some.conf:3") && Contains("line 2"));
  CHECK_THROWS_WITH(parse("[a]\nx=1\n[a]\n"), Contains("some.conf:3") && Contains("[a]"));
  const auto percent = parse("[DEFAULT]\n\nb=5%\n");
  CHECK_THROWS_WITH(percent.get("DEFAULT", "b"), Contains("some.conf:3") && Contains("%%"));
  const auto gone = parse("[DEFAULT]\nb=%(c)s\n");
  CHECK_THROWS_WITH(gone.get("DEFAULT", "b"), Contains("%(c)s"));
}
