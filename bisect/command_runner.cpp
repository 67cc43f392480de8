#include "bisect/command_runner.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "bisect/command_execution.h"
#include "bisect/list_timeout.h"
#include "bisect/probe_reader.h"
#include "repo_reader/subunit_event.h"

namespace flakebisect::bisect {

namespace {

namespace fs = std::filesystem;
/// Without news from the tests behind the victim, where no limit is given.
constexpr double most_seconds_behind = 60;
using repo_reader::Status;

std::string one_line(std::string text) {
  for (auto at = text.find("\\\n"); at != std::string::npos; at = text.find("\\\n", at)) text.erase(at, 2);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

/// The last output for messages: what was printed among the results, then standard error.
std::string joined_tail(const std::string& stray, const std::string& errors) {
  std::string tail = stray;
  if (!tail.empty() && tail.back() != '\n' && !errors.empty()) tail += '\n';
  return tail + errors;
}

/// A script that writes the ids to a file of its own, named by the variable `ids`, for `command`.
std::string with_list_of_its_own(const std::vector<std::string>& ids, const std::string& command) {
  std::string script = "ids=$(mktemp) && printf '%s\\n'";
  for (const auto& id : ids) script += " \\\n  " + shell_quote(id);
  return script + " \\\n  > \"$ids\" && {\n" + command + "\n}\nstatus=$?\nrm -f \"$ids\"\nexit $status\n";
}

std::string with_tail(const std::string& message, const std::string& tail) {
  return tail.empty() ? message + "; it printed nothing" : message + "; its output ended:\n" + tail;
}

std::size_t environment_bytes() {
  std::size_t bytes = 0;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    bytes += std::strlen(*variable) + 1 + sizeof(char*);
  }
  return bytes;
}

/// Whether the command runs one of the programs that write or convert subunit, rather than mentions the word
/// in a path: silence of such a program is no verdict.
bool runs_subunit(const std::string& command) {
  for (const char* program : {"-m subunit", "subunit.run", "--subunit", "subunit-", "subunit2"}) {
    if (command.find(program) != std::string::npos) return true;
  }
  return false;
}

/// Whether a program can be given these ids as arguments.
bool fits_as_arguments(const std::vector<std::string>& ids) {
  std::size_t bytes = environment_bytes() + (64 << 10);
  for (const auto& id : ids) {
    if (id.size() >= most_argument) return false;
    bytes += id.size() + 1 + sizeof(char*);
  }
  return bytes < static_cast<std::size_t>(std::max(sysconf(_SC_ARG_MAX), 128L << 10));
}

}  // namespace

struct CommandRunner::Impl {
  explicit Impl(CommandRunnerOptions options_) : options(std::move(options_)) {
    arguments_form = with_ids_as_arguments(options.command);
    if (options.discovered) remember(*options.discovered);
  }

  void remember(const std::vector<std::string>& tests) {
    place.clear();
    for (std::size_t i = 0; i < tests.size(); ++i) place.emplace(tests[i], i);
    listed = true;
    if (!tests.empty()) subunit_seen = true;
  }

  bool expects_subunit() const {
    return options.output == OutputKind::subunit || subunit_seen || runs_subunit(options.command.command) ||
           (!plain_seen && options.command.command.find("subunit") != std::string::npos);
  }

  /// Whether the listed order is the wanted one, as far as the tests are listed.
  bool in_listed_order(const std::vector<std::string>& tests) const {
    std::optional<std::size_t> last;
    for (const auto& test : tests) {
      const auto found = place.find(test);
      if (found == place.end()) continue;
      if (last && found->second <= *last) return false;
      last = found->second;
    }
    return true;
  }

  bool wants_arguments(const std::vector<std::string>& tests) const {
    if (options.order == OrderPolicy::as_written || passes_ids_as_arguments(options.command)) return false;
    return options.order == OrderPolicy::as_arguments || (listed && !in_listed_order(tests));
  }

  /// The template to use for this list.
  const CommandTemplate& form_for(const std::vector<std::string>& tests) const {
    const bool changed =
        wants_arguments(tests) && arguments_form && !arguments_refused && fits_as_arguments(tests);
    return changed ? *arguments_form : options.command;
  }

