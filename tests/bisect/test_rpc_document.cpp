#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "rpc_test_tools.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;

namespace {

/// A block of docs/protocol.md: ```hex SIDE CONTENT, then bytes.
struct Block {
  bool client = false;
  std::string content;
  std::string bytes;
};

std::vector<Block> read_blocks() {
  std::ifstream file(PROJECT_SOURCE "/docs/protocol.md");
  REQUIRE(file);
  std::vector<Block> blocks;
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with("```hex ")) continue;
    Block block;
    block.client = line.starts_with("```hex client ");
    block.content = line.substr(14);
    while (std::getline(file, line) && line != "```") {
      std::istringstream words(line);
      for (std::string word; words >> word;) block.bytes += static_cast<char>(std::stoi(word, nullptr, 16));
    }
    blocks.push_back(block);
  }
  return blocks;
}

}  // namespace

TEST_CASE("the conversation in docs/protocol.md is what both cores send and understand") {
  const std::vector<Block> blocks = read_blocks();
  REQUIRE(blocks.size() == 7);
  RpcClientCore client;
  RpcServerCore server(full_offer());
  std::vector<std::string> client_log, server_log;
  for (const Block& block : blocks) {
    INFO(block.content);
    if (block.content.starts_with("{")) {
      const RpcMessage message = parse_rpc_message(block.content);
      CHECK(rpc_message_text(message) == block.content);
      CHECK(rpc_packets(message) == block.bytes);
    }
    if (block.client) {
      server.receive(block.bytes);
      drain(server, server_log);
    } else {
      client.receive(block.bytes);
      drain(client, client_log);
      if (client.ready() && client.requests_in_flight() == 0 && client_log.size() == 1) {
        client.run(std::vector<std::string>{"s.a"}, {true, true});
      }
    }
  }
  CHECK(client.take_output() == blocks[0].bytes + blocks[2].bytes);
  CHECK(server_log ==
        std::vector<std::string>{"hello 2", "run \"n1\" [s.a] ordered=true isolated=true", "goodbye"});
  CHECK(client_log == std::vector<std::string>{"ready 2 server=tiny 1.0 features=ordered,isolated route=",
                                               "test s.a inprogress of \"n1\"", "test s.a success of \"n1\"",
                                               "done \"n1\" ok "});
}

TEST_CASE("the request to repeat in docs/protocol.md is what both cores send and understand") {
  std::ifstream file(PROJECT_SOURCE "/docs/protocol.md");
  std::string content;
  for (std::string line; content.empty() && std::getline(file, line);) {
    if (line == "  ```json client") std::getline(file, content);
  }
  content.erase(0, content.find_first_not_of(' '));
  const RpcMessage message = parse_rpc_message(content);
  REQUIRE(std::holds_alternative<RunMessage>(message));
  CHECK(rpc_message_text(message) == content);
  RpcServerCore::Offer offer = full_offer();
  offer.repeat = true;
  RpcServerCore server(offer);
  RpcClientCore client;
  std::vector<std::string> client_log, server_log;
  server.receive(client.take_output() + rpc_packets(message));
  drain(server, server_log);
  client.receive(server.take_output());
  drain(client, client_log);
  client.run(std::nullopt, {});
  (void)client.take_output();
  client.run(std::get<RunMessage>(message).tests, {true, true, 3});
  CHECK(client.take_output() == rpc_packets(message));
  CHECK(server_log ==
        std::vector<std::string>{"hello 2", "run \"n2\" [s.b,s.a] ordered=true isolated=true repeat=3"});
}

TEST_CASE("the times in docs/protocol.md are those it claims") {
  const std::vector<Block> blocks = read_blocks();
  RpcDecoder decoder;
  std::vector<double> times;
  for (const Block& block : blocks) {
    if (block.content.starts_with("{")) continue;
    decoder.receive(block.bytes);
    const auto item = decoder.next();
    REQUIRE(item);
    const auto& event = std::get<ReceivedEvent>(*item).event;
    CHECK(event.runnable);
    times.push_back(event.timestamp->seconds());
  }
  CHECK(times == std::vector<double>{1767225600.0, 1767225600.5});
}
