#include "repo_reader/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "repo_reader/input_error.h"
#include "repo_reader/run_file.h"
#include "repo_reader/test_ids.h"

namespace flakebisect::repo_reader {
namespace {

namespace fs = std::filesystem;

constexpr const char* repository_names[] = {".testr", ".testrepository", ".stestr"};

/// True for a directory that a repository is stored in.
bool looks_like_repository(const fs::path& path) {
  std::error_code error;
  if (fs::exists(path / "format", error) || fs::exists(path / "next-stream", error)) return true;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    if (parse_run_id(entry->path().filename().native())) return true;
  }
  return false;
}

std::optional<fs::path> repository_in(const fs::path& directory) {
  std::error_code error;
  for (const char* name : repository_names) {
    if (fs::is_directory(directory / name, error)) return directory / name;
  }
  return std::nullopt;
}

fs::path without_last_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

std::string run_count(const std::vector<RunId>& runs) {
  if (runs.empty()) return "it holds no run";
  if (runs.size() == 1) return fmt::format("it holds one run, {}", runs.front());
  return fmt::format("it holds {} runs, {} to {}", runs.size(), runs.front(), runs.back());
}

}  // namespace

std::optional<RunId> parse_run_id(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  RunId run = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), run);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return run;
}

Repository Repository::find(const fs::path& directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error)) {
    throw InputError(InputError::Kind::no_repository,
                     fmt::format("{} is not a directory; name the project's with -C", directory.string()));
  }
  if (auto found = repository_in(directory)) return Repository(*std::move(found));
  throw InputError(
      InputError::Kind::no_repository,
      fmt::format("no test repository in {} (looked for .testr, .testrepository and .stestr); store a run "
                  "with 'testr run' or 'stestr run', or name the repository with --repo",
                  fs::absolute(directory).lexically_normal().string()));
}

Repository Repository::open(const fs::path& given) {
  const fs::path path = without_last_slash(given.lexically_normal());
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    throw InputError(
        InputError::Kind::no_repository,
        fmt::format("{} is {}; --repo takes the directory that testr or stestr stores runs in, such as "
                    ".testrepository or .stestr",
                    path.string(), fs::exists(path, error) ? "not a directory" : "missing"));
  }
  if (!looks_like_repository(path)) {
    if (auto inside = repository_in(path)) return Repository(*std::move(inside));
  }
  return Repository(path);
}

ConfigFamily Repository::family() const {
  const auto whole = without_last_slash(fs::absolute(path_).lexically_normal());
  return whole.filename() == ".stestr" ? ConfigFamily::stestr : ConfigFamily::testr;
}

std::vector<RunId> Repository::run_ids() const {
  std::vector<RunId> runs;
  std::error_code error;
  fs::directory_iterator entry(path_, error);
  for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
    const auto run = parse_run_id(entry->path().filename().native());
    std::error_code vanished;
    if (run && entry->is_regular_file(vanished)) runs.push_back(*run);
  }
  if (error) {
    throw InputError(InputError::Kind::unreadable, fmt::format("cannot list {}: {}; check its permissions",
                                                               path_.string(), error.message()));
  }
  std::sort(runs.begin(), runs.end());
  return runs;
}

RunId Repository::latest_run() const {
  const std::vector<RunId> runs = run_ids();
  if (runs.empty()) {
    throw InputError(
        InputError::Kind::no_run,
        fmt::format("no run is stored in {}; store one with 'testr run' or 'stestr run'", path_.string()));
  }
  return runs.back();
}

