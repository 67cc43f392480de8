#pragma once

/// Failure signatures: which failures of a test are the same failure. By default that is: the same exception
/// type, raised from the same innermost line of the test's own file. The line is told by its function and its
/// source text where the traceback has them, so edits elsewhere in the file and other checkouts do not change
/// a signature.

#include <cstdint>
#include <string>
#include <string_view>

namespace flakebisect::analyzer {

struct Signature {
  std::string exception;   ///< type as written: "AssertionError", "testtools.matchers._impl.MismatchError",
                           ///< "panic", "killed by SIGSEGV", "time limit"; never empty
  std::string file;        ///< of the innermost line that counts: the part of its path that names the test's
                           ///< module, or its last two components; empty where the text names no line
  std::string function;    ///< that the line is in; empty where unknown
  std::string source;      ///< the line itself, without indentation; empty where unknown
  std::uint64_t line = 0;  ///< its number; 0 where unknown
  bool own =
      false;  ///< the line is in the test's own file; else it is the innermost one outside of libraries
  std::string message;  ///< first line of what the exception says, volatile parts masked
};

/// The signature of a failure's text: a traceback of Python (unittest, testtools with several parts, pytest
/// in any of its styles, exception groups), else a stack or a failure location of C++, Go, JavaScript, Java
/// or Rust, else its first line. Where a failure in a clean-up follows the test's own failure (testtools:
/// traceback-1), the test's own counts; of chained exceptions, the last. `test_id` tells the test's own file:
/// "tests.test_x.Class.method" means tests/test_x.py, "tests/test_x.py::Class::method" itself. Any bytes are
/// accepted; linear in the text's length.
Signature failure_signature(std::string_view traceback, std::string_view test_id);

/// The process that ran the test died of a signal, or ended with a status, while the test ran.
Signature crash_signature(int signal_number);
Signature exit_signature(int status);
/// The test did not end within the time limit.
Signature timeout_signature();

/// One line that is equal for failures with the same signature and names what a reader looks for, such as
/// "AssertionError in tests/test_x.py test_total: self.assertEqual(120, total())". At most 300 bytes or so.
std::string signature_text(const Signature& signature);

/// Whether two failures of one test are the same one. Where one of the two tracebacks lacks the source text,
/// the numbers of the lines decide; where neither names a line, the masked messages.
bool same_failure(const Signature& a, const Signature& b);

/// The text with what changes from run to run replaced: addresses, UUIDs, long hexadecimal numbers, temporary
/// paths, times and other numbers. For comparing and clustering messages.
std::string mask_volatile(std::string_view text);

}  // namespace flakebisect::analyzer
