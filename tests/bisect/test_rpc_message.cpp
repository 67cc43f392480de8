#include <catch2/catch.hpp>

#include "bisect/rpc_message.h"

using namespace flakebisect::bisect;

namespace {

template <class T>
T parsed(const std::string& text) {
  const RpcMessage message = parse_rpc_message(text);
  REQUIRE(std::holds_alternative<T>(message));
  return std::get<T>(message);
}

std::string why(const std::string& text) {
  return parsed<MalformedMessage>(text).why;
}

}  // namespace

TEST_CASE("messages are written with msg first and without their defaults") {
  HelloMessage hello;
  CHECK(rpc_message_text(hello) == R"({"msg":"Hello","max":2,"min":1})");
  hello.server = "x 1";
  hello.features = {"ordered"};
  CHECK(rpc_message_text(hello) ==
        R"({"msg":"Hello","max":2,"min":1,"server":"x 1","features":["ordered"]})");
  CHECK(rpc_message_text(ListMessage{"7", std::nullopt}) == R"({"msg":"List","nonce":7})");
  CHECK(rpc_message_text(ListMessage{nonce_of("a\"b"), std::vector<std::string>{}}) ==
        R"({"msg":"List","tests":[],"nonce":"a\"b"})");
  CHECK(rpc_message_text(RunMessage{"\"n\"", std::vector<std::string>{"t"}, "given", "process"}) ==
        R"({"msg":"Run","tests":["t"],"nonce":"n","order":"given","isolation":"process"})");
  CHECK(rpc_message_text(RunMessage{"\"n\"", std::vector<std::string>{"t"}, "given", "", 20}) ==
        R"({"msg":"Run","tests":["t"],"nonce":"n","order":"given","repeat":20})");
  CHECK(rpc_message_text(DoneMessage{"\"n\"", DoneStatus::ok, ""}) == R"({"msg":"Done","nonce":"n"})");
  CHECK(rpc_message_text(DoneMessage{"\"n\"", DoneStatus::refused, "no"}) ==
        R"({"msg":"Done","nonce":"n","status":"refused","reason":"no"})");
  CHECK(rpc_message_text(CancelMessage{"\"n\""}) == R"({"msg":"Cancel","nonce":"n"})");
  CHECK(rpc_message_text(GoodbyeMessage{}) == R"({"msg":"Goodbye"})");
  CHECK_THROWS_AS(rpc_message_text(MalformedMessage{"x"}), std::invalid_argument);
}

TEST_CASE("messages are read, whatever the order of their fields and with unknown ones") {
  const auto hello = parsed<HelloMessage>(
      R"({ "min": 1, "features": ["cancel", "later"], "new": {"a": [1]}, "max": 3, "msg": "Hello", "server": "s" })");
  CHECK(hello.min == 1);
  CHECK(hello.max == 3);
  CHECK(hello.server == "s");
  CHECK(hello.features == std::vector<std::string>{"cancel", "later"});
  const auto list = parsed<ListMessage>(R"({"msg": "List", "nonce": 12, "tests": null})");
  CHECK(list.nonce == "12");
  CHECK(!list.tests);
  CHECK(parsed<ListMessage>(R"({"msg": "List", "nonce": "x", "tests": []})").tests ==
        std::vector<std::string>{});
  const auto run = parsed<RunMessage>(R"({"msg":"Run","nonce":"é","tests":["a","b"],"order":"given"})");
  CHECK(run.nonce == "\"é\"");
  CHECK(run.tests == std::vector<std::string>{"a", "b"});
  CHECK(run.order == "given");
  CHECK(run.isolation.empty());
  CHECK(run.repeat == 0);
  CHECK(parsed<RunMessage>(R"({"msg":"Run","nonce":1,"repeat":7})").repeat == 7);
  CHECK(parsed<RunMessage>(R"({"msg":"Run","nonce":1,"repeat":null})").repeat == 0);
  CHECK(parsed<DoneMessage>(R"({"msg":"Done","nonce":"n"})").status == DoneStatus::ok);
  CHECK(parsed<DoneMessage>(R"({"msg":"Done","nonce":"n","status":"cancelled"})").status ==
        DoneStatus::cancelled);
  const auto odd = parsed<DoneMessage>(R"({"msg":"Done","nonce":"n","status":"tired","reason":"late"})");
  CHECK(odd.status == DoneStatus::error);
  CHECK(odd.reason == "unknown status \"tired\": late");
  CHECK(parsed<UnknownMessage>(R"({"msg":"Sing"})").name == "Sing");
}

TEST_CASE("what is no message is told why") {
  CHECK(why("") == "it is not JSON");
  CHECK(why("{\"msg\": \"Goodbye\"") == "it is not JSON");
  CHECK(why("{\"msg\": \"\xff\"}") == "it is not JSON");
  CHECK(why("[1]") == "it is JSON but no object");
  CHECK(why("{}") == "its \"msg\" is missing");
  CHECK(why(R"({"msg": 3})") == "its \"msg\" is not a string");
  CHECK(why(R"({"msg":"Hello","max":1})") == "its \"min\" is missing");
  CHECK(why(R"({"msg":"Hello","max":"1","min":1})") == "its \"max\" is not an integer");
  CHECK(why(R"({"msg":"Hello","max":1,"min":2})") == "its \"min\" is above its \"max\"");
  CHECK(why(R"({"msg":"List"})") == "its \"nonce\" is missing");
  CHECK(why(R"({"msg":"List","nonce":[1]})") == "its \"nonce\" is neither a string nor a number");
  CHECK(why(R"({"msg":"Run","nonce":1,"tests":"a"})") == "its \"tests\" is not an array");
  CHECK(why(R"({"msg":"Run","nonce":1,"tests":[1]})") == "an element of its \"tests\" is not a string");
  CHECK(why(R"({"msg":"Run","nonce":1,"repeat":"often"})") == "its \"repeat\" is not an integer");
  CHECK(why(R"({"msg":"Run","nonce":1,"repeat":2.5})") == "its \"repeat\" is not an integer");
  // Deep nesting must not overflow the stack.
  CHECK(why(std::string(200000, '[')) == "it is not JSON");
}

TEST_CASE("the MIME type may have parameters and any case") {
  CHECK(is_rpc_mime_type("application/json"));
  CHECK(is_rpc_mime_type("application/json; charset=utf8"));
  CHECK(is_rpc_mime_type("Application/JSON ;charset=\"utf8\""));
  CHECK_FALSE(is_rpc_mime_type("application/json5"));
  CHECK_FALSE(is_rpc_mime_type("text/plain"));
  CHECK_FALSE(is_rpc_mime_type(""));
}
