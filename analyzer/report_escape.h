#pragma once

/// Making hostile text harmless before it is put into a report. Test ids, tracebacks and output may hold
/// anything: terminal escape sequences, bidirectional overrides, markup of the format that is written, bytes
/// that are no UTF-8.

#include <string>
#include <string_view>

namespace flakebisect::analyzer {

/// Valid UTF-8 in which everything that moves a cursor, changes direction or is invisible is written out:
/// control characters as \x1b, bidirectional and zero-width characters as \u202e, bytes that are no UTF-8 as
/// \xff. Newlines become \n: the result is one line.
std::string visible_line(std::string_view text);

/// The same, but newlines stay, tabs become spaces up to the next multiple of eight, and \r before \n is
/// dropped.
std::string visible_text(std::string_view text);

/// For commands: newlines stay, because a command may need them, and nothing else is changed that is visible.
/// Equal to the command where it can be pasted as it is shown.
std::string visible_command(std::string_view text);

/// For the text and the attributes (in either quote) of HTML and XML. Takes what visible_* gave: XML allows
/// no control characters, however they are written.
std::string escape_markup(std::string_view text);

}  // namespace flakebisect::analyzer