RunId Repository::latest_failing_run() const {
  latest_run();
  const std::vector<RunId> runs = run_ids();
  struct Visitor final : TestVisitor {
    explicit Visitor(bool unexpected_success) : unexpected_success_fails(unexpected_success) {}
    void on_test(const FoldedTest& test) override {
      const bool failed = test.status == Status::fail || test.status == Status::inprogress ||
                          (unexpected_success_fails && test.status == Status::uxsuccess);
      found = found || (failed && test.runnable && is_test_id(test.id));
    }
    bool unexpected_success_fails;
    bool found = false;
  };
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    Visitor visitor(unexpected_success_fails());
    try {
      scan_run(*run, visitor);
    } catch (const InputError& error) {
      if (error.kind() != InputError::Kind::no_such_run) throw;  // else it vanished since it was listed
    }
    if (visitor.found) return *run;
  }
  throw InputError(InputError::Kind::no_run,
                   fmt::format("no test failed in any run of {} ({}); there is nothing to explain",
                               path_.string(), run_count(runs)));
}

RunId Repository::resolve(std::string_view run) const {
  if (run == "latest") return latest_failing_run();
  const std::optional<RunId> number = parse_run_id(run);
  if (!number) no_such_run(std::string(run), std::nullopt);
  require_run(*number);
  return *number;
}

TestRun Repository::read_run(RunId run) const {
  require_run(run);
  return read_run_file(run_path(run));
}

void Repository::scan_run(RunId run, TestVisitor& visitor) const {
  require_run(run);
  StreamFolder folder(visitor);
  decode_file(run_path(run), folder,
              {.version = Version::automatic, .details = false, .drop_partial_line = true});
  folder.finish();
}

std::vector<Attachment> Repository::read_details(RunId run, const ExecutedTest& test) const {
  require_run(run);
  struct Visitor final : TestVisitor {
    explicit Visitor(const ExecutedTest& test_wanted) : wanted(test_wanted) {}
    void on_test(const FoldedTest& seen) override {
      if (seen.opened == wanted.stream_position && seen.id == wanted.id) {
        details.assign(seen.details.begin(), seen.details.end());
        found = true;
      }
    }
    const ExecutedTest& wanted;
    std::vector<Attachment> details;
    bool found = false;
  };
  Visitor visitor(test);
  StreamFolder folder(visitor);
  FileReader reader(run_path(run));
  StreamDecoder decoder(folder, {.version = Version::automatic, .details = true, .drop_partial_line = true});
  for (auto piece = reader.next(); !piece.empty() && !visitor.found; piece = reader.next())
    decoder.feed(piece);
  if (!visitor.found) {
    decoder.finish();
    folder.finish();
  }
  return visitor.details;
}

fs::path Repository::run_path(RunId run) const {
  return path_ / std::to_string(run);
}

void Repository::require_run(RunId run) const {
  std::error_code error;
  if (!fs::is_regular_file(run_path(run), error)) no_such_run(std::to_string(run), run);
}

void Repository::no_such_run(const std::string& wanted, std::optional<RunId> number) const {
  const std::vector<RunId> runs = run_ids();
  std::string message = fmt::format("no run {} in {}: {}", wanted, path_.string(), run_count(runs));
  if (number && runs.size() > 1) {
    const auto above = std::lower_bound(runs.begin(), runs.end(), *number);
    if (above != runs.begin() && above != runs.end()) {
      message += fmt::format("; the nearest are {} and {}", *std::prev(above), *above);
    }
  }
  message += runs.empty() ? "; store one with 'testr run' or 'stestr run'"
                          : "; '--run-id latest' takes the latest run in which a test failed";
  throw InputError(InputError::Kind::no_such_run, message);
}

std::optional<std::string> damage_warning(const Repository& repository, RunId run, const TestRun& tests) {
  if (tests.damaged_parts == 0) return std::nullopt;
  return fmt::format("run {} of {} has {} damaged part{} that cannot be read; tests may be missing", run,
                     repository.path().string(), tests.damaged_parts, tests.damaged_parts == 1 ? "" : "s");
}

std::string failure_text(const std::vector<Attachment>& details) {
  std::string all;
  for (const Attachment& file : details) {
    if (file.name == "traceback") return file.bytes;
    if (file.mime_type.starts_with("text/")) all += file.bytes;
  }
  return all;
}

}  // namespace flakebisect::repo_reader
