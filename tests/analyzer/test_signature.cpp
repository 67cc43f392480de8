#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <sstream>

#include "analyzer/signature.h"

using namespace flakebisect::analyzer;

namespace {

/// Output of real runs: tests/data/signatures (Python 3.11, testtools 2.5, pytest 7.2, Catch2, GCC, Node 20,
/// Java 17, Rust; Go's by its documented form).
std::string sample(const std::string& name) {
  std::ifstream file(std::string(TEST_DATA) + "/signatures/" + name + ".txt", std::ios::binary);
  REQUIRE(file);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string text_of(const std::string& name, const std::string& id) {
  return signature_text(failure_signature(sample(name), id));
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

}  // namespace

TEST_CASE("signatures of unittest failures name the innermost line of the test's file") {
  const auto of = [](const std::string& test) {
    return text_of("python_Plain_" + test, "tests.test_sample.Plain." + test);
  };
  CHECK(of("test_equal") == "AssertionError in tests/test_sample.py test_equal: self.assertEqual(1, 2)");
  CHECK(of("test_helper") == "AssertionError in tests/test_sample.py check: self.assertEqual(a, b)");
  CHECK(of("test_outside") == "ValueError in tests/test_sample.py test_outside: helper.deep(3)");
  CHECK(of("test_chained") ==
        "RuntimeError in tests/test_sample.py test_chained: raise RuntimeError('wrapped') from error");
  CHECK(of("test_during") == "ValueError in tests/test_sample.py test_during: helper.deep(1)");
  CHECK(of("test_recursive") == "RecursionError in tests/test_sample.py again: def again(): return again()");
  CHECK(of("test_custom") ==
        "tests.helper.Custom.Inner in tests/test_sample.py test_custom: raise helper.Custom.Inner('x')");
  CHECK(of("test_group") ==
        "ExceptionGroup in tests/test_sample.py test_group: raise ExceptionGroup('many', [ValueError('a'), "
        "KeyError('b')])");
  // What an exception says cannot pose as another frame or exception.
  CHECK(of("test_multiline") ==
        "ValueError in tests/test_sample.py test_multiline: raise ValueError('first line\\n  File "
        "\"fake.py\", line 3, "
        "in nowhere\\nFakeError: second\\n')");
  // A test inherited from another module has no line of its own: the innermost line outside of libraries
  // counts.
  CHECK(text_of("python_Inherited_test_base", "tests.test_sample.Inherited.test_base") ==
        "AssertionError in tests/helper.py test_base: self.fail('from the base at %s' % id(self))");
}

TEST_CASE("of several parts the test's own failure counts") {
  const std::string two = "tests.test_sample.Tools.test_two";
  const std::string expected =
      "testtools.matchers._impl.MismatchError in tests/test_sample.py test_two: self.assertEqual(1, 2)";
  CHECK(text_of("testtools_parts_Tools_test_two", two) == expected);
  // In testtools' output the clean-up's traceback is shown first, in braces.
  CHECK(text_of("testtools_output", two) == expected);
  CHECK(text_of("unittest_output", two) == expected);
  CHECK(text_of("testtools_output", "tests.test_sample.Tools.test_mismatch") ==
        "testtools.matchers._impl.MismatchError in tests/test_sample.py test_mismatch: self.assertThat(3, "
        "testtools.matchers.Equals(4))");
  // Only a clean-up failed.
  const auto all = sample("testtools_output");
  const auto begin = all.find("traceback-1");
  const auto cleanup = all.substr(begin, all.find("}}}", begin) + 4 - begin);
  CHECK(signature_text(failure_signature(cleanup, two)) ==
        "OSError in tests/test_sample.py boom: raise OSError('cleanup')");
}

TEST_CASE("every style of pytest gives the same signature") {
  struct Case {
    std::string id, expected;
  };
  const std::vector<Case> cases = {
      {"tests/test_py.py::test_plain", "AssertionError in tests/test_py.py test_plain: assert a == 2"},
      {"tests/test_py.py::test_inner",
       "AssertionError in tests/test_py.py inner: assert x == 3, \"x was %s\" % x"},
      {"tests/test_py.py::test_raise", "ValueError in tests/test_py.py test_raise: helper.deep(1)"},
      {"tests/test_py.py::test_chain",
       "RuntimeError in tests/test_py.py test_chain: raise RuntimeError(\"wrapped\") from e"},
      {"tests/test_py.py::TestClass::test_param[2]",
       "Failed in tests/test_py.py test_param: with pytest.raises(KeyError):"}};
  for (const auto& style : {"long", "short", "native"})
    for (const auto& [id, expected] : cases) {
      INFO(style << " " << id);
      CHECK(text_of(std::string("pytest_") + style, id) == expected);
    }
  CHECK(text_of("pytest_line", "tests/test_py.py::test_plain") == "AssertionError in tests/test_py.py:9");
}

TEST_CASE("unittest's output of many tests is searched for the right one") {
  CHECK(text_of("unittest_output", "tests.test_sample.Plain.test_outside") ==
        "ValueError in tests/test_sample.py test_outside: helper.deep(3)");
  CHECK(text_of("unittest_output", "tests.test_sample.Plain.test_helper") ==
        "AssertionError in tests/test_sample.py check: self.assertEqual(a, b)");
}

TEST_CASE("other languages") {
  CHECK(text_of("cpp_catch2", "adds") == "failed check in cpp_test.cpp: CHECK( f() == 4 )");
  CHECK(text_of("cpp_terminate", "x") == "std::runtime_error: no luck");
  CHECK(text_of("cpp_asan", "x") ==
        "AddressSanitizer: heap-buffer-overflow in sig/asan_test.cpp deep(int*):2");
  CHECK(text_of("c_assert", "x") == "assertion in assert_test.c:2");
  CHECK(text_of("js_node", "t.test.js") == "TypeError in sig/t.test.js check:2");
  CHECK(text_of("java", "FooTest.testX") == "java.lang.RuntimeException in FooTest.java FooTest.testX:2");
  CHECK(text_of("rust", "adds") == "panic in rs/lib_test.rs:4");
  CHECK(text_of("go_panic", "example.com/shop/cart.TestLookup") ==
        "panic in cart/cart_test.go example.com/shop/cart.TestLookup:9");
  CHECK(text_of("go_fail", "TestAdd") == "failure in add_test.go:14");
  CHECK(text_of("python_faulthandler", "x") ==
        "Fatal Python error: Segmentation fault in <string> test_crash:2");
  CHECK(signature_text(failure_signature("Segmentation fault (core dumped)\n", "x")) ==
        "failure: Segmentation fault (core dumped)");
  CHECK(signature_text(failure_signature("", "x")) == "failure");
}

TEST_CASE("unrelated edits, other checkouts and other values leave a failure the same") {
  const std::string id = "tests.test_sample.Plain.test_outside";
  const auto text = sample("python_Plain_test_outside");
  const auto original = failure_signature(text, id);
  CHECK(same_failure(original, original));
  const auto moved = failure_signature(replaced(text, "/tmp/sig/", "/home/ci/build 7/"), id);
  const auto edited = failure_signature(replaced(text, "line 12", "line 15"), id);
  const auto value = failure_signature(replaced(text, "0x", "0xdead"), id);
  const auto path =
      failure_signature(replaced(text, "\n    deep(n - 1)", "\n    deep(n - 1)  # changed"), id);
  for (const auto& same : {moved, edited, value, path}) {
    CHECK(same_failure(original, same));
    CHECK(signature_text(same) == signature_text(original));
  }
  const auto other_line = failure_signature(replaced(text, "helper.deep(3)", "helper.deep(4)"), id);
  const auto other_type = failure_signature(replaced(text, "\nValueError", "\nKeyError"), id);
  const auto other_function = failure_signature(replaced(text, "in test_outside", "in setUp"), id);
  for (const auto& other : {other_line, other_type, other_function}) {
    CHECK_FALSE(same_failure(original, other));
    CHECK(signature_text(other) != signature_text(original));
  }
  // The source may be missing (a compiled or moved file): then the number of the line decides.
  const auto no_source = failure_signature(replaced(text, "    helper.deep(3)\n", ""), id);
  CHECK(same_failure(original, no_source));
  CHECK_FALSE(same_failure(failure_signature(replaced(text, "line 12", "line 15"), id), no_source));
  // The same type may be written with and without its module.
  CHECK(
      same_failure(failure_signature(replaced(text, "\nValueError", "\nbuiltins.ValueError"), id), original));
}

TEST_CASE("the test's own file is told from its id") {
  const auto frame = [](const std::string& file, const std::string& id) {
    const std::string text =
        "Traceback (most recent call last):\n  File \"" + file +
        "\", line 3, in f\n    own()\n  File \"/x/helper.py\", line 4, in g\n    inner()\nE: x\n";
    return failure_signature(text, id);
  };
  CHECK(frame("/src/a/b/test_m.py", "a.b.test_m.C.t").file == "a/b/test_m.py");
  CHECK(frame("/src/a/b/test_m.py", "a.b.test_m.C.t(scenario, 2.5)").own);
  CHECK(frame("/src/a/b/test_m.py", "t (a.b.test_m.C)").own);
  CHECK(frame("/src/a/b/test_m.py", "t (a.b.test_m.C.t)").own);
  CHECK(frame("test_m.py", "a.b.test_m.C.t").own);
  CHECK(frame("./b/test_m.py", "a.b.test_m.C.t").own);
  CHECK(frame("/src/a/b/__init__.py", "a.b.C.t").file == "a/b/__init__.py");
  CHECK(frame("/src/tests/test_m.py", "tests/test_m.py::C::t[x]").own);
  CHECK_FALSE(frame("/src/a/c/test_m.py", "a.b.test_m.C.t").own);
  CHECK_FALSE(frame("/src/other_test_m.py", "test_m.C.t").own);
  CHECK_FALSE(frame("/src/tests/test_m.py", "other/test_m.py::C::t").own);
  CHECK_FALSE(frame("/src/t.py", "").own);
}

TEST_CASE("what changes from run to run is masked") {
  CHECK(mask_volatile("<X object at 0x7f5e28> took 1.25 s") == "<X object at <address>> took <n> s");
  CHECK(mask_volatile("id 123e4567-e89b-12d3-a456-426614174000 of deadbeef01") == "id <uuid> of <id>");
  CHECK(mask_volatile("/tmp/tmpab12_x/db.sqlite: locked") == "<tmp>: locked");
  CHECK(mask_volatile("2026-11-22T10:11:12.5 port 4711, 1e-05") == "<n> port <n>, <n>");
  CHECK(mask_volatile("defaced facade and face") == "defaced facade and face");
  CHECK(mask_volatile("a1 b22c") == "a<n> b<n>c");
  CHECK(mask_volatile("") == "");
  const auto a = failure_signature("PortError: port 4711 in use", "x");
  const auto b = failure_signature("PortError: port 4712 in use", "x");
  CHECK(same_failure(a, b));
  CHECK_FALSE(same_failure(a, failure_signature("PortError: no port", "x")));
}

TEST_CASE("crashes, statuses and time limits have signatures") {
  CHECK(signature_text(crash_signature(SIGSEGV)) == "killed by SIGSEGV");
  CHECK(signature_text(crash_signature(999)) == "killed by signal 999");
  CHECK(signature_text(exit_signature(3)) == "exit status 3");
  CHECK(signature_text(timeout_signature()) == "time limit");
  CHECK(same_failure(crash_signature(SIGSEGV), crash_signature(SIGSEGV)));
  CHECK_FALSE(same_failure(crash_signature(SIGSEGV), crash_signature(SIGABRT)));
  CHECK_FALSE(same_failure(crash_signature(SIGSEGV), timeout_signature()));
}

TEST_CASE("what the runners say of a process that ended is told apart by signal and status") {
  const auto text = [](const std::string& said) {
    return signature_text(failure_signature(said, "tests.m.C.t"));
  };
  CHECK(text("process died with signal 9 (Killed) while the test ran") == "killed by SIGKILL");
  CHECK(text("the process that ran the test ended during it: was killed by signal 11 (Segmentation fault)") ==
        "killed by SIGSEGV");
  CHECK(text("process ended with exit status 3 while the test ran") == "exit status 3");
  CHECK(text("ended with exit status 1") == "exit status 1");
  CHECK(text("the test did not end within its time limit") == "time limit");
  CHECK(text("the test hangs: the limit of 3 seconds passed") == "time limit");
  // Other words stay words.
  CHECK(text("signal 9 was lost") == "failure: signal <n> was lost");
}

TEST_CASE("cut-off and hostile tracebacks give something") {
  for (const auto* name : {"python_Plain_test_during", "pytest_long", "pytest_short", "java", "go_panic",
                           "rust", "testtools_output", "cpp_asan", "python_Plain_test_group"}) {
    const auto text = sample(name);
    for (std::size_t length = 0; length < text.size(); length += 7) {
      const auto signature = failure_signature(text.substr(0, length), "tests.test_sample.Plain.test_during");
      CHECK_FALSE(signature.exception.empty());
      CHECK(signature_text(signature).size() < 1500);
    }
  }
  const std::string hostile =
      "Traceback (most recent call last):\n  File \"\x1b[2J\", line 99999999999999999999999, in "
      "\xe2\x80\xae\n    \xff\xfe\n\x1b]0;x\x07" +
      std::string(100000, 'A') + "\n";
  const auto text = signature_text(failure_signature(hostile, std::string(5000, '.') + "::("));
  for (const char c : text) CHECK(static_cast<unsigned char>(c) >= 0x20);
  CHECK(failure_signature(std::string(1U << 20U, '\n') + "  File \"", "(").exception == "failure");
}
