/// `flakebisect analyze`: what all stored runs together say about flaky tests.

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "analyzer/analyze/analysis.h"
#include "analyzer/analyze/analysis_data.h"
#include "analyzer/analyze/analysis_text.h"
#include "analyzer/analyze/interference_render.h"
#include "analyzer/analyze/since.h"
#include "analyzer/command_line.h"
#include "analyzer/commands.h"
#include "analyzer/exit_status.h"
#include "analyzer/pattern.h"
#include "analyzer/report_escape.h"
#include "analyzer/session_file.h"
#include "bisect/command_template.h"
#include "repo_reader/input_error.h"

namespace flakebisect::analyzer {

namespace po = boost::program_options;
using repo_reader::InputError;
using repo_reader::Repository;

namespace {

constexpr const char* output_options[] = {"json", "csv", "dot", "svg"};

po::options_description analyze_options() {
  po::options_description options("Options");
  // clang-format off
  options.add_options()
    ("since", po::value<std::string>()->value_name("WHEN"),
     "only runs from this number on (1500), from this date on (2026-11-01, '2026-11-01 12:30', UTC), or of the last "
     "30d or 12h")
    ("test", po::value<std::string>()->value_name("REGEX"), "only tests whose id matches, anywhere in it")
    ("top", po::value<std::uint64_t>()->default_value(10)->value_name("N"),
     "explain the N groups of flaky tests that cost most; 0: all")
    ("fail-if", po::value<double>()->value_name("RATE"),
     "exit with status 8 where a flaky test failed in this share of its runs or more (0.05 is one in twenty)")
    ("json", po::value<std::string>()->value_name("FILE"), "everything, as JSON (-: standard output)")
    ("csv", po::value<std::string>()->value_name("FILE"), "a line for each flaky test")
    ("dot", po::value<std::string>()->value_name("FILE"), "which test interferes with which, for Graphviz")
    ("svg", po::value<std::string>()->value_name("FILE"), "the same as a picture")
    ("session", po::value<std::string>()->value_name("FILE"),
     "the SQLite file of sessions, whose findings enter the graph");
  // clang-format on
  options.add(common_options());
  return options;
}

[[noreturn]] void cannot_write(const std::string& file) {
  throw OutputError("cannot write " + (file == "-" ? "standard output" : file) + ": " + std::strerror(errno));
}

void write_output(const std::string& file, const std::string& text) {
  if (file == "-") {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
      cannot_write(file);
    return;
  }
  std::FILE* out = std::fopen(file.c_str(), "we");
  if (out == nullptr) cannot_write(file);
  const bool written = std::fwrite(text.data(), 1, text.size(), out) == text.size();
  const int reason = errno;
  if (std::fclose(out) != 0 || !written) {
    if (!written) errno = reason;
    cannot_write(file);
  }
}

std::string render(const Analysis& analysis, const std::string& format) {
  if (format == "json") return render_analysis_json(analysis);
  if (format == "csv") return render_analysis_csv(analysis);
  if (format == "dot") return render_interference_dot(analysis.graph);
  return render_interference_svg(analysis.graph);
}

/// "flakebisect" with the options that name this repository, for commands to paste.
std::string command_prefix(const CommonOptions& common) {
  std::string prefix = "flakebisect";
  if (common.directory != ".") prefix += " -C " + bisect::shell_quote(common.directory);
  if (common.repo) prefix += " --repo " + bisect::shell_quote(*common.repo);
  return prefix;
}

/// One line kept up to date on a terminal while many runs are decoded; nothing elsewhere.
class Progress {
 public:
  explicit Progress(bool wanted) : wanted_(wanted && isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::size_t decoded, std::size_t all) {
    if (!wanted_ || all < 50) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    shown_ = true;
    std::fprintf(stderr, "\rreading runs: %zu of %zu", decoded, all);
    std::fflush(stderr);
  }

