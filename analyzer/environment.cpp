#include "analyzer/environment.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>

#include "analyzer/sha256.h"
#include "bisect/child_process.h"
#include "bisect/runner.h"

namespace flakebisect::analyzer {

namespace {

/// Of the hash of what is changed: enough to tell two states of one tree apart.
constexpr std::size_t change_digits = 12;

/// What a quick command prints; nothing where it fails or takes longer than a few seconds.
std::optional<std::string> output_of(const std::string& command, const std::string& directory) {
  constexpr double patience_seconds = 5;
  bisect::ChildOptions options;
  options.command = command;
  options.directory = directory;
  try {
    bisect::ChildProcess child(options);
    std::string out;
    std::string err;
    const auto start = std::chrono::steady_clock::now();
    while (!child.exited() || child.out_open()) {
      const double used = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (used >= patience_seconds || !child.wait(patience_seconds - used, out, err)) return std::nullopt;
    }
    if (child.wait_status() != 0) return std::nullopt;
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
  } catch (const bisect::CannotRun&) {
    return std::nullopt;
  }
}

}  // namespace

ReportEnvironment read_environment(const std::string& directory) {
  ReportEnvironment environment;
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) == 0) environment.host = host.data();
  utsname system{};
  if (uname(&system) == 0) {
    environment.versions.emplace_back(system.sysname, system.release);
  }
  if (const auto revision = output_of("git rev-parse HEAD", directory)) {
    environment.git_revision = *revision;
    const auto changed = output_of("git status --porcelain --untracked-files=no", directory);
    if (changed && !changed->empty()) {
      environment.git_revision += "-dirty";
      // A tree that was changed before may have been changed again.
      const auto change = output_of(
          "git -c diff.relative=false diff --no-ext-diff --no-textconv --no-color --binary HEAD", directory);
      if (change) environment.git_revision += "-" + sha256_hex(*change).substr(0, change_digits);
    }
  }
  return environment;
}

}  // namespace flakebisect::analyzer
