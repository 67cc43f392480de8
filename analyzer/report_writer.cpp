#include "analyzer/report_writer.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "analyzer/exit_status.h"
#include "analyzer/report_formats.h"
#include "analyzer/report_text.h"

namespace flakebisect::analyzer {

namespace {

void write_file(const std::string& path, const std::string& text) {
  const auto fail = [&] {
    return OutputError("cannot write the report " + path + ": " + std::strerror(errno));
  };
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) throw fail();
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const int reason = errno;
  if (std::fclose(file) != 0 || !written) {
    if (!written) errno = reason;
    throw fail();
  }
}

}  // namespace

void write_reports(const Report& report, const std::vector<ReportRequest>& requests,
                   const CommonOptions& common, bool stdout_taken) {
  for (const auto& request : requests) stdout_taken = stdout_taken || request.file == "-";
  std::FILE* out = stdout_taken ? stderr : stdout;
  if (!stdout_taken || !common.quiet) {
    const int descriptor = stdout_taken ? STDERR_FILENO : STDOUT_FILENO;
    TextStyle style;
    style.color = use_color(common.color, descriptor);
    style.width = isatty(descriptor) == 1 ? terminal_width(descriptor) : 80;
    const std::string text = render_text(report, style);
    std::fwrite(text.data(), 1, text.size(), out);
    std::fflush(out);
  }
  for (const auto& request : requests) {
    const std::string text = render_report(report, request.format);
    if (request.file == "-") {
      std::fwrite(text.data(), 1, text.size(), stdout);
    } else {
      write_file(request.file, text);
    }
  }
}

}  // namespace flakebisect::analyzer