 private:
  bool wanted_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point last_{};
};

double read_rate(double rate) {
  if (!(rate >= 0 && rate <= 1))
    throw UsageError("--fail-if takes a share of runs between 0 and 1, such as 0.05");
  return rate;
}

/// Says which flaky tests reach the rate; true where any does.
bool gate(const Analysis& analysis, double rate) {
  std::size_t over = 0;
  for (const auto& test : analysis.tests) {
    if (test.rate < rate) continue;
    if (++over <= 5)
      std::fprintf(stderr, "flakebisect: %s failed %llu of %llu runs\n",
                   visible_line(analysis.name(test)).c_str(), static_cast<unsigned long long>(test.failures),
                   static_cast<unsigned long long>(test.runs));
  }
  if (over == 0) return false;
  std::fprintf(stderr, "flakebisect: %zu flaky test%s at or above the rate of --fail-if (%g)\n", over,
               over == 1 ? "" : "s", rate);
  return true;
}

}  // namespace

int command_analyze(const Arguments& args) {
  const auto description = analyze_options();
  const auto values = parse_options(args, description);
  if (values["help"].as<bool>()) {
    std::ostringstream text;
    text << "Usage: flakebisect analyze [OPTIONS]\n\nTells from all stored runs which tests are flaky, what "
            "they cost, "
            "why they may fail,\nand which bisection to run next.\n\n"
         << description;
    std::fputs(text.str().c_str(), stdout);
    return exit_ok;
  }
  const auto common = read_common(values);
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  RunSelection selection;
  if (values.count("since") != 0) selection = parse_since(values["since"].as<std::string>(), now);
  std::optional<double> fail_if;
  if (values.count("fail-if") != 0) fail_if = read_rate(values["fail-if"].as<double>());
  AnalysisRequest request;
  request.wanted = [](const std::string&) { return true; };
  if (values.count("test") != 0) {
    const auto pattern = values["test"].as<std::string>();
    try {
      request.wanted = [wanted = Pattern(pattern)](const std::string& id) { return wanted.found_in(id); };
    } catch (const BadPattern& error) {
      throw UsageError("--test takes a regular expression, not '" + pattern + "': " + error.what());
    }
  }
  request.top = values["top"].as<std::uint64_t>();
  request.command_prefix = command_prefix(common);
  bool stdout_taken = false;
  for (const char* format : output_options) {
    if (values.count(format) == 0 || values[format].as<std::string>() != "-") continue;
    if (stdout_taken) throw UsageError("only one of --json, --csv, --dot and --svg can be '-'");
    stdout_taken = true;
  }

  const auto repository = common.repo ? Repository::open(*common.repo) : Repository::find(common.directory);
  repository.latest_run();  // throws where there is none
  const std::string folder = (common.directory == "." ? "" : common.directory + "/") + ".flakebisect";
  Progress progress(!common.quiet);
  const auto started = std::chrono::steady_clock::now();
  auto indexed =
      indexed_history(repository, folder + "/index.sqlite", selection,
                      [&](std::size_t decoded, std::size_t all) { progress.update(decoded, all); });
  const auto read = std::chrono::steady_clock::now();
  std::vector<std::string> session_warnings;
  request.sessions = findings_of_sessions(
      session_file(common.directory, values.count("session") != 0
                                         ? std::optional<std::string>(values["session"].as<std::string>())
                                         : std::nullopt),
      session_warnings);
  auto analysis = analyze_history(repository.path().string(), std::move(indexed), request);
  analysis.warnings.insert(analysis.warnings.end(), session_warnings.begin(), session_warnings.end());
  if (analysis.history().runs.empty()) {
    throw InputError(
        InputError::Kind::no_run,
        fmt::format("none of the {} runs in {} is left{}", analysis.indexed.stored_runs,
                    repository.path().string(),
                    values.count("since") != 0
                        ? " by --since " + values["since"].as<std::string>() + "; choose an earlier one"
                        : ": no run could be read"));
  }
  for (const auto& warning : analysis.warnings)
    std::fprintf(stderr, "flakebisect: warning: %s\n", visible_line(warning).c_str());
  if (common.verbose) {
    const auto seconds = [](auto duration) { return std::chrono::duration<double>(duration).count(); };
    std::fprintf(
        stderr,
        "flakebisect: %zu runs stored, %zu decoded, %zu forgotten; read in %.2f s, analyzed in %.2f s\n",
        analysis.indexed.stored_runs, analysis.indexed.decoded_runs, analysis.indexed.forgotten_runs,
        seconds(read - started), seconds(std::chrono::steady_clock::now() - read));
  }

  if (!stdout_taken) {
    TextStyle style;
    style.color = use_color(common.color, STDOUT_FILENO);
    write_output("-", render_analysis_text(analysis, style, common.verbose));
  }
  for (const char* format : output_options)
    if (values.count(format) != 0) write_output(values[format].as<std::string>(), render(analysis, format));
  if (fail_if && gate(analysis, *fail_if)) return exit_too_flaky;
  return exit_ok;
}

}  // namespace flakebisect::analyzer
