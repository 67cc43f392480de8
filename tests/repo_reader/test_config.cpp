#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "repo_reader/config.h"

using Catch::Matchers::Contains;
using namespace flakebisect::repo_reader;

namespace {

namespace fs = std::filesystem;

/// A directory that goes away with its object.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "flakebisect-config-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << text;
  }
  fs::path path;
};

/// Sets an environment variable, and puts back what was there.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* now = getenv(name)) before_ = now;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (before_) {
      setenv(name_, before_->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

std::string python_for(const std::string& script) {
  const Folder bin;
  bin.write("stestr", script);
  fs::permissions(bin.path / "stestr", fs::perms::owner_all);
  const Variable path("PATH", bin.path.string() + ":/usr/bin:/bin");
  const Variable none("PYTHON", "");
  return stestr_python();
}

}  // namespace

TEST_CASE("every key of .testr.conf is read") {
  const Folder folder;
  folder.write(".testr.conf",
               "[DEFAULT]\n"
               "TEST_COMMAND=OS_X=1 \\\n    ${PYTHON:-python} -m subunit.run discover $LISTOPT $IDOPTION\n"
               "test_id_option=--load-list $IDFILE\ntest_list_option=--list\ntest_id_list_default=a b\n"
               "filter_tags=zope:layer  other\n group_regex: x\n"
               "test_run_concurrency=echo 2\ninstance_provision=p $INSTANCE_COUNT\n"
               "instance_execute=e $INSTANCE_ID $COMMAND\ninstance_dispose=d $INSTANCE_IDS\n"
               "test_server_command=server --rate 5%%\n");
  CHECK_FALSE(read_config(folder.path / "nowhere", ConfigFamily::testr));
  const auto config = read_config(folder.path, ConfigFamily::testr);
  REQUIRE(config);
  CHECK(config->family == ConfigFamily::testr);
  CHECK(config->file == folder.path / ".testr.conf");
  CHECK(require_test_command(*config) ==
        "OS_X=1 \\\n${PYTHON:-python} -m subunit.run discover $LISTOPT $IDOPTION");
  CHECK(config->test_id_option == "--load-list $IDFILE");
  CHECK(config->test_list_option == "--list");
  CHECK(config->test_id_list_default == "a b");
  // The indented line above continues filter_tags.
  CHECK(config->filter_tags == std::vector<std::string>{"zope:layer", "other", "group_regex:", "x"});
  CHECK_FALSE(config->group_regex);
  CHECK(config->test_run_concurrency == "echo 2");
  CHECK(config->instance_provision == "p $INSTANCE_COUNT");
  CHECK(config->instance_execute == "e $INSTANCE_ID $COMMAND");
  CHECK(config->instance_dispose == "d $INSTANCE_IDS");
  CHECK(config->test_server_command == "server --rate 5%");
}

