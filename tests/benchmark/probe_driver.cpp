/// Runs the same probe many times through one of our runners and prints what it cost, as one line of JSON:
///   probe_driver command|cold|warm DIRECTORY COMMAND TEST SECONDS MOST
/// `command` is a test command with --load-list $IDFILE, `cold` and `warm` take a server's command; cold
/// starts a new server for each probe. It stops after SECONDS or MOST probes. scripts/benchmark-probes is the
/// way to start it.

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bisect/command_runner.h"
#include "bisect/server_runner.h"

namespace {

using namespace flakebisect::bisect;
using Clock = std::chrono::steady_clock;

/// Processor seconds of this process alone: children count elsewhere, and only once they are reaped.
double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Resident kilobytes of a process now; 0 where there is none.
long resident_kilobytes(const std::string& process) {
  std::ifstream file("/proc/" + process + "/status");
  std::string word;
  while (file >> word) {
    long value = 0;
    if (word == "VmRSS:" && file >> value) return value;
  }
  return 0;
}

std::unique_ptr<Runner> make_runner(const std::string& mode, const std::string& directory,
                                    const std::string& command) {
  if (mode == "command") {
    CommandRunnerOptions options;
    options.command.command = command;
    options.command.id_option = "--load-list $IDFILE";
    options.directory = directory;
    options.output = OutputKind::subunit;
    return std::make_unique<CommandRunner>(std::move(options));
  }
  ServerRunnerOptions options;
  options.command = command;
  options.directory = directory;
  options.replacement = {1000000000, 1, 0};  // one server throughout: what is measured is the probe
  return std::make_unique<ServerRunner>(std::move(options));
}

int measure(const std::vector<std::string>& args) {
  const std::string& mode = args[0];
  const double limit = std::stod(args[4]);
  const unsigned long most = std::stoul(args[5]);
  const auto runner = make_runner(mode, args[1], args[2]);
  const auto* server = dynamic_cast<const ServerRunner*>(runner.get());
  const std::atomic<bool> never{false};
  ProbeRequest request;
  request.victim = args[3];
  request.fresh_process = mode == "cold";
  std::vector<double> seconds;
  seconds.reserve(
      std::min<std::size_t>(most, 1U << 20U));  // so that it does not grow while memory is watched
  // The first probe is not counted: it starts the warm server.
  const ProbeResult first = runner->run(request, never);
  if (first.end != VictimEnd::pass) {
    std::fprintf(stderr, "the test did not pass: %s%s\n%s\n", first.void_reason.c_str(),
                 first.traceback.c_str(), first.output_tail.c_str());
    return 1;
  }
  const auto server_memory = [&] {
    return server != nullptr && server->warm_pid() > 0
               ? resident_kilobytes(std::to_string(server->warm_pid()))
               : 0;
  };
  // Memory is compared once caches and pools are full: after a tenth of the probes, or a hundred.
  const unsigned long settle = std::min<unsigned long>(std::max<unsigned long>(most / 10, 1), 100);
  long memory_before = 0, server_before = 0;
  const double cpu_before = own_cpu_seconds();
  const auto begin = Clock::now();
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  while (seconds.size() < most && (seconds.empty() || since(begin) < limit)) {
    const auto start = Clock::now();
    if (runner->run(request, never).end != VictimEnd::pass) {
      std::fprintf(stderr, "probe %zu did not pass\n", seconds.size() + 1);
      return 1;
    }
    seconds.push_back(since(start));
    if (seconds.size() == settle || seconds.size() == 1) {
      memory_before = resident_kilobytes("self");
      server_before = server_memory();
    }
  }
  const double wall = since(begin);
  const double cpu = own_cpu_seconds() - cpu_before;
  const auto count = static_cast<double>(seconds.size());
  std::vector<double> sorted = seconds;
  std::sort(sorted.begin(), sorted.end());
  std::printf(
      "{\"mode\": \"%s\", \"probes\": %zu, \"seconds\": %.6f, \"probes_per_second\": %.3f, "
      "\"median_seconds\": %.6f, "
      "\"p95_seconds\": %.6f, \"own_cpu_seconds_per_probe\": %.6f, \"memory_kilobytes\": [%ld, %ld], "
      "\"server_memory_kilobytes\": [%ld, %ld]}\n",
      mode.c_str(), seconds.size(), wall, count / wall, sorted[sorted.size() / 2],
      sorted[std::min(sorted.size() - 1, sorted.size() * 95 / 100)], cpu / count, memory_before,
      resident_kilobytes("self"), server_before, server_memory());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() != 6) {
    std::fputs("usage: probe_driver command|cold|warm DIRECTORY COMMAND TEST SECONDS MOST\n", stderr);
    return 2;
  }
  try {
    return measure(args);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "probe_driver: %s\n", failure.what());
    return 1;
  }
}
