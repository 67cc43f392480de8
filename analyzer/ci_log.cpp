#include "analyzer/ci_log.h"

#include <cstdlib>
#include <ctime>
#include <string_view>

#include "analyzer/report_formats.h"

namespace flakebisect::analyzer {

namespace {

constexpr const char* section_name = "flakebisect_search";

bool is_true(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::string_view(value) == "true";
}

long long now() {
  return static_cast<long long>(std::time(nullptr));
}

}  // namespace

CiSection::CiSection(std::FILE* out, const std::string& title) : out_(out) {
  if (is_true("GITHUB_ACTIONS")) {
    system_ = System::github;
    std::fprintf(out_, "::group::%s\n", title.c_str());
  } else if (is_true("GITLAB_CI")) {
    system_ = System::gitlab;
    std::fprintf(out_, "\033[0Ksection_start:%lld:%s[collapsed=true]\r\033[0K%s\n", now(), section_name,
                 title.c_str());
  }
  if (system_ != System::none) std::fflush(out_);
}

void CiSection::end() {
  if (system_ == System::github) std::fputs("::endgroup::\n", out_);
  if (system_ == System::gitlab)
    std::fprintf(out_, "\033[0Ksection_end:%lld:%s\r\033[0K\n", now(), section_name);
  if (system_ != System::none) std::fflush(out_);
  system_ = System::none;
}

void append_job_summary(const Report& report) {
  const char* path = std::getenv("GITHUB_STEP_SUMMARY");
  if (path == nullptr || *path == '\0') return;
  const std::string text = render_markdown(report) + "\n";
  std::FILE* file = std::fopen(path, "ae");
  bool written = false;
  if (file != nullptr) {
    written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    written = std::fclose(file) == 0 && written;
  }
  if (!written) std::fprintf(stderr, "warning: the job summary %s cannot be written\n", path);
}

}  // namespace flakebisect::analyzer
