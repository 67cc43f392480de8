#include "analyzer/instances.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <sstream>

#include "bisect/child_process.h"
#include "bisect/command_template.h"
#include "bisect/runner.h"

namespace flakebisect::analyzer {

namespace {

/// Machines may take their time to come up.
constexpr double provision_limit_seconds = 1800;
constexpr double dispose_limit_seconds = 300;

std::string replaced(std::string text, const std::string& variable, const std::string& value) {
  for (auto at = text.find(variable); at != std::string::npos; at = text.find(variable, at + value.size()))
    text.replace(at, variable.size(), value);
  return text;
}

struct Ended {
  int wait_status = -1;  ///< -1: it was cancelled or did not end in time
  std::string out, err;
};

Ended run(const std::string& command, const std::string& directory, double limit_seconds,
          const std::atomic<bool>* cancel) {
  bisect::ChildOptions options;
  options.command = command;
  options.directory = directory;
  bisect::ChildProcess child(options);
  Ended ended;
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(limit_seconds);
  while (!child.exited() && std::chrono::steady_clock::now() < until && !(cancel != nullptr && *cancel))
    child.wait(0.1, ended.out, ended.err);
  const bool in_time = child.exited();
  for (int i = 0; in_time && i < 100 && child.wait(0, ended.out, ended.err) && child.out_open(); ++i) {
  }
  child.terminate(in_time ? 0 : 2);
  if (in_time) ended.wait_status = child.wait_status();
  return ended;
}

}  // namespace

Instances::Instances(const repo_reader::TestConfig& config, const std::string& directory, std::size_t count,
                     const std::atomic<bool>& cancel, std::optional<double> budget_seconds)
    : directory_(directory), dispose_(config.instance_dispose.value_or("")) {
  if (!config.instance_provision || !config.instance_execute) {
    throw repo_reader::ConfigError(
        fmt::format("{}: --launcher testr needs instance_provision and instance_execute (and "
                    "instance_dispose, to give the "
                    "instances back)",
                    config.file.string()));
  }
  const auto command = replaced(*config.instance_provision, "$INSTANCE_COUNT", std::to_string(count));
  const double limit = std::min(provision_limit_seconds, budget_seconds.value_or(provision_limit_seconds));
  const auto ended = run(command, directory, limit, &cancel);
  std::istringstream words(ended.out);
  for (std::string word; words >> word;) ids_.push_back(word);
  if (ended.wait_status == 0 && !ids_.empty()) return;
  const std::string message =
      fmt::format("instance_provision '{}' {}, and named {} instances{}{}", command,
                  ended.wait_status == -1 ? fmt::format("did not end within {:.6g} seconds", limit)
                                          : bisect::describe_wait_status(ended.wait_status),
                  ids_.size(), ended.err.empty() ? "" : "; it said:\n", ended.err);
  // The destructor of an object whose constructor throws is not run.
  if (!ids_.empty() && !dispose_.empty()) {
    std::string all;
    for (const auto& id : ids_) all += (all.empty() ? "" : " ") + id;
    run(replaced(dispose_, "$INSTANCE_IDS", all), directory, dispose_limit_seconds, nullptr);
  }
  throw bisect::CannotRun(message);
}

Instances::~Instances() {
  if (ids_.empty() || dispose_.empty()) return;
  std::string all;
  for (const auto& id : ids_) all += (all.empty() ? "" : " ") + id;
  try {
    const auto command = replaced(dispose_, "$INSTANCE_IDS", all);
    const auto ended = run(command, directory_, dispose_limit_seconds, nullptr);
    if (ended.wait_status != 0) {
      std::fprintf(stderr, "warning: instance_dispose '%s' failed; the instances may still be there: %s\n",
                   command.c_str(), ended.err.c_str());
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "warning: the instances %s were not disposed of: %s\n", all.c_str(), error.what());
  }
}

}  // namespace flakebisect::analyzer
