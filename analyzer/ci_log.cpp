#include "analyzer/ci_log.h"

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

#include "analyzer/report_escape.h"
#include "analyzer/report_formats.h"
#include "analyzer/report_words.h"

namespace flakebisect::analyzer {

namespace {

constexpr const char* section_name = "flakebisect_search";
constexpr const char* finding_section_name = "flakebisect_finding";
/// The list within GitLab's annotations file.
constexpr const char* annotations_name = "flakebisect";

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

namespace {

/// A variable's value; empty where it is not set.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// The place of a file of this job among its artifacts; nothing where it lies outside of the project.
std::optional<std::string> artifact_path(const std::string& file) {
  const auto root = variable("CI_PROJECT_DIR");
  if (root.empty() || file == "-") return std::nullopt;
  const auto path = std::filesystem::absolute(file).lexically_normal().lexically_relative(
      std::filesystem::path(root).lexically_normal());
  if (path.empty() || *path.begin() == "..") return std::nullopt;
  return path.generic_string();
}

void write_gitlab(const Report& report, const std::optional<std::string>& html_file) {
  const auto title = visible_line(plain(finding_title(report)));
  std::fprintf(stderr, "\033[0Ksection_start:%lld:%s\r\033[0Kflakebisect: %s\n%s\n%s\n", now(),
               finding_section_name, title.c_str(), visible_line(plain(finding_sentence(report))).c_str(),
               visible_line(certainty_sentence(report)).c_str());
  std::fprintf(stderr, "\033[0Ksection_end:%lld:%s\r\033[0K\n", now(), finding_section_name);
  std::fflush(stderr);

  const auto file = variable("FLAKEBISECT_GITLAB_ANNOTATIONS");
  const auto job = variable("CI_JOB_URL");
  if (file.empty() || job.empty()) return;
  const auto artifact = html_file ? artifact_path(*html_file) : std::nullopt;
  std::ifstream old(file, std::ios::binary);
  const std::string before(std::istreambuf_iterator<char>(old), {});
  old.close();
  std::ofstream out(file, std::ios::binary);
  if (!(out << gitlab_annotations(before, title, artifact ? job + "/artifacts/file/" + *artifact : job))
           .flush())
    std::fprintf(stderr, "warning: the annotations %s cannot be written\n", file.c_str());
}

}  // namespace

std::string gitlab_annotations(const std::string& before, const std::string& label, const std::string& url) {
  using nlohmann::json;
  json all = json::parse(before, nullptr, false);
  if (!all.is_object()) all = json::object();
  auto& links = all[annotations_name];
  if (!links.is_array()) links = json::array();
  links.push_back({{"external_link", {{"label", label}, {"url", url}}}});
  return all.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

void append_job_summary(const Report& report, const std::optional<std::string>& html_file) {
  if (is_true("GITLAB_CI")) write_gitlab(report, html_file);
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
