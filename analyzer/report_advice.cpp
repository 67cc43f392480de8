/// What to do next, by kind of finding.

#include <fmt/format.h>

#include "analyzer/report_words.h"
#include "analyzer/session_file.h"

namespace flakebisect::analyzer {

using bisect::Kind;

namespace {

/// The command for a session named as "FILE#NUMBER".
std::string command_to_resume(const std::string& session) {
  const auto mark = session.rfind('#');
  if (mark == std::string::npos) return "flakebisect resume " + session;
  return resume_command(session.substr(0, mark), session.substr(mark + 1));
}

std::vector<std::string> advice_for_kind(const Report& report) {
  switch (report.verdict.kind) {
    case Kind::self:
      return {
          "Look inside the test and the code it calls: time limits, threads that race, random data, the "
          "clock, the "
          "network, the order of sets and dictionaries.",
          "Run the command in a loop until it fails, also while the machine is busy; if load changes the "
          "rate, it is "
          "a race or a time limit.",
          "If the code draws random numbers, log the seed and pin it."};
    case Kind::polluter:
      return {
          "Compare what the polluter changes with what the victim reads: module globals, singletons and "
          "caches, "
          "patches that are not undone, environment variables, the working directory, files, database rows, "
          "threads "
          "left running.",
          "Fix it where it leaks: let the polluter undo its change (addCleanup, a fixture) rather than "
          "making the "
          "victim tolerate it; other tests may be its victims too."};
    case Kind::polluter_set:
      return {
          "None of these tests is enough by itself: look for something that one of them sets up and another "
          "uses "
          "or breaks, such as a cache, a registry, or a counter that must pass a limit.",
          "Undo the change in whichever test is easiest: removing one of them is enough."};
    case Kind::brittle:
      return {
          "The victim relies on something that the other test leaves behind: an import, a registration, a "
          "file, a "
          "table, a cached value. Let the victim set that up itself.",
          "Until then it fails whenever it is run alone, or when the order or the split over workers "
          "changes."};
    case Kind::cumulative:
      return {
          "Something runs out or slows down as tests go by: open files and sockets, threads, memory, "
          "temporary "
          "files, a growing registry. Log these before the victim and compare short with long lists.",
          "A smaller number of tests for each process hides it and does not fix it."};
    case Kind::concurrent:
      return {
          "Look for what workers share: ports, database and file names, temporary directories, environment, "
          "machine load.",
          "Give each worker a name of its own for such things."};
    case Kind::not_reproduced:
      return {
          "Compare this environment with the one that failed: revision, machine load, parallel workers, "
          "versions.",
          std::string(report.verdict.exhausted ? "Name" : "Give it more time with --budget, or name") +
              " a run in which it failed more recently with --run-id."};
    case Kind::inconclusive:
      break;
  }
  if (report.verdict.exhausted)
    return {
        "Change what is said above to stand in the way, then begin a new search: this one has nothing more "
        "to "
        "try."};
  if (report.session.empty()) return {"Give it more time with --budget."};
  return {"Go on where it stopped: " + command_to_resume(report.session)};
}

}  // namespace

std::vector<std::string> advice(const Report& report) {
  auto lines = advice_for_kind(report);
  if (!report.verdict.cleaners.empty())
    lines.push_back("See how the cleaners undo the pollution: it is the fix in small.");
  if (!report.other_failures.empty())
    lines.emplace_back(
        "The victim also failed in other ways; those are counted apart and need a search of their own "
        "(--match).");
  return lines;
}

}  // namespace flakebisect::analyzer
