#pragma once

/// Real test projects in temporary directories, for tests of what runs them.

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "bisect/command_runner.h"

namespace flakebisect::bisect::testing {

namespace fs = std::filesystem;

/// A directory with a Python package `tests`, and its own TMPDIR; goes away with its object.
class Project {
 public:
  Project() {
    std::string name = (fs::temp_directory_path() / "flakebisect project-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
    fs::create_directories(path / "tests");
    fs::create_directories(path / "tmp");
    std::ofstream(path / "tests/__init__.py") << "";
  }
  ~Project() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  Project(const Project&) = delete;
  Project& operator=(const Project&) = delete;

  void write(const std::string& file, const std::string& text) const {
    std::ofstream(path / file, std::ios::binary) << text;
  }
  std::string read(const std::string& file) const {
    std::ifstream stream(path / file, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
  }
  /// The command that testr's and stestr's users write.
  CommandRunnerOptions options() const {
    CommandRunnerOptions made;
    made.command.command = FLAKEBISECT_PYTHON " -B -m subunit.run discover -t ./ ./tests $LISTOPT $IDOPTION";
    made.command.id_option = "--load-list $IDFILE";
    made.command.list_option = "--list";
    made.directory = path.string();
    made.output = OutputKind::subunit;
    return made;
  }
  /// Shell text for --command.
  CommandRunnerOptions shell(const std::string& text) const {
    CommandRunnerOptions made;
    made.command.command = text;
    made.directory = path.string();
    return made;
  }

  fs::path path;
};

inline ProbeResult run(CommandRunner& runner, const std::vector<std::string>& before,
                       const std::string& victim) {
  const std::atomic<bool> cancel{false};
  ProbeRequest request;
  request.before = before;
  request.victim = victim;
  return runner.run(request, cancel);
}

inline ProbeResult run(const CommandRunnerOptions& options, const std::vector<std::string>& before,
                       const std::string& victim) {
  CommandRunner runner(options);
  return run(runner, before, victim);
}

inline std::vector<std::string> ids_of(const ProbeResult& result) {
  std::vector<std::string> ids;
  for (const auto& test : result.ran) ids.push_back(test.id);
  return ids;
}

inline bool lives(pid_t pid) {
  return kill(pid, 0) == 0;
}

/// Of this process.
inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

}  // namespace flakebisect::bisect::testing
