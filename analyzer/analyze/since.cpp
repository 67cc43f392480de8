#include "analyzer/analyze/since.h"

#include "analyzer/command_line.h"
#include "analyzer/exit_status.h"
#include "analyzer/pattern.h"
#include "repo_reader/iso_time.h"

namespace flakebisect::analyzer {

RunSelection parse_since(const std::string& text, double now_seconds) {
  RunSelection selection;
  if (const auto run = repo_reader::parse_run_id(text)) {
    selection.first_run = *run;
    return selection;
  }
  static const Pattern date(
      R"((\d{4}-\d{1,2}-\d{1,2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)");
  if (const auto parts = date.groups_of(text)) {
    const auto part = [&](std::size_t number, const char* otherwise) {
      const auto& found = (*parts)[number];
      return found.empty() ? std::string(otherwise) : found;
    };
    const auto whole = part(1, "") + " " + part(2, "00:00") + part(3, ":00") + part(4, "Z");
    if (const auto time = repo_reader::parse_iso_time(whole)) {
      selection.since_micros = time->microseconds;
      return selection;
    }
  } else if (!text.empty() && std::string("smhd").find(text.back()) != std::string::npos) {
    selection.since_micros =
        static_cast<std::int64_t>((now_seconds - parse_duration_seconds(text, "--since")) * 1e6);
    return selection;
  }
  throw UsageError(
      "--since takes a run number, a date such as 2026-11-01 or '2026-11-01 12:30' (UTC), or a time such "
      "as 30d or 12h, not '" +
      text + "'");
}

}  // namespace flakebisect::analyzer
