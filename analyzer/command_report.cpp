/// `flakebisect report`: writes the report of a stored session, or of a JSON report, again.

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "analyzer/command_line.h"
#include "analyzer/commands.h"
#include "analyzer/exit_status.h"
#include "analyzer/report_formats.h"
#include "analyzer/report_json.h"
#include "analyzer/report_writer.h"
#include "analyzer/session_file.h"
#include "analyzer/session_store.h"
#include "repo_reader/input_error.h"

namespace flakebisect::analyzer {

namespace po = boost::program_options;
using repo_reader::InputError;

namespace {

bool is_number(const std::string& word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// The report of the session with that number; of the last one that has a report where none is named.
std::string stored_report(const std::string& file, const std::optional<std::string>& word) {
  if (!std::filesystem::exists(file))
    throw MissingSession("there is no session file " + file + "; a bisection makes it");
  SessionStore store(file, SessionStore::Access::read);
  if (!word) {
    const SessionInfo* latest = nullptr;
    const auto sessions = store.list();
    for (const auto& info : sessions)
      if (!info.report.empty() && (latest == nullptr || info.updated >= latest->updated)) latest = &info;
    if (latest == nullptr)
      throw MissingSession("no session in " + file +
                           " has a report yet; 'flakebisect resume' goes on with one");
    return latest->report;
  }
  std::int64_t id = 0;
  const auto parsed = std::from_chars(word->data(), word->data() + word->size(), id);
  const auto info = parsed.ec == std::errc{} ? store.find(id) : std::nullopt;
  if (!info)
    throw MissingSession("there is no session " + *word + " in " + file +
                         "; 'flakebisect sessions' lists them");
  if (info->report.empty())
    throw MissingSession("session " + *word + " has no report yet; 'flakebisect resume " + *word +
                         "' goes on with it");
  return info->report;
}

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file) {
    throw InputError(InputError::Kind::unreadable,
                     "'" + path + "' is neither a session's number nor a JSON report that can be read");
  }
  return text.str();
}

}  // namespace

int command_report(const Arguments& args) {
  po::options_description options("Options");
  options.add_options()("session", po::value<std::string>()->value_name("FILE"),
                        "the SQLite file of sessions");
  options.add_options()("fingerprint", po::bool_switch(),
                        "print the finding's fingerprint alone: the same in each run that finds the same");
  for (const auto& format : known_report_formats())
    options.add_options()(format.c_str(), po::value<std::string>()->value_name("FILE"),
                          "write the report in this format (-: standard output)");
  po::options_description hidden;
  hidden.add_options()("word", po::value<std::string>());
  po::options_description all;
  all.add(options).add(common_options()).add(hidden);
  po::positional_options_description positional;
  positional.add("word", 1);
  const auto values = parse_options(args, all, positional);
  if (values["help"].as<bool>()) {
    std::ostringstream text;
    text << "Usage: flakebisect report [SESSION | REPORT.json] [OPTIONS]\n\n"
            "Writes the report of a session (default: the last one that has a report), or of a JSON\n"
            "report, again: in words, or in the formats asked for.\n\n"
         << options << common_options();
    std::fputs(text.str().c_str(), stdout);
    return exit_ok;
  }
  const auto common = read_common(values);
  const auto text_of = [&](const char* name) {
    return values.count(name) != 0 ? std::optional<std::string>(values[name].as<std::string>())
                                   : std::nullopt;
  };
  const auto requests = read_report_requests(values);
  auto word = text_of("word");
  auto sessions = session_file(common.directory, text_of("session"));
  // Reports name their session as FILE#NUMBER.
  if (const auto mark = word ? word->rfind('#') : std::string::npos;
      mark != std::string::npos && is_number(word->substr(mark + 1))) {
    sessions = word->substr(0, mark);
    word = word->substr(mark + 1);
  }
  const bool from_file = word && !is_number(*word);
  Report report;
  try {
    report = parse_report_json(from_file ? file_text(*word) : stored_report(sessions, word));
  } catch (const ReportFormatError& error) {
    throw InputError(InputError::Kind::unreadable,
                     std::string(error.what()) + (from_file ? "; a report is what --json writes" : ""));
  }
  if (values["fingerprint"].as<bool>()) {
    std::puts(fingerprint(report).c_str());
    return exit_ok;
  }
  // The words need not be repeated on standard error beside a format that goes to standard output.
  auto shown = common;
  shown.quiet = true;
  write_reports(report, requests, shown);
  return exit_ok;
}

}  // namespace flakebisect::analyzer
