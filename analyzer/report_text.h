#pragma once

/// Plain text for terminals and mail.

#include <cstddef>
#include <string>

#include "analyzer/report.h"

namespace flakebisect::analyzer {

struct TextStyle {
  bool color = false;      ///< ANSI colours; the words are the same without
  std::size_t width = 80;  ///< prose is wrapped here; ids, commands and tracebacks are never cut or wrapped
};

/// The verdict in one sentence, then the evidence, the reproduction, what it cost and what to do next. Text
/// from tests is made visible first: no escape sequence, control or bidirectional override of theirs is
/// passed on.
std::string render_text(const Report& report, const TextStyle& style = {});

}  // namespace flakebisect::analyzer
