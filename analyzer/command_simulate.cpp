#include "analyzer/command_simulate.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "analyzer/command_line.h"
#include "analyzer/exit_status.h"
#include "analyzer/sha256.h"
#include "bisect/simulate/policy.h"
#include "bisect/simulate/simulate.h"

namespace flakebisect::analyzer {
namespace {

namespace po = boost::program_options;
namespace simulate = bisect::simulate;

po::options_description simulate_options() {
  po::options_description options("What to simulate");
  // clang-format off
  options.add_options()
    ("cases", po::value<std::uint64_t>()->value_name("N"), "cases of each kind (default: 100; with --bars 200)")
    ("seed", po::value<std::uint64_t>()->default_value(1)->value_name("N"), "every case follows from it")
    ("kind", po::value<std::vector<std::string>>()->value_name("KIND"),
     "self, polluter, polluters, polluter-set, brittle, cumulative or not-reproduced; may be repeated (default: all)")
    ("policy", po::value<std::vector<std::string>>()->value_name("NAME"),
     "ours, told-q, by-hand, change-point, change-point-null, random-halves or testr; may be repeated (default: all)")
    ("confidence", po::value<double>()->default_value(0.95, "0.95")->value_name("P"), "that a verdict needs")
    ("calibration", po::bool_switch(), "ours also at 0.8, 0.9, 0.95 and 0.99")
    ("count-probes", po::bool_switch(), "ours minimises probes instead of machine seconds")
    ("jobs", po::value<unsigned>()->default_value(1)->value_name("N"),
     "ours also with N probes at a time, against one: speed-up and probes")
    ("max-probes", po::value<std::uint64_t>()->default_value(5000)->value_name("N"), "for each case and policy")
    ("max-seconds", po::value<double>()->value_name("S"), "simulated machine time for each case of ours (default: no limit)")
    ("trace", po::value<std::uint64_t>()->value_name("K"), "print case K of one kind, probe by probe");
  po::options_description field("What the cases are like (a range is LOW:HIGH or one value; default: as in the field)");
  field.add_options()
    ("tests", po::value<std::string>()->value_name("RANGE"), "tests before the victim (5:5000)")
    ("startup", po::value<std::string>()->value_name("RANGE"), "seconds to start a process (1:20)")
    ("q", po::value<std::string>()->value_name("RANGE"), "rate of the failure (0.01:1)")
    ("uniform-q", po::bool_switch(), "q log-uniform in its range instead of as in the wild")
    ("background", po::value<std::string>()->value_name("RANGE"), "r, the rate without the cause")
    ("plain", po::bool_switch(),
     "no history, server, drift, voids, other failures, cleaners; each can be set beside it")
    ("correlation", po::value<double>()->value_name("C"), "of outcomes within a server process; 0: no servers")
    ("server-probes", po::value<std::uint32_t>()->default_value(20)->value_name("N"), "that one server process serves")
    ("drift", po::value<double>()->value_name("A"), "amplitude of a slow wave of the rate, in log-odds")
    ("voids", po::value<double>()->value_name("P"), "share of probes that give nothing")
    ("other-failures", po::value<double>()->value_name("P"), "rate of failures with another signature")
    ("history", po::value<std::uint32_t>()->value_name("N"), "stored runs besides the one to explain")
    ("victim-runs", po::value<std::uint32_t>()->default_value(1)->value_name("N"),
     "of the victim that one probe may make, for ours")
    ("by-process", po::value<double>()->default_value(0)->value_name("P"),
     "share of the cases in which all runs of a process end like its first")
    ("set-size", po::value<std::uint32_t>()->default_value(0)->value_name("N"), "of polluter sets; 0: two to four");
  po::options_description output("How to run and what to write");
  output.add_options()
    ("bars", po::bool_switch(), "the benchmark: the bars that the search is held to; status 3 where one is missed")
    ("smoke", po::bool_switch(), "the benchmark on a few small cases, to see that it runs; judges nothing")
    ("threads", po::value<unsigned>()->default_value(0)->value_name("N"), "at once; 0: one for each processor")
    ("store", po::value<std::string>()->value_name("FILE"),
     "keep each case's result in FILE, and do not run again what it holds: after a kill, give the same command")
    ("json", po::value<std::string>()->value_name("FILE"), "the results as JSON (-: standard output)");
  // clang-format on
  options.add(field).add(output).add(common_options());
  return options;
}

double parse_number(const std::string& text, const std::string& option) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') {
    throw UsageError(option + " takes a number or a range LOW:HIGH, not '" + text + "'");
  }
  return number;
}

