#pragma once

/// What continuous integration systems show specially: a foldable section of the log around the search, the
/// job's summary page, and links on the job's page. Found by the variables that these systems set:
/// GITHUB_ACTIONS, GITHUB_STEP_SUMMARY, GITLAB_CI, CI_JOB_URL, CI_PROJECT_DIR.

#include <cstdio>
#include <optional>
#include <string>

#include "analyzer/report.h"

namespace flakebisect::analyzer {

/// From its making to its end what is written to `out` lies in a section, where the environment has such.
class CiSection {
 public:
  CiSection(std::FILE* out, const std::string& title);
  ~CiSection() { end(); }
  CiSection(const CiSection&) = delete;
  CiSection& operator=(const CiSection&) = delete;
  void end();

 private:
  enum class System { none, github, gitlab };
  std::FILE* out_;
  System system_ = System::none;
};

/// Appends the report to the job's summary page where GITHUB_STEP_SUMMARY names its file. In a job of GitLab,
/// which has no such page, the finding becomes a section of the log that stands open, and, where
/// FLAKEBISECT_GITLAB_ANNOTATIONS names a file, a link with the finding as its label is added to that file
/// for artifacts:reports:annotations. It leads to the HTML report among the job's artifacts where `html_file`
/// lies in the project's directory, else to the job's log. What cannot be written is told on standard error
/// and is no failure.
void append_job_summary(const Report& report, const std::optional<std::string>& html_file = std::nullopt);

/// The annotations file of GitLab with one more link: `before` is its text so far, empty or an object of
/// lists as this function made them (anything else is replaced).
std::string gitlab_annotations(const std::string& before, const std::string& label, const std::string& url);

}  // namespace flakebisect::analyzer
