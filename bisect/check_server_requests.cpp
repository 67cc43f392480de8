/// The requirements of Hello, List and Run, and what must be ignored: version 1.

#include <fmt/format.h>

#include <algorithm>

#include "bisect/check_server_checks.h"
#include "repo_reader/subunit_encoder.h"

namespace flakebisect::bisect {

namespace {

using Texts = std::vector<std::string>;

/// A test id that no suite has.
const char* const kUnknownTest = "flakebisect.check_server.no_such_test";

void hello_answer(CheckContext& context) {
  CheckSession& session = context.another();
  const HelloMessage hello = session.greet(kRpcMinVersion, kRpcMaxVersion);
  CheckReport& report = context.report();
  report.server = hello.server;
  report.features = hello.features;
  const std::int64_t version = std::min(hello.max, kRpcMaxVersion);
  expect(version >= std::max(hello.min, kRpcMinVersion),
         fmt::format("the server speaks versions {} to {} and none of {} to {}", hello.min, hello.max,
                     kRpcMinVersion, kRpcMaxVersion));
  report.version = version;
  report.answered_hello = true;
}

void hello_quiet(CheckContext& context) {
  CheckSession& session = context.another();
  session.greet(kRpcMinVersion, kRpcMaxVersion);
  session.read_for(0.3);
  for (const Seen& seen : session.seen()) {
    expect(seen.event() == nullptr || !seen.event()->test_id || !seen.event()->runnable,
           "a test's packet came although nothing was asked for: " + seen.text());
    const auto* message = seen.message();
    expect(message == nullptr || std::holds_alternative<HelloMessage>(message->message),
           "a message came that nothing asked for: " + seen.text());
  }
}

void hello_version_1(CheckContext& context) {
  CheckSession& session = context.another();
  const HelloMessage hello = session.greet(1, 1);
  if (hello.min > 1) throw CheckNotOffered{fmt::format("the server speaks version {} and later", hello.min)};
  context.require_alive(session);
  context.run(session, Texts{context.tests()[0]});
}

void hello_no_common(CheckContext& context) {
  CheckSession& session = context.another();
  const HelloMessage hello = session.greet(1000000, 1000000);
  expect(hello.max < 1000000, "the server claims to speak version 1000000");
}

void hello_unknown_fields(CheckContext& context) {
  CheckSession& session = context.another();
  session.send_text(
      R"({"future": {"a": [null, 1.5]}, "max": 2, "features": ["telepathy"], "msg": "Hello", "min": 1})");
  expect(session.read_until([&] { return session.find_hello() != nullptr; },
                            context.options().handshake_limit_seconds),
         "no Hello came");
  context.require_alive(session);
}

void hello_packets(CheckContext& context) {
  CheckSession& session = context.another();
  session.send_text(rpc_message_text(HelloMessage{}), 5);
  expect(session.read_until([&] { return session.find_hello() != nullptr; },
                            context.options().handshake_limit_seconds),
         "no Hello came, which was cut into packets of 5 bytes");
}

void hello_mime(CheckContext& context) {
  repo_reader::Event event;
  const std::string json = rpc_message_text(HelloMessage{});
  event.test_id = kRpcTestId;
  event.file_name = "another name";
  event.file_bytes = json;
  event.eof = true;
  event.mime_type = "application/json; charset=utf8";
  event.route_code = "0/check";
  std::string bytes;
  repo_reader::encode_event(event, bytes);
  CheckSession& session = context.another();
  session.send_bytes(bytes, json + " as application/json; charset=utf8, file 'another name', route 0/check");
  expect(session.read_until([&] { return session.find_hello() != nullptr; },
                            context.options().handshake_limit_seconds),
         "no Hello came");
}

void list_all(CheckContext& context) {
  CheckSession& session = context.shared();
  std::size_t done = 0;
  expect(context.list(session, std::nullopt, &done).status == DoneStatus::ok,
         "the List was not answered with ok");
  const Texts tests = listed(session, done);
  for (std::size_t i = 0; i < tests.size(); ++i) {
    expect(std::find(tests.begin(), tests.begin() + static_cast<std::ptrdiff_t>(i), tests[i]) ==
               tests.begin() + static_cast<std::ptrdiff_t>(i),
           "a test was listed twice: " + tests[i]);
  }
  for (const std::string& test : context.options().tests) {
    expect(std::find(tests.begin(), tests.end(), test) != tests.end(), "the test was not listed: " + test);
  }
  expect(!tests.empty(), "no test was listed");
  expect(ran(session, session.seen().size()).empty(), "a List ran tests");
}

void list_some(CheckContext& context) {
  const std::string test = context.tests().back();
  CheckSession& session = context.shared();
  std::size_t done = 0;
  context.list(session, Texts{test}, &done);
  const Texts tests = listed(session, done);
  expect(tests == Texts{test}, fmt::format("asked for {}, listed {}", test, comma_list(tests)));
}

void list_none(CheckContext& context) {
  CheckSession& session = context.shared();
  std::size_t done = 0;
  context.list(session, Texts{}, &done);
  expect(listed(session, done).empty(), "an empty List listed tests");
}

void list_unknown(CheckContext& context) {
  CheckSession& session = context.shared();
  std::size_t done = 0;
  context.list(session, Texts{kUnknownTest}, &done);
  expect(listed(session, done).empty(), "a test was listed that cannot exist");
}

void list_several(CheckContext& context) {
  CheckSession& session = context.shared();
  const Nonce first = session.fresh_nonce(), second = session.fresh_nonce(), third = session.fresh_nonce();
  session.send(ListMessage{first, Texts{}});
  session.send(ListMessage{second, std::nullopt});
  session.send(ListMessage{third, Texts{}});
  for (const Nonce& nonce : {third, first, second}) session.wait_done(nonce);
}

void nonce_kept(CheckContext& context) {
  CheckSession& session = context.shared();
  for (const char* text : {"987654321012", "\"987\"", "\"\\\"\\\\ \xc3\xa9\xf0\x9f\xa6\x89 {}\"", "\"\""}) {
    const Nonce nonce = session.use_nonce(text);
    session.send(ListMessage{nonce, Texts{}});
    session.wait_done(nonce);
  }
}

void run_one(CheckContext& context) {
  const std::string test = context.tests()[0];
  CheckSession& session = context.shared();
  std::size_t done = 0;
  const DoneMessage end = context.run(session, Texts{test}, false, false, &done);
  expect(end.status == DoneStatus::ok, "the Run was not answered with ok");
  const auto tests = ran(session, done);
  expect(!tests.empty(), "Done came before any result of the test");
  expect(ids_of(tests) == Texts{test}, fmt::format("asked for {}, ran {}", test, comma_list(ids_of(tests))));
  expect(tests[0].started, "no packet with status inprogress came for " + test);
  expect(tests[0].finals == 1,
         fmt::format("{} packets with a final status came for {} before Done", tests[0].finals, test));
  const std::size_t until_done = session.seen().size();
  session.read_for(0.3);
  for (std::size_t i = std::min(until_done, done + 1); i < session.seen().size(); ++i) {
    expect(session.seen()[i].event() == nullptr || !session.seen()[i].event()->test_id,
           "a test's packet came after Done: " + session.seen()[i].text());
  }
}

void run_none(CheckContext& context) {
  CheckSession& session = context.shared();
  std::size_t done = 0;
  context.run(session, Texts{}, false, false, &done);
  expect(ran(session, done).empty(), "an empty Run ran tests");
}

void run_unknown(CheckContext& context) {
  CheckSession& session = context.shared();
  std::size_t done = 0;
  const DoneMessage end = context.run(session, Texts{kUnknownTest}, false, false, &done);
  expect(ran(session, done).empty(), "something ran: " + comma_list(ids_of(ran(session, done))));
  if (context.version() >= 2)
    expect(end.status == DoneStatus::refused,
           fmt::format("the status of Done is {}, not refused", done_status_name(end.status)));
}

void run_meanwhile(CheckContext& context) {
  const auto& tests = context.tests();
  CheckSession& session = context.shared();
  const Nonce run = session.fresh_nonce(), list = session.fresh_nonce();
  session.send(RunMessage{run, tests, "", context.feature("isolated") ? "process" : ""});
  session.send(ListMessage{list, Texts{}});
  session.wait_done(list);
  session.wait_done(run);
  std::size_t list_at = 0, run_at = 0;
  session.find_done(list, &list_at);
  session.find_done(run, &run_at);
  if (list_at > run_at)
    throw CheckNotOffered{"the List was answered after the Run (it may be): an in-line server"};
}

void ignore_messages(CheckContext& context) {
  CheckSession& session = context.shared();
  session.send_text(R"({"msg": "Weather", "nonce": "w", "sun": true})");
  session.send_text(R"({"msg": "Done", "nonce": "n"})");
  context.require_alive(session);
}

void ignore_malformed(CheckContext& context) {
  CheckSession& session = context.shared();
  for (const char* text : {"{", "[1, 2]", "\"List\"", "{}", R"({"msg": 7})", R"({"msg": "List"})",
                           R"({"msg": "Run", "nonce": "x", "tests": 5})", "\xff\xfe"})
    session.send_text(text);
  // A bad request may be answered or not; the next good one must be.
  (void)session.use_nonce("\"x\"");
  context.require_alive(session);
}

void ignore_fields(CheckContext& context) {
  CheckSession& session = context.shared();
  const Nonce nonce = session.fresh_nonce();
  session.send_text(R"({"msg": "List", "colour": ["red"], "tests": [], "nonce": )" + nonce + "}");
  session.wait_done(nonce);
}

void ignore_packets(CheckContext& context) {
  repo_reader::Event event;
  event.test_id = "some.other.test";
  event.status = repo_reader::Status::success;
  std::string bytes;
  repo_reader::encode_event(event, bytes);
  event.test_id = kRpcTestId;
  event.status = repo_reader::Status::none;
  event.file_name = "note";
  event.mime_type = "text/plain";
  event.file_bytes = "not a message";
  event.eof = true;
  repo_reader::encode_event(event, bytes);
  CheckSession& session = context.shared();
  session.send_bytes(bytes, "a test's packet, then a text/plain file of testrepository-rpc");
  context.require_alive(session);
}

void large_message(CheckContext& context) {
  // More than one packet can hold.
  Texts many;
  for (int i = 0; i < 60000; ++i) many.push_back(fmt::format("{}.{:05}.{:060}", kUnknownTest, i, 0));
  CheckSession& session = context.shared();
  std::size_t done = 0;
  context.list(session, many, &done);
  expect(listed(session, done).empty(), "a test was listed that cannot exist");
}

}  // namespace

const std::vector<Check>& hello_checks() {
  static const std::vector<Check> checks = {
      {"hello.answer", "answers Hello with its own, and a version is spoken by both", hello_answer},
      {"hello.quiet", "sends and runs nothing that nobody asked for", hello_quiet},
      {"hello.version-1", "serves a client that speaks version 1 alone", hello_version_1},
      {"hello.no-common", "answers with its own versions where none is common", hello_no_common},
      {"hello.fields", "ignores unknown fields and features in Hello", hello_unknown_fields},
      {"hello.packets", "joins a message that comes in several packets", hello_packets},
      {"hello.mime", "takes any file name, route code and MIME parameters", hello_mime},
  };
  return checks;
}

const std::vector<Check>& request_checks() {
  static const std::vector<Check> checks = {
      {"list.all", "lists each of its tests once, then says Done", list_all},
      {"list.some", "lists of the tests asked for those that it knows", list_some},
      {"list.none", "answers an empty List with Done alone", list_none},
      {"list.unknown", "lists no test that it does not know", list_unknown},
      {"list.several", "answers several requests that were sent at once", list_several},
      {"nonce.kept", "gives nonces back as they came, texts and numbers", nonce_kept},
      {"ignore.messages", "ignores unknown messages", ignore_messages},
      {"ignore.malformed", "ignores what is no valid message", ignore_malformed},
      {"ignore.fields", "ignores unknown fields of a request", ignore_fields},
      {"ignore.packets", "ignores packets that are no messages", ignore_packets},
      {"message.large", "takes a message of several megabytes", large_message},
      {"run.one", "runs the test asked for alone, start and result before Done", run_one},
      {"run.none", "answers an empty Run with Done alone", run_none},
      {"run.unknown", "runs nothing for a test that it does not know (version 2: refused)", run_unknown},
      {"run.meanwhile", "answers a List while tests run", run_meanwhile},
  };
  return checks;
}

}  // namespace flakebisect::bisect