simulate::Range parse_range(const std::string& text, const std::string& option) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) {
    const double number = parse_number(text, option);
    return {number, number};
  }
  return {parse_number(text.substr(0, colon), option), parse_number(text.substr(colon + 1), option)};
}

template <class T>
void read_optional(const po::variables_map& values, const char* name, std::optional<T>& into) {
  if (values.count(name) != 0) into = values[name].as<T>();
}

simulate::CaseOptions read_field(const po::variables_map& values) {
  simulate::CaseOptions field;
  const auto range = [&](const char* name, auto& into) {
    if (values.count(name) != 0) into = parse_range(values[name].as<std::string>(), std::string("--") + name);
  };
  if (values["plain"].as<bool>()) {
    field.correlation = field.drift = field.void_rate = field.other_rate = 0;
    field.history_runs = 0;
    field.cleaners = false;
    field.background = simulate::Range{0, 0};
  }
  range("tests", field.tests);
  range("startup", field.startup_seconds);
  range("q", field.q);
  range("background", field.background);
  if (values["uniform-q"].as<bool>()) field.q_shape = simulate::RateShape::log_uniform;
  field.server_probes = values["server-probes"].as<std::uint32_t>();
  read_optional(values, "correlation", field.correlation);
  read_optional(values, "drift", field.drift);
  read_optional(values, "voids", field.void_rate);
  read_optional(values, "other-failures", field.other_rate);
  read_optional(values, "history", field.history_runs);
  field.victim_runs = values["victim-runs"].as<std::uint32_t>();
  field.decided_by_process = values["by-process"].as<double>();
  field.set_size = values["set-size"].as<std::uint32_t>();
  return field;
}

/// Another build's answers are not this one's.
std::string own_fingerprint() {
  std::ifstream program("/proc/self/exe", std::ios::binary);
  std::ostringstream bytes;
  if (!(bytes << program.rdbuf())) throw OutputError("--store: this program's file cannot be read");
  return sha256_hex(bytes.str());
}

}  // namespace

std::string simulate_help() {
  std::ostringstream text;
  text << "Usage: flakebisect simulate [OPTIONS]\n\n"
          "Draws flaky failures of every kind, lets this program's search and others explain them on the "
          "same\n"
          "simulated machine, and prints who was right at what cost (docs/simulation.md).\n\nPolicies:\n";
  for (const auto& policy : simulate::all_policies()) {
    text << "  " << policy->name() << std::string(20 - policy->name().size(), ' ') << policy->description()
         << "\n";
  }
  text << "\n" << simulate_options();
  return text.str();
}

int command_simulate(const std::vector<std::string>& args) {
  const po::variables_map values = parse_options(args, simulate_options());
  if (values["help"].as<bool>()) {
    std::fputs(simulate_help().c_str(), stdout);
    return exit_ok;
  }
  const CommonOptions common = read_common(values);
  simulate::SimulateOptions options;
  options.bars = values["bars"].as<bool>();
  options.smoke = values["smoke"].as<bool>();
  options.cases = values.count("cases") != 0 ? values["cases"].as<std::uint64_t>() : options.bars ? 200 : 100;
  options.seed = values["seed"].as<std::uint64_t>();
  if (values.count("kind") != 0) {
    for (const std::string& name : values["kind"].as<std::vector<std::string>>()) {
      const auto kind = simulate::case_kind_from_name(name);
      if (!kind) throw UsageError("--kind: there is no kind '" + name + "'; see --help");
      options.kinds.push_back(*kind);
    }
  }
  if (values.count("policy") != 0) options.policies = values["policy"].as<std::vector<std::string>>();
  options.confidence = values["confidence"].as<double>();
  options.calibration = values["calibration"].as<bool>();
  options.count_probes = values["count-probes"].as<bool>();
  options.jobs = values["jobs"].as<unsigned>();
  if (options.jobs < 1 || options.jobs > 4096) throw UsageError("--jobs takes 1 to 4096");
  options.max_probes = values["max-probes"].as<std::uint64_t>();
  if (values.count("max-seconds") > 0) {
    options.max_seconds = values["max-seconds"].as<double>();
    if (!(options.max_seconds > 0)) throw UsageError("--max-seconds takes a number above 0");
  }
  options.threads = values["threads"].as<unsigned>();
  options.field = read_field(values);
  read_optional(values, "trace", options.trace_case);
  if (values.count("store") != 0) {
    options.store = values["store"].as<std::string>();
    options.build = own_fingerprint();
  }
  if (values.count("json") != 0) options.json = values["json"].as<std::string>();
  try {
    return simulate::run_simulate(options, stdout, common.quiet ? nullptr : stderr);
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  } catch (const std::runtime_error& error) {
    throw OutputError(error.what());
  }
}

}  // namespace flakebisect::analyzer
