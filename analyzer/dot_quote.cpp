#include "analyzer/dot_quote.h"

#include "analyzer/report_escape.h"

namespace flakebisect::analyzer {

std::string dot_quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : visible_line(text)) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out + "\"";
}

}  // namespace flakebisect::analyzer
