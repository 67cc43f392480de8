#include <catch2/catch.hpp>
#include <random>

#include "rpc_test_tools.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;
using flakebisect::repo_reader::Status;

namespace {

using Log = std::vector<std::string>;

/// A client that has taken this Hello.
struct Greeted {
  RpcClientCore core;
  Log log;
  explicit Greeted(HelloMessage hello) {
    hello.server = "s";
    core.receive(rpc_packets(hello));
    drain(core, log);
    log.clear();
    (void)core.take_output();
  }
};

HelloMessage hello2() {
  HelloMessage hello;
  hello.features = {"ordered", "isolated", "cancel"};
  return hello;
}

}  // namespace

TEST_CASE("client and server agree, list, run, cancel and part") {
  RpcClientCore client;
  RpcServerCore server(full_offer());
  Log c, s;
  const auto exchange = [&] {
    server.receive(client.take_output());
    drain(server, s);
    client.receive(server.take_output());
    drain(client, c);
  };
  CHECK_FALSE(client.ready());
  CHECK_THROWS_AS(client.list(std::nullopt), std::logic_error);
  exchange();
  CHECK(s == Log{"hello 2"});
  CHECK(c == Log{"ready 2 server=test 1.0 features=ordered,isolated,cancel route="});
  CHECK(client.feature("isolated"));
  CHECK_FALSE(client.feature("flying"));

  c.clear(), s.clear();
  const Nonce list = client.list(std::nullopt);
  const Nonce run = client.run(Log{"a", "b"}, {true, true});
  exchange();
  CHECK(s == Log{"list \"n1\" all", "run \"n2\" [a,b] ordered=true isolated=true"});
  // Replies interleave: the run starts, the list answers, the run ends.
  ChannelEvent event;
  event.test_id = "a";
  event.status = Status::inprogress;
  server.event(event);
  server.exists({"a", "b", "c"});
  server.done(list);
  event.status = Status::success;
  server.event(event);
  exchange();
  CHECK(c == Log{"test a inprogress of \"n2\"", "test a exists of \"n1\"", "test b exists of \"n1\"",
                 "test c exists of \"n1\"", "done \"n1\" ok ", "test a success of \"n2\""});
  CHECK(client.requests_in_flight() == 1);

  c.clear(), s.clear();
  client.cancel(run);
  exchange();
  CHECK(s == Log{"cancel \"n2\""});
  server.done(run, DoneStatus::cancelled, "as asked");
  CHECK_THROWS_AS(server.done(run), std::logic_error);
  client.goodbye();
  exchange();
  CHECK(s == Log{"cancel \"n2\"", "goodbye"});
  CHECK(c == Log{"done \"n2\" cancelled as asked"});
  CHECK(client.state() == RpcClientCore::State::closed);
  CHECK(client.requests_in_flight() == 0);
}

TEST_CASE("the highest version that both speak is used") {
  const auto agreed = [](std::int64_t client_min, std::int64_t client_max, std::int64_t server_min,
                         std::int64_t server_max) {
    RpcClientCore::Options options;
    options.min_version = client_min;
    options.max_version = client_max;
    RpcClientCore client(options);
    RpcServerCore::Offer offer = full_offer();
    offer.min_version = server_min;
    offer.max_version = server_max;
    RpcServerCore server(offer);
    Log c, s;
    server.receive(client.take_output());
    drain(server, s);
    client.receive(server.take_output());
    drain(client, c);
    CHECK(s == Log{fmt::format("hello {}", client.version())});
    return client.ready() ? std::to_string(client.version()) : c.at(0);
  };
  CHECK(agreed(1, 2, 1, 2) == "2");
  CHECK(agreed(1, 2, 1, 1) == "1");
  CHECK(agreed(1, 1, 1, 2) == "1");
  CHECK(agreed(1, 2, 2, 9) == "2");
  CHECK(agreed(1, 2, 7, 7) ==
        "incompatible: the server speaks version 7 of the protocol, flakebisect versions 1 to 2");
  CHECK(agreed(3, 4, 1, 2) ==
        "incompatible: the server speaks versions 1 to 2 of the protocol, flakebisect versions "
        "3 to 4");
}

