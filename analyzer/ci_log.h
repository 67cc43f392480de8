#pragma once

/// What continuous integration systems show specially: a foldable section of the log around the search, and
/// the job's summary page. Found by the variables that these systems set: GITHUB_ACTIONS,
/// GITHUB_STEP_SUMMARY, GITLAB_CI.

#include <cstdio>
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

/// Appends the report to the job's summary page where GITHUB_STEP_SUMMARY names its file. A page that cannot
/// be written is told on standard error and is no failure.
void append_job_summary(const Report& report);

}  // namespace flakebisect::analyzer
