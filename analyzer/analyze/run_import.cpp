#include "analyzer/analyze/run_import.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "analyzer/signature.h"
#include "repo_reader/input_error.h"
#include "repo_reader/run_file.h"
#include "repo_reader/stream_decoder.h"
#include "repo_reader/test_ids.h"

namespace flakebisect::analyzer {

namespace {

using repo_reader::FoldedTest;
using repo_reader::Status;

/// Builds the run as its workers executed it and notes the signature of each failure on the way.
class Importer final : public repo_reader::TestVisitor {
 public:
  void on_test(const FoldedTest& test) override {
    if (test.status == Status::fail && repo_reader::is_test_id(test.id)) {
      const std::vector<repo_reader::Attachment> details(test.details.begin(), test.details.end());
      const auto text = repo_reader::failure_text(details);
      if (!text.empty()) signatures[test.opened] = signature_text(failure_signature(text, test.id));
    }
    builder.on_test(test);
  }

  repo_reader::RunBuilder builder;
  std::unordered_map<std::size_t, std::string> signatures;  ///< by the position in the stream
};

Ending ending_of(const repo_reader::ExecutedTest& test, bool unexpected_success_fails) {
  if (test.unfinished) return Ending::unfinished;
  switch (test.status) {
    case Status::success:
    case Status::xfail:
      return Ending::pass;
    case Status::uxsuccess:
      return unexpected_success_fails ? Ending::fail : Ending::pass;
    case Status::fail:
      return Ending::fail;
    case Status::skip:
      return Ending::skip;
    default:
      return Ending::none;
  }
}

std::string signature_of(const repo_reader::ExecutedTest& test, Importer& importer) {
  const auto found = importer.signatures.find(test.stream_position);
  if (found != importer.signatures.end()) return std::move(found->second);
  if (test.status == Status::uxsuccess) return "unexpected success";
  return test.unfinished ? "it did not end: hung, or its process died" : "failure without a traceback";
}

void take(repo_reader::TestRun& tests, Importer& importer, bool unexpected_success_fails, ImportedRun& run) {
  run.damaged_parts = static_cast<std::uint32_t>(tests.damaged_parts);
  std::unordered_map<std::string, std::uint32_t> signature_ids;
  std::optional<std::int64_t> first;
  std::optional<std::int64_t> last;
  for (auto& worker : tests.workers) {
    HistoryProcess process;
    if (const auto number = repo_reader::worker_number(worker.tag))
      process.worker = static_cast<std::uint32_t>(*number) + 1;
    process.generation = worker.generation;
    process.first = run.results.size();
    for (auto& test : worker.tests) {
      if (!test.runnable) continue;
      Result result;
      result.ending = ending_of(test, unexpected_success_fails);
      if (test.start) result.start_micros = test.start->microseconds;
      if (test.seconds) result.seconds = static_cast<float>(*test.seconds);
      if (test.start && (!first || result.start_micros < *first)) first = result.start_micros;
      if (test.start && (!last || result.stop_micros() > *last)) last = result.stop_micros();
      if (result.failed()) {
        const auto [entry, added] = signature_ids.try_emplace(
            signature_of(test, importer), static_cast<std::uint32_t>(run.signatures.size() + 1));
        if (added) run.signatures.push_back(entry->first);
        result.signature = entry->second;
      }
      result.test = static_cast<std::uint32_t>(run.tests.size());
      run.tests.push_back(std::move(test.id));
      run.results.push_back(result);
    }
    process.count = run.results.size() - process.first;
    if (process.count != 0) run.processes.push_back(process);
  }
  run.started_micros = first.value_or(run.stamp.modified_nanos / 1000);
  if (first && last) run.wall_seconds = static_cast<double>(*last - *first) / 1e6;
}

}  // namespace

FileStamp stamp_of(const std::filesystem::path& file) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return {};
  return {facts.st_size,
          static_cast<std::int64_t>(facts.st_mtim.tv_sec) * 1'000'000'000 + facts.st_mtim.tv_nsec,
          facts.st_ino};
}

ImportedRun import_run(const repo_reader::Repository& repository, repo_reader::RunId id) {
  ImportedRun run;
  run.run = id;
  const auto path = repository.run_path(id);
  // Before the contents: where the file changes meanwhile, the next run of the program sees another stamp.
  run.stamp = stamp_of(path);
  try {
    Importer importer;
    repo_reader::StreamFolder folder(importer);
    repo_reader::StreamDecoder decoder(
        folder, {.version = repo_reader::Version::automatic, .details = true, .drop_partial_line = true});
    repo_reader::FileReader reader(path);
    for (auto piece = reader.next(); !piece.empty(); piece = reader.next()) decoder.feed(piece);
    importer.builder.at_end_of_stream(decoder.version() != repo_reader::Version::v2);
    decoder.finish();
    folder.finish();
    auto tests = importer.builder.finish();
    take(tests, importer, repository.unexpected_success_fails(), run);
  } catch (const repo_reader::InputError& error) {
    run.error = error.what();
  }
  return run;
}

}  // namespace flakebisect::analyzer