TEST_CASE("features count from version 2 on only") {
  HelloMessage hello = hello2();
  hello.max = 1;
  Greeted client(hello);
  CHECK(client.core.version() == 1);
  CHECK_FALSE(client.core.feature("isolated"));
  CHECK_THROWS_AS(client.core.run(Log{"a"}, {true, false}), std::logic_error);
  CHECK_THROWS_AS(client.core.cancel("\"n1\""), std::logic_error);
}

TEST_CASE("a version 1 server ignores what version 2 brought, and its Done has no status") {
  RpcServerCore::Offer offer;
  offer.max_version = 1;
  RpcServerCore server(offer);
  Log log;
  server.receive(rpc_packets(HelloMessage{}));
  server.receive(rpc_packets(RunMessage{"1", std::nullopt, "given", "process"}));
  server.receive(rpc_packets(CancelMessage{"1"}));
  drain(server, log);
  CHECK(log == Log{"hello 1", "run 1 all ordered=false isolated=false",
                   "ignored {\"msg\":\"Cancel\",\"nonce\":1}: 'cancel' is not offered"});
  (void)server.take_output();
  server.done("1", DoneStatus::refused, "why");
  CHECK(server.take_output() == rpc_packets(DoneMessage{"1", DoneStatus::ok, ""}));
}

TEST_CASE("a server refuses by itself what it does not offer") {
  RpcServerCore::Offer offer;
  offer.ordered = true;
  RpcServerCore server(offer);
  Log log;
  server.receive(rpc_packets(HelloMessage{}));
  server.receive(rpc_packets(RunMessage{"1", Log{"a"}, "given", "process"}));
  server.receive(rpc_packets(RunMessage{"2", Log{"a"}, "sorted", ""}));
  server.receive(rpc_packets(RunMessage{"3", Log{"a"}, "given", ""}));
  drain(server, log);
  CHECK(log == Log{"hello 2", "refused 1: 'isolated' is not offered",
                   "refused 2: the order \"sorted\" is not known", "run 3 [a] ordered=true isolated=false"});
  CHECK(server.requests_in_flight() == 1);
}

TEST_CASE("the last test of a list in a given order may be asked for several times") {
  RpcClientCore client;
  RpcServerCore::Offer offer = full_offer();
  offer.repeat = true;
  RpcServerCore server(offer);
  Log c, s;
  server.receive(client.take_output());
  drain(server, s);
  client.receive(server.take_output());
  drain(client, c);
  CHECK(c == Log{"ready 2 server=test 1.0 features=ordered,isolated,cancel,repeat route="});
  client.run(Log{"a", "b"}, {true, true, 20});
  client.run(Log{"a"}, {true, false, 1});
  server.receive(client.take_output());
  drain(server, s);
  CHECK(s == Log{"hello 2", "run \"n1\" [a,b] ordered=true isolated=true repeat=20",
                 "run \"n2\" [a] ordered=true isolated=false"});
  CHECK_THROWS_AS(client.run(Log{"a"}, {false, true, 2}), std::logic_error);
  CHECK(client.take_output().empty());
  CHECK(client.requests_in_flight() == 2);

  Greeted older(hello2());
  CHECK_THROWS_AS(older.core.run(Log{"a"}, {true, true, 2}), std::logic_error);
  CHECK(older.core.requests_in_flight() == 0);
}

