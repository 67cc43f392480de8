/// `flakebisect list`: what a worker of a stored run executed, in order.

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "analyzer/command_line.h"
#include "analyzer/commands.h"
#include "analyzer/exit_status.h"
#include "repo_reader/list_pipeline.h"
#include "repo_reader/list_tests.h"
#include "repo_reader/repository.h"

namespace flakebisect::analyzer {

namespace po = boost::program_options;
using repo_reader::Repository;

namespace {

po::options_description list_options() {
  po::options_description options("Options");
  // clang-format off
  options.add_options()
    ("run-id", po::value<std::string>()->default_value("latest")->value_name("N"),
     "the stored run; latest: the latest run in which a test failed")
    ("worker", po::value<std::string>()->value_name("TAG"), "one worker's list, such as worker-0 (default: all)")
    ("before", po::value<std::string>()->value_name("ID"), "cut each list after this test")
    ("with-status", po::bool_switch(), "add the outcome and seconds")
    ("pipeline", po::bool_switch(),
     "print what 'subunit-1to2 | subunit-filter -s --xfail --with-tag=TAG | subunit-ls' prints, byte for byte")
    ("json", po::value<std::string>()->value_name("FILE"), "everything, as JSON (-: standard output)");
  // clang-format on
  options.add(common_options());
  return options;
}

/// Where the list goes; a failed write ends the command at once, a full disk or a closed pipe should not cost
/// an hour.
class Output {
 public:
  explicit Output(const std::string& path)
      : path_(path), file_(path == "-" ? stdout : std::fopen(path.c_str(), "we")) {
    if (file_ == nullptr) fail();
  }
  ~Output() {
    if (file_ != nullptr && file_ != stdout) std::fclose(file_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), file_) != text.size()) fail();
  }
  void finish() {
    if (std::fflush(file_) != 0) fail();
    if (file_ == stdout) return;
    std::FILE* file = file_;
    file_ = nullptr;
    if (std::fclose(file) != 0) fail();
  }

 private:
  [[noreturn]] void fail() const {
    throw OutputError("cannot write to " + (path_ == "-" ? "standard output" : path_) + ": " +
                      std::strerror(errno));
  }

  std::string path_;
  std::FILE* file_;
};

}  // namespace

int command_list(const Arguments& args) {
  const auto description = list_options();
  const auto values = parse_options(args, description);
  if (values["help"].as<bool>()) {
    std::ostringstream text;
    text << "Usage: flakebisect list [OPTIONS]\n\nPrints the ids of the tests a worker ran, in execution "
            "order.\n\n"
         << description;
    std::fputs(text.str().c_str(), stdout);
    return exit_ok;
  }
  const auto common = read_common(values);
  repo_reader::ListOptions options;
  if (values.count("worker") != 0) options.worker = values["worker"].as<std::string>();
  if (values.count("before") != 0) options.before = values["before"].as<std::string>();
  options.with_status = values["with-status"].as<bool>();
  options.pipeline = values["pipeline"].as<bool>();
  options.json = values.count("json") != 0;
  if (options.pipeline && (options.before || options.with_status || options.json)) {
    throw UsageError(
        "--pipeline prints what the pipeline prints: it does not go with --before, --with-status or --json");
  }
  if (options.with_status && options.json)
    throw UsageError("--json holds the outcomes: leave --with-status out");

  const auto repository = common.repo ? Repository::open(*common.repo) : Repository::find(common.directory);
  const auto run = repository.resolve(values["run-id"].as<std::string>());
  Output output(options.json ? values["json"].as<std::string>() : "-");
  const auto warning =
      repo_reader::print_list(repository, run, options, [&](std::string_view text) { output.write(text); });
  output.finish();
  if (warning && !common.quiet) std::fprintf(stderr, "warning: %s\n", warning->c_str());
  return exit_ok;
}

}  // namespace flakebisect::analyzer