  ProbeResult run(const ProbeRequest& request, const CommandTemplate& form, const std::atomic<bool>& cancel,
                  bool& import_failed);
  /// The shell text of a run, launched where there is a launcher.
  std::string launched_text(const CommandTemplate& form, const std::vector<std::string>& tests,
                            const TemporaryFolder& folder) const;
  void judge_result(const ProbeReader& reader, ProbeResult& result) const;
  AfterRun judge_after(ProbeReader::After test) const;
  /// Whether the command runs these in this order, as far as that can be known.
  bool keeps_order(const std::vector<std::string>& tests) const {
    return passes_ids_as_arguments(form_for(tests)) || (listed && in_listed_order(tests));
  }
  void judge_exit(const ProbeReader& reader, const ProbeRequest& request, ProbeResult& result);
  void judge_plain_exit(const ProbeRequest& request, ProbeResult& result) const;

  CommandRunnerOptions options;
  std::optional<CommandTemplate> arguments_form;
  std::unordered_map<std::string, std::size_t> place;  ///< of the listed tests
  bool listed = false;
  bool subunit_seen = false;       ///< some output of this command was subunit
  bool plain_seen = false;         ///< a run of it ended with no subunit at all and no test
  bool arguments_refused = false;  ///< ids as arguments were tried, and the runner could not load them
};

namespace {

/// Which limit has passed, as a sentence; nothing where none has. `quiet` is the time without news of a test.
std::optional<std::string> passed_limit(const ProbeRequest& request, const ProbeReader& reader,
                                        double elapsed, double quiet, double start_limit, bool is_subunit) {
  if (request.time_limit_seconds > 0 && elapsed >= request.time_limit_seconds) {
    return fmt::format("time limit: the probe did not end within {:.6g} seconds", request.time_limit_seconds);
  }
  if (!reader.any_test() || !is_subunit) {
    if (start_limit > 0 && elapsed >= start_limit) {
      return fmt::format("time limit: no test started within {:.6g} seconds", start_limit);
    }
  } else if (const auto running = reader.running();
             quiet_limit(request, running) > 0 && quiet >= quiet_limit(request, running)) {
    if (running.empty()) {
      return fmt::format("time limit: no test was running, and none started within {:.6g} seconds",
                         request.test_limit_seconds);
    }
    return fmt::format("time limit: {}{} did not end within the {:.6g} seconds it may take", running,
                       reader.victim_started() ? " (the victim)" : "", quiet_limit(request, running));
  }
  return std::nullopt;
}

/// Whether the far end gives a sign of life after its limit has passed; a result that was on its way comes
/// in.
bool heard_again(Execution& execution, const ProbeReader& reader, const std::atomic<bool>& cancel) {
  const auto heard = execution.signs_of_life();
  bool again = false;
  double until = execution.elapsed() + most_silence_seconds;
  while (!cancel && !execution.exited() && !reader.victim_status() && execution.elapsed() < until) {
    execution.step(slice_seconds);
    if (again || execution.signs_of_life() == heard) continue;
    // Where the way was blocked for a while, all comes at once.
    again = true;
    until = execution.elapsed() + 10 * slice_seconds;
  }
  return again;
}

}  // namespace

std::string CommandRunner::Impl::launched_text(const CommandTemplate& form,
                                               const std::vector<std::string>& tests,
                                               const TemporaryFolder& folder) const {
  const std::string id_file = folder.path_of("ids");
  if (!options.launcher) return run_text(form, tests, id_file);
  const bool with_file = uses_variable(form, "IDFILE");
  if (!options.launcher->brings_files()) {
    std::string command = with_file ? run_text_with_variable(form, tests, "ids") : run_text(form, tests, "");
    // The launcher has it as one argument, which ssh's kind of quoting makes longer once more.
    if (shell_quote(shell_quote(command)).size() >= most_argument) {
      if (with_file) command = with_list_of_its_own(tests, command);
      return options.launcher->wrap_with_list("/bin/sh \"$ids\" < /dev/null",
                                              folder.write("launched", command));
    }
    if (with_file) return options.launcher->wrap_with_list(command, id_file);
  }
  std::vector<std::string> files;
  if (with_file) files.push_back(id_file);
  std::string script;
  auto text =
      options.launcher->wrap(run_text(form, tests, id_file), files, folder.path_of("launched"), script);
  if (!script.empty()) folder.write("launched", script);
  return text;
}

ProbeResult CommandRunner::Impl::run(const ProbeRequest& request, const CommandTemplate& form,
                                     const std::atomic<bool>& cancel, bool& import_failed) {
  std::vector<std::string> tests = request.before;
  tests.push_back(request.victim);
  tests.insert(tests.end(), request.after.begin(), request.after.end());
  const TemporaryFolder folder;
  if (uses_variable(form, "IDFILE")) folder.write("ids", id_file_text(tests));

  ProbeReader reader(request.victim, request.after);
  ProbeResult result;
  Execution execution(launched_text(form, tests, folder), options.directory, folder, reader);
  const double start_limit = expects_subunit() ? options.start_limit_seconds : 0;
  std::size_t news = 0;
  double last_news = 0;
  std::optional<std::string> stopped;
  while (!reader.victim_status() && !execution.exited()) {
    if (cancel) {
      stopped = "cancelled";
      break;
    }
    const double elapsed = execution.elapsed();
    // Lines of another kind of output can look like the start of a test.
    const bool is_subunit =
        expects_subunit() || reader.spoke_subunit() || execution.version() == repo_reader::Version::v2;
    if (reader.news() != news) {
      if (news == 0) result.startup_seconds = elapsed;
      news = reader.news();
      last_news = elapsed;
    }
    stopped = passed_limit(request, reader, elapsed, elapsed - last_news, start_limit, is_subunit);
    if (stopped) break;
    execution.step(slice_seconds);
  }
  // Nothing may come because nothing runs on there, or because nothing comes through any more.
  const bool silent = stopped && options.launcher && !cancel && !heard_again(execution, reader, cancel);
  if (cancel && stopped) stopped = "cancelled";
  if (execution.exited()) execution.drain();
  if (news == 0 && reader.any_test()) result.startup_seconds = execution.elapsed();
  result.wall_seconds = execution.elapsed();

  if (reader.victim_status() && !request.after.empty()) {
    std::size_t seen = reader.news();
    double last = execution.elapsed();
    while (!cancel && !execution.exited() && !reader.after_finished() && !reader.went_on()) {
      const double limit = request.test_limit_seconds > 0 ? request.test_limit_seconds : most_seconds_behind;
      if (execution.elapsed() - last >= limit) break;
      execution.step(slice_seconds);
      if (std::exchange(seen, reader.news()) != reader.news()) last = execution.elapsed();
    }
  }
  if (reader.victim_status()) {
    // Class and module fixtures are torn down now, and late attachments come. A test that starts instead is
    // one that nobody waits for: the runner goes by an order of its own.
    const double until = execution.elapsed() + options.exit_grace_seconds;
    while (!cancel && !execution.exited() && !reader.went_on()) {
      const double left = until - execution.elapsed();
      if (left <= 0) break;
      execution.step(left);
    }
    if (execution.exited()) execution.drain();
  }
  const bool ended_itself = execution.exited();
  execution.end(execution.exited() ? 0 : options.stop_grace_seconds);
  result.wait_status = ended_itself ? execution.wait_status() : -1;
  reader.end_of_stream();
  execution.finish();

  if (reader.spoke_subunit()) subunit_seen = true;
  import_failed = reader.import_failed();
  const auto far_end = options.launcher ? launched_exit(execution.errors()) : std::nullopt;
  result.output_tail = joined_tail(
      reader.stray(), options.launcher ? without_exit_mark(execution.errors()) : execution.errors());
  if (far_end && ended_itself) result.wait_status = W_EXITCODE(*far_end & 0xff, 0);
  if (reader.victim_status()) {
    judge_result(reader, result);
  } else if (options.launcher && ended_itself && !far_end) {
    result.lost = true;
    result.void_reason = fmt::format("{} was lost or could not be reached: {}", options.launcher->name,
                                     launcher_last_words(execution.errors()));
  } else if (silent && !ended_itself && *stopped != "cancelled") {
    result.lost = true;
    result.void_reason = fmt::format("{} was lost: it gave no sign of life for {:.3g} seconds after the {}",
                                     options.launcher->name, most_silence_seconds, *stopped);
  } else if (stopped) {
    if (request.hang_is_failure && reader.victim_started() && *stopped != "cancelled") {
      result.end = VictimEnd::fail;
      result.traceback = "the test did not end within its time limit";
    } else {
      result.void_reason = *stopped;
    }
  } else {
    judge_exit(reader, request, result);
  }
  result.victim_started = reader.victim_started();
  result.victim_start_time = reader.victim_start_time();
  result.victim_stop_time = reader.victim_stop_time();
  for (auto& test : reader.after()) result.after.push_back(judge_after(std::move(test)));
  if (reader.spoke_subunit() || result.end == VictimEnd::void_probe) result.ran = reader.take_ran();
  return result;
}

void CommandRunner::Impl::judge_result(const ProbeReader& reader, ProbeResult& result) const {
  result.victim_seconds = reader.victim_seconds();
  const Status status = *reader.victim_status();
  const bool failed =
      status == Status::fail || (status == Status::uxsuccess && options.unexpected_success_fails);
  if (status == Status::skip) {
    result.void_reason = "the victim was skipped";
    if (const auto reason = reader.victim_text(); !reason.empty())
      result.void_reason += ": " + one_line(reason);
    return;
  }
  result.end = failed ? VictimEnd::fail : VictimEnd::pass;
  if (!failed) return;
  result.traceback = reader.victim_text();
  if (status == Status::uxsuccess && result.traceback.empty()) result.traceback = "unexpected success";
}

AfterRun CommandRunner::Impl::judge_after(ProbeReader::After test) const {
  AfterRun run;
  run.id = std::move(test.id);
  if (!test.status || *test.status == Status::skip) return run;
  const bool failed =
      *test.status == Status::fail || (*test.status == Status::uxsuccess && options.unexpected_success_fails);
  run.end = failed ? VictimEnd::fail : VictimEnd::pass;
  if (failed) run.traceback = std::move(test.text);
  return run;
}

void CommandRunner::Impl::judge_exit(const ProbeReader& reader, const ProbeRequest& request,
                                     ProbeResult& result) {
  if (result.wait_status == -1) {
    result.void_reason = "the command's process was lost";
    return;
  }
  if (reader.victim_started()) {
    result.end = VictimEnd::fail;
    result.traceback = "process " + how_it_ended(result.wait_status) + " while the test ran";
    return;
  }
  const int status = shell_status(result.wait_status);
  if (!reader.spoke_subunit() && !reader.any_test()) plain_seen = true;
  if (!reader.spoke_subunit() && !expects_subunit()) {
    judge_plain_exit(request, result);
    return;
  }
  if (!reader.any_test() && (status == 126 || status == 127)) {
    throw CannotRun(
        with_tail(fmt::format("the test command could not be run (exit status {}); check that its "
                              "programs are there{}",
                              status,
                              options.command.command.find("${PYTHON") != std::string::npos
                                  ? ", or set PYTHON, as in PYTHON=/usr/bin/python3"
                                  : ""),
                  result.output_tail));
  }
  std::string& reason = result.void_reason;
  if (!reader.obstacles().empty()) {
    // The one that names the victim's class or module says most.
    reason = reader.obstacles().front();
    for (const auto& obstacle : reader.obstacles()) {
      const auto open = obstacle.find('(');
      const auto close = obstacle.find(')', open + 1);
      if (open == std::string::npos || close == std::string::npos) continue;
      if (request.victim.starts_with(obstacle.substr(open + 1, close - open - 1))) reason = obstacle;
    }
    reason = "the victim did not run: " + reason;
  } else if (status != 0 && !reader.ran().empty() && reader.ran().back().status == "inprogress") {
    reason = "process " + how_it_ended(result.wait_status) + " while " + reader.ran().back().id +
             " ran, before the victim";
  } else if (reader.ran().empty()) {
    reason = "the command ran no test, and " + how_it_ended(result.wait_status);
    if (status == 0) reason += "; is the victim still there under this name?";
  } else {
    reason = fmt::format("the victim did not run; the command ran {} others, and {}", reader.ran().size(),
                         how_it_ended(result.wait_status));
  }
}

void CommandRunner::Impl::judge_plain_exit(const ProbeRequest& request, ProbeResult& result) const {
  const int status = shell_status(result.wait_status);
  if (status >= 126) {
    throw CannotRun(with_tail(
        fmt::format(
            "the command {}, which means: stop (0 passes, 1 to 124 fail, 125 is void); check the command",
            how_it_ended(result.wait_status)),
        result.output_tail));
  }
  if (status == 125) {
    result.void_reason = "the command said so (exit status 125)";
    return;
  }
  result.by_exit_status = true;
  result.end = status == 0 ? VictimEnd::pass : VictimEnd::fail;
  if (status != 0)
    result.traceback = result.output_tail.empty() ? how_it_ended(result.wait_status) : result.output_tail;
  for (const auto& test : request.before) result.ran.push_back({test, "unknown", std::nullopt});
}

CommandRunner::CommandRunner(CommandRunnerOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {
  if (!passes_ids(impl_->options.command)) {
    throw CannotRun(
        "the test command takes no list of tests: '" + one_line(impl_->options.command.command) +
        "' has neither $IDFILE nor $IDLIST (nor $IDOPTION with one of them); put $IDFILE where the "
        "name of a file with the test ids belongs, or $IDLIST where the ids do");
  }
}

CommandRunner::~CommandRunner() = default;

ProbeResult CommandRunner::run(const ProbeRequest& asked_for, const std::atomic<bool>& cancel) {
  ProbeRequest request = asked_for;
  std::vector<std::string> tests = request.before;
  tests.push_back(request.victim);
  if (!request.after.empty()) {
    auto all = tests;
    all.insert(all.end(), request.after.begin(), request.after.end());
    // A test that ran before the victim instead would spoil the probe.
    if (impl_->keeps_order(all))
      tests = std::move(all);
    else
      request.after.clear();
  }
  const CommandTemplate& form = impl_->form_for(tests);
  bool import_failed = false;
  auto result = impl_->run(request, form, cancel, import_failed);
  if (&form != &impl_->options.command && import_failed && result.end == VictimEnd::void_probe && !cancel) {
    // Names that no import leads to, such as those that load_tests() makes.
    impl_->arguments_refused = true;
    result = impl_->run(request, impl_->options.command, cancel, import_failed);
  }
  result.victim_runs = result.end == VictimEnd::void_probe ? 0 : 1;
  // The order that was asked for, as far as it ran.
  std::unordered_map<std::string, std::size_t> asked;
  for (std::size_t i = 0; i < request.before.size(); ++i) asked.emplace(request.before[i], i);
  std::size_t next = 0;
  std::size_t matched = 0;
  bool in_order = true;
  for (const auto& run : result.ran) {
    const auto found = asked.find(run.id);
    if (found == asked.end()) continue;
    ++matched;
    in_order = in_order && found->second >= next;
    next = found->second;
  }
  const bool all = result.end == VictimEnd::void_probe || matched >= asked.size();
  if (!in_order || !all) {
    result.remarks.emplace_back(
        "the test command did not run all that it was asked to run, in the order asked for; what ran before "
        "the "
        "victim is what counts");
  }
  return result;
}

std::optional<std::vector<std::string>> CommandRunner::list_tests(const std::atomic<bool>& cancel,
                                                                  double limit_seconds) {
  if (!can_list(impl_->options.command)) return std::nullopt;
  std::vector<std::string> tests;
  std::unordered_set<std::string> known;
  std::string printed;
  Tail notes;
  bool subunit = false;
  repo_reader::CallbackSink sink([&](const repo_reader::Event& event) {
    if (!event.test_id) {
      notes.add(event.file_bytes);
      if (printed.size() < (64U << 20)) printed += event.file_bytes;
      return;
    }
    subunit = true;
    if (event.status != Status::exists || stands_for_no_test(*event.test_id)) return;
    if (known.emplace(*event.test_id).second) tests.emplace_back(*event.test_id);
  });
  const TemporaryFolder folder;
  std::string text = list_text(impl_->options.command);
  if (impl_->options.launcher) {
    std::string script;
    text = impl_->options.launcher->wrap(text, {}, folder.path_of("launched"), script);
    if (!script.empty()) folder.write("launched", script);
  }
  Execution execution(text, impl_->options.directory, folder, sink);
  while (!execution.exited()) {
    if (cancel) return std::nullopt;
    if (limit_seconds > 0 && execution.elapsed() >= limit_seconds) {
      execution.end(impl_->options.stop_grace_seconds);
      if (impl_->options.launcher && execution.signs_of_life() == 0) {
        throw MachineLost(fmt::format("{} could not be reached within {:.6g} seconds to list the tests",
                                      impl_->options.launcher->name, limit_seconds));
      }
      throw ListTimeout(with_tail(fmt::format("the list command '{}' did not end within {:.6g} seconds",
                                              one_line(text), limit_seconds),
                                  joined_tail(notes.text(), execution.errors())));
    }
    execution.step(slice_seconds);
  }
  execution.drain();
  execution.end(0);
  execution.finish();
  const int status = execution.wait_status();
  if (impl_->options.launcher && status != 0 && !launched_exit(execution.errors())) {
    throw MachineLost(fmt::format("{} was lost or could not be reached when the tests were listed: {}",
                                  impl_->options.launcher->name, launcher_last_words(execution.errors())));
  }
  if (status == -1 || shell_status(status) != 0) {
    const std::string how = status == -1 ? "was lost" : how_it_ended(status);
    const bool no_python = status != -1 && shell_status(status) == 127 &&
                           impl_->options.command.command.find("${PYTHON") != std::string::npos;
    throw CannotRun(with_tail(fmt::format("the list command '{}' {}{}", one_line(text), how,
                                          no_python ? "; set PYTHON, as in PYTHON=/usr/bin/python3" : ""),
                              joined_tail(notes.text(), execution.errors())));
  }
  if (!subunit) {
    // testr takes plain text too: one id a line.
    for (std::size_t at = 0; at < printed.size();) {
      const auto end = std::min(printed.find('\n', at), printed.size());
      auto line = printed.substr(at, end - at);
      line.erase(line.find_last_not_of(" \t\r") + 1);
      line.erase(0, line.find_first_not_of(" \t"));
      if (!line.empty() && known.insert(line).second) tests.push_back(line);
      at = end + 1;
    }
  }
  impl_->remember(tests);
  impl_->subunit_seen = impl_->subunit_seen && subunit;
  return tests;
}

std::optional<std::string> CommandRunner::order_warning(const std::vector<std::string>& tests) const {
  const auto& impl = *impl_;
  if (!impl.listed || impl.in_listed_order(tests) || passes_ids_as_arguments(impl.options.command)) {
    return std::nullopt;
  }
  if (&impl.form_for(tests) != &impl.options.command) return std::nullopt;
  std::string why = "it takes a list of tests as a filter, and not as arguments ($IDLIST)";
  if (impl.arguments_form && impl.options.order != OrderPolicy::as_written) {
    why = impl.arguments_refused ? "it cannot load these tests by their names"
                                 : "the list is too long for its command line";
  }
  return "the test command runs the tests in an order of its own, which is not the recorded one: " + why +
         "; what runs before the victim is read from the results";
}

std::string CommandRunner::describe_command(const std::vector<std::string>& tests) const {
  return run_text(impl_->form_for(tests), tests, "ID_FILE");
}

std::string CommandRunner::description() const {
  return "a new process for each probe" +
         (impl_->options.launcher ? " through " + impl_->options.launcher->name : std::string()) + ": " +
         one_line(impl_->options.command.command);
}

std::string CommandRunner::reproduction_command(const std::vector<std::string>& tests) const {
  const CommandTemplate& chosen = impl_->form_for(tests);
  const CommandTemplate form = for_people(chosen).value_or(chosen);
  std::error_code ignored;
  const auto directory =
      fs::absolute(impl_->options.directory.empty() ? "." : impl_->options.directory, ignored);
  std::string path = directory.lexically_normal().string();
  if (path.size() > 1 && path.back() == '/') path.pop_back();
  // A subshell: the reader's own directory, variables and options stay as they are.
  std::string text = "(cd " + shell_quote(path);
  for (const auto& [name, value] : mentioned_environment(chosen)) {
    text += " && " + name + "=" + shell_quote(value) + " && export " + name;
  }
  if (!uses_variable(form, "IDFILE")) return text + " && " + run_text(form, tests, "") + "\n)";
  text += " && ids=$(mktemp) && printf '%s\\n'";
  for (const auto& test : tests) text += " \\\n  " + shell_quote(test);
  text += " \\\n  > \"$ids\" && {\n" + run_text_with_variable(form, tests, "ids") +
          "\n}\nstatus=$?\nrm -f \"$ids\"\n";
  return text + "exit $status)";
}

}  // namespace flakebisect::bisect