TEST_CASE("a server refuses by itself a repetition that it does not offer or that makes no sense") {
  RpcServerCore::Offer offer = full_offer();
  const auto answer = [&](const RunMessage& run, std::int64_t max_version = 2) {
    RpcServerCore server(offer);
    HelloMessage hello;
    hello.max = max_version;
    Log log;
    server.receive(rpc_packets(hello) + rpc_packets(run));
    drain(server, log);
    return log.at(1);
  };
  CHECK(answer({"1", Log{"a"}, "given", "", 2}) == "refused 1: 'repeat' is not offered");
  CHECK(answer({"1", Log{"a"}, "given", "", 2}, 1) == "run 1 [a] ordered=false isolated=false");
  offer.repeat = true;
  CHECK(answer({"1", Log{"a"}, "given", "", 2}) == "run 1 [a] ordered=true isolated=false repeat=2");
  CHECK(answer({"1", Log{"a"}, "given", "", 4294967295}) ==
        "run 1 [a] ordered=true isolated=false repeat=4294967295");
  CHECK(answer({"1", Log{"a"}, "", "process", 2}) == "refused 1: 'repeat' is for a given order only");
  for (const std::int64_t times : {std::int64_t{1}, std::int64_t{-3}, std::int64_t{4294967296}}) {
    CHECK(answer({"1", Log{"a"}, "given", "", times}) ==
          fmt::format("refused 1: \"repeat\" is {}, and no number of runs from 2 on", times));
  }
}

TEST_CASE("a server answers nothing before Hello, and ends with its input") {
  RpcServerCore server(full_offer());
  Log log;
  server.receive(rpc_packets(ListMessage{"1", std::nullopt}) + "a banner\n" +
                 status_packet("testrepository-rpc", Status::none));
  drain(server, log);
  CHECK(log == Log{"ignored {\"msg\":\"List\",\"nonce\":1}: no Hello has come before it"});
  CHECK(server.take_output().empty());
  server.end();
  drain(server, log);
  CHECK(log.back() == "end");
  CHECK_FALSE(server.next());
}

TEST_CASE("what a client hears at every split of the stream is the same") {
  // Messages in many packets, results, noise, unknown and malformed messages, foreign attachments.
  ChannelEvent foreign;
  foreign.test_id = "testrepository-rpc";
  foreign.file_name = "message";
  foreign.mime_type = "text/plain";
  foreign.file_bytes = "not for you";
  foreign.eof = true;
  std::string foreign_packet;
  flakebisect::repo_reader::encode_event(foreign.view(), foreign_packet);
  const std::string stream = "motd \xb3\xb3\n" + rpc_packets(hello2(), "0/3", 5) + foreign_packet +
                             status_packet("a", Status::inprogress) + "printed\n" +
                             rpc_packets_of_text(R"({"msg":"Weather","sun":true})") +
                             rpc_packets_of_text("{", "r", 1) + status_packet("a", Status::fail) +
                             rpc_packets(DoneMessage{"\"n1\"", DoneStatus::error, "died"}, "", 4) +
                             rpc_packets(DoneMessage{"\"n1\"", DoneStatus::ok, ""}) +
                             rpc_packets(DoneMessage{"99", DoneStatus::ok, ""});
  const Log expected = {
      "noise motd \xb3\xb3\n",
      "ready 2 server= features=ordered,isolated,cancel route=0/3",
      "test a inprogress of ",
      "noise printed\n",
      "ignored {\"msg\":\"Weather\",\"sun\":true}: \"Weather\" is no message that this client knows",
      "ignored {: it is not JSON",
      "test a fail of ",
      "stray done \"n1\"",
      "stray done \"n1\"",
      "stray done 99"};
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    RpcClientCore client;
    Log log;
    client.receive(stream.substr(0, cut));
    drain(client, log);
    client.receive(stream.substr(cut));
    drain(client, log);
    INFO("cut at " << cut);
    REQUIRE(log == expected);
  }
  RpcClientCore client;
  Log log;
  for (const char byte : stream) {
    client.receive(std::string_view(&byte, 1));
    drain(client, log);
  }
  CHECK(log == expected);
}