TEST_CASE("what testr refuses is refused, with a remedy") {
  const Folder folder;
  const auto message_of = [&](const std::string& text) {
    folder.write(".testr.conf", text);
    try {
      require_test_command(*read_config(folder.path, ConfigFamily::testr));
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK_THAT(message_of("[DEFAULT]\n"), Contains(".testr.conf") && Contains("test_command"));
  CHECK_THAT(message_of("[DEFAULT]\ntest_command=x $IDOPTION\n"), Contains("no test_id_option"));
  CHECK_THAT(message_of("[DEFAULT]\ntest_command=x $LISTOPT\n"), Contains("no test_list_option"));
  CHECK_THAT(message_of("[DEFAULT]\ntest_command=date +%s\n"), Contains(".testr.conf:2") && Contains("%%"));
  CHECK_THAT(message_of("test_command=x\n"), Contains(".testr.conf:1"));
  CHECK(message_of("[DEFAULT]\ntest_command=x $IDLIST\n").empty());
}

TEST_CASE("stestr's command is made of test_path and top_dir") {
  const Variable python("PYTHON", "/opt/my python");
  const Folder folder;
  folder.write(".stestr.conf", "[DEFAULT]\ntest_path=./my tests\n");
  auto config = read_config(folder.path, ConfigFamily::stestr);
  REQUIRE(config);
  CHECK(config->family == ConfigFamily::stestr);
  CHECK(require_test_command(*config) ==
        "${PYTHON} -m stestr.subunit_runner.run discover -t \"./\" \"./my tests\" $LISTOPT $IDOPTION");
  CHECK(config->test_id_option == "--load-list $IDFILE");
  CHECK(config->test_list_option == "--list");
  CHECK_FALSE(config->group_regex);
  folder.write(".stestr.conf",
               "[DEFAULT]\ntest_path=t\ntop_dir=..\ngroup_regex=a.b\ntest_server_command=srv\n"
               "test_command=left over\n");
  config = read_config(folder.path, ConfigFamily::stestr);
  CHECK(config->test_command ==
        "${PYTHON} -m stestr.subunit_runner.run discover -t \"..\" \"t\" $LISTOPT $IDOPTION");
  CHECK(config->group_regex == "a.b");
  CHECK(config->test_server_command == "srv");
  folder.write(".stestr.conf", "[DEFAULT]\ntest_path=t\ngroup_regex=a\nparallel_class=Yes\n");
  CHECK(read_config(folder.path, ConfigFamily::stestr)->group_regex == R"(([^\.]*\.)*)");
  folder.write(".stestr.conf", "[DEFAULT]\ntest_path=t\nparallel_class=maybe\n");
  CHECK_THROWS_WITH(read_config(folder.path, ConfigFamily::stestr), Contains("parallel_class is 'maybe'"));
  folder.write(".stestr.conf", "[DEFAULT]\ngroup_regex=a\n");
  CHECK_THROWS_WITH(require_test_command(*read_config(folder.path, ConfigFamily::stestr)),
                    Contains(".stestr.conf") && Contains("test_path"));
  folder.write(".stestr.conf", "[DEFAULT]\ntest_command=own $IDLIST\n");
  CHECK(require_test_command(*read_config(folder.path, ConfigFamily::stestr)) == "own $IDLIST");
}

TEST_CASE("stestr's files in stestr's order, then testr's") {
  const Variable python("PYTHON", "py");
  const Folder folder;
  folder.write(".testr.conf", "[DEFAULT]\ntest_command=testr\n");
  const auto chosen = [&](ConfigFamily family) {
    const auto config = read_config(folder.path, family);
    return config->file.filename().string() + " " + config->section;
  };
  CHECK(chosen(ConfigFamily::stestr) == ".testr.conf DEFAULT");
  folder.write("tox.ini", "[tox]\nenvlist = a\n[stestr]\ntest_path=tox\n");
  CHECK(chosen(ConfigFamily::stestr) == "tox.ini stestr");
  CHECK(chosen(ConfigFamily::testr) == ".testr.conf DEFAULT");
  folder.write("pyproject.toml", "[project]\nname = 'x'\ndependencies = ['stestr']\n");
  CHECK(chosen(ConfigFamily::stestr) == "tox.ini stestr");
  folder.write("pyproject.toml", "[tool.stestr]\ntest_path = \"toml\"\nparallel_class = true\n");
  CHECK(chosen(ConfigFamily::stestr) == "pyproject.toml tool.stestr");
  const auto config = read_config(folder.path, ConfigFamily::stestr);
  CHECK(config->test_command ==
        "${PYTHON} -m stestr.subunit_runner.run discover -t \"./\" \"toml\" $LISTOPT $IDOPTION");
  CHECK(config->group_regex == R"(([^\.]*\.)*)");
  folder.write("pyproject.toml", "[tool.stestr]\ntest_path = [\"toml\"]\n");
  CHECK_THROWS_WITH(read_config(folder.path, ConfigFamily::stestr), Contains("pyproject.toml:2: test_path"));
  folder.write(".stestr.conf", "[DEFAULT]\ntest_path=x\n");
  CHECK(chosen(ConfigFamily::stestr) == ".stestr.conf DEFAULT");
  fs::remove(folder.path / ".testr.conf");
  CHECK(chosen(ConfigFamily::testr) == ".stestr.conf DEFAULT");
}

TEST_CASE("a tox.ini without stestr is left alone, whatever it holds") {
  const Folder folder;
  folder.write("tox.ini", "not an ini file\n");
  CHECK_FALSE(read_config(folder.path, ConfigFamily::stestr));
}

TEST_CASE("a configuration that is a directory is an error") {
  const Folder folder;
  folder.write(".testr.conf/inside", "");
  CHECK_THROWS_WITH(read_config(folder.path, ConfigFamily::testr), Contains("cannot be read"));
}

TEST_CASE("the interpreter is the one that runs stestr") {
  CHECK(python_for("#! /usr/bin/python3\n") == "/usr/bin/python3");
  CHECK(python_for("#!/srv/venv/bin/python3.11 -E\nimport x\n") == "/srv/venv/bin/python3.11");
  CHECK(python_for("#!/usr/bin/env python3.9\n") == "python3.9");
  CHECK(python_for("#!/bin/sh\n'''exec' \"/a b/python3\" \"$0\" \"$@\"\n' '''\n") == "\"/a b/python3\"");
  CHECK(python_for("#!/bin/sh\n'''exec' /long/python3 \"$0\" \"$@\"\n") == "/long/python3");
  CHECK(python_for("#!/usr/bin/env bash\nexec pyenv\n") == "python3");
  CHECK(python_for("") == "python3");
  const Variable python("PYTHON", "chosen");
  CHECK(stestr_python() == "${PYTHON}");
}
