#pragma once

/// A test command as testr writes it: shell text in which $IDOPTION, $IDFILE, $IDLIST and $LISTOPT stand for
/// what a run needs. Pure: text in, text out. This is the only place where the text of a test command is
/// made.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flakebisect::bisect {

/// One word for /bin/sh that stands for exactly these bytes. Plain words come back as they are. The text must
/// not hold NUL.
std::string shell_quote(std::string_view text);

struct CommandTemplate {
  std::string command;                         ///< test_command, or what --command gave
  std::string id_option;                       ///< test_id_option; empty where there is none
  std::string list_option;                     ///< test_list_option; empty where there is none
  std::optional<std::string> id_list_default;  ///< test_id_list_default

  bool operator==(const CommandTemplate&) const = default;
};

/// The variables are found as testr finds them: `\$(IDOPTION|IDFILE|IDLIST|LISTOPT)`, without a word boundary
/// ($IDFILEX is the value and an X), `${IDFILE}` is the shell's, what was put in is not looked at again. One
/// difference: testr puts ids and the file's name in as they are, so that the shell cuts them at blanks and
/// runs what stands in `$(...)`; here they are quoted, whatever quotes the variable stands in.
bool uses_variable(const CommandTemplate& command, std::string_view name);

/// True where the ids reach the command: through $IDFILE or $IDLIST, in the command or in $IDOPTION.
bool passes_ids(const CommandTemplate& command);
/// True where the ids reach the command as arguments ($IDLIST), whose order runners keep; a file of ids is a
/// filter to the unittest family.
bool passes_ids_as_arguments(const CommandTemplate& command);
/// True where there is something to list tests with: $LISTOPT and its value, or a `--load-list $IDFILE` of
/// the runners below, in whose place `--list` can stand.
bool can_list(const CommandTemplate& command);

/// The shell text that runs `ids`, which are also in the file `id_file`.
std::string run_text(const CommandTemplate& command, const std::vector<std::string>& ids,
                     std::string_view id_file);
/// Likewise with the file in a shell variable: `id_file_variable` is its name.
std::string run_text_with_variable(const CommandTemplate& command, const std::vector<std::string>& ids,
                                   std::string_view id_file_variable);
/// The shell text that lists the tests; see can_list().
std::string list_text(const CommandTemplate& command);

/// The same runner with the ids as arguments, in whose order it then runs them: `python -m subunit.run
/// discover -t TOP PATH $LISTOPT $IDOPTION` becomes `python -m subunit.run $IDLIST` with TOP in PYTHONPATH.
/// Knows subunit.run, testtools.run and stestr.subunit_runner.run. Nothing where `command` is not
/// of this form, or does more than discover. Only the modules of the named tests are imported then, not all
/// of them.
std::optional<CommandTemplate> with_ids_as_arguments(const CommandTemplate& command);

/// The same runner with output for people and an exit status that tells failure: `-m testtools.run` in place
/// of `-m subunit.run`, which always exits 0 and prints subunit v2. Nothing where it is not known how.
std::optional<CommandTemplate> for_people(const CommandTemplate& command);

/// Environment variables that the command mentions and whose values a reader of its text would have to know,
/// `name=value`, taken from our environment: PYTHON in ${PYTHON:-python}. Not those that every shell sets.
std::vector<std::pair<std::string, std::string>> mentioned_environment(const CommandTemplate& command);

/// The contents of the file for $IDFILE: UTF-8, one id a line.
std::string id_file_text(const std::vector<std::string>& ids);

}  // namespace flakebisect::bisect