TEST_CASE("chunks of several messages interleave by file name and route") {
  const std::string one = rpc_packets(DoneMessage{"\"n1\"", DoneStatus::ok, "one"}, "r1", 6);
  const std::string two = rpc_packets(DoneMessage{"\"n2\"", DoneStatus::ok, "two"}, "r2", 6);
  REQUIRE(one.size() == two.size());
  const auto packets = [](const std::string& bytes) {
    Log list;
    RpcFramer framer;
    framer.receive(bytes);
    while (const auto piece = framer.next()) list.emplace_back(piece->bytes);
    return list;
  };
  const Log a = packets(one), b = packets(two);
  REQUIRE(a.size() > 3);
  Greeted client(hello2());
  client.core.run(Log{"x"}, {});
  client.core.run(Log{"y"}, {});
  for (std::size_t i = 0; i < a.size(); ++i) client.core.receive(a[i] + b[i]);
  drain(client.core, client.log);
  CHECK(client.log == Log{"done \"n1\" ok one", "done \"n2\" ok two"});
}

TEST_CASE("a message larger than a packet may be arrives whole") {
  Log tests;
  for (int i = 0; i < 60000; ++i)
    tests.push_back(fmt::format("package.module.Class{:05}.test_{:05}_{:060}", i, i, 0));
  RpcServerCore server(full_offer());
  server.receive(rpc_packets(HelloMessage{}));
  const std::string request = rpc_packets(RunMessage{"1", tests, "", ""});
  REQUIRE(request.size() > (std::size_t{5} << 20U));
  server.receive(request);
  REQUIRE(server.next());
  const auto event = server.next();
  REQUIRE(event);
  CHECK(std::get<RunRequest>(*event).tests == tests);
}

TEST_CASE("results are given to the request that asked for them where that is certain") {
  Greeted client(hello2());
  client.core.run(Log{"a", "b"}, {});
  client.core.run(Log{"b", "c"}, {});
  client.core.receive(status_packet("a", Status::success) + status_packet("b", Status::success) +
                      status_packet("c", Status::success) + status_packet("d", Status::success) +
                      status_packet("a", Status::exists));
  drain(client.core, client.log);
  CHECK(client.log == Log{"test a success of \"n1\"", "test b success of ", "test c success of \"n2\"",
                          "test d success of ", "test a exists of "});
}

TEST_CASE("a program that runs its tests instead of serving is noticed at the first result") {
  RpcClientCore client;
  Log log;
  client.receive(status_packet("a", Status::exists) + status_packet("a", Status::inprogress));
  drain(client, log);
  CHECK(log == Log{"test a exists of ", "unasked a"});
}

TEST_CASE("random damage never breaks a core, and never invents the end of a request") {
  std::mt19937 random(7);
  for (int round = 0; round < 400; ++round) {
    Greeted client(hello2());
    const Nonce run = client.core.run(Log{"a"}, {});
    std::string stream = status_packet("a", Status::inprogress) + "noise" +
                         rpc_packets(DoneMessage{run, DoneStatus::ok, ""}, "", 9) + rpc_packets(hello2());
    const std::size_t at = random() % stream.size();
    switch (random() % 4) {
      case 0:
        stream[at] = static_cast<char>(random());
        break;
      case 1:
        stream.erase(at, 1 + random() % 9);
        break;
      case 2:
        stream.insert(at, 1 + random() % 9, static_cast<char>(random()));
        break;
      default:
        stream.resize(at);
    }
    client.core.receive(stream);
    drain(client.core, client.log);
    client.core.silent();
    drain(client.core, client.log);
    client.core.end();
    drain(client.core, client.log);
    std::size_t ends = 0;
    for (const std::string& line : client.log) ends += line.starts_with("done ") ? 1U : 0U;
    CHECK(ends <= 1);
    CHECK(client.core.requests_in_flight() == 1 - ends);

    RpcServerCore server(full_offer());
    server.receive(stream);
    server.end();
    Log log;
    drain(server, log);
    CHECK(log.back() == "end");
  }
  for (int round = 0; round < 200; ++round) {
    std::string garbage(random() % 600, '\0');
    for (char& byte : garbage) byte = static_cast<char>(random() % 4 ? random() : 0xb3);
    RpcClientCore client;
    client.receive(garbage);
    client.end();
    Log log;
    drain(client, log);
    CHECK((log.empty() ? std::string() : log.at(0)) == (garbage.empty() ? "" : "noise " + garbage));
  }
}
