#include <catch2/catch.hpp>
#include <random>

#include "bisect/rpc_framer.h"
#include "rpc_test_tools.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;
using flakebisect::repo_reader::Status;

namespace {

std::string packet_piece(const std::string& bytes) {
  return fmt::format("P{}", bytes);
}
std::string noise_piece(const std::string& bytes) {
  return fmt::format("N{}", bytes);
}

/// The pieces as "P<bytes>" and "N<bytes>", neighbouring noise joined.
void collect(RpcFramer& framer, std::vector<std::string>& pieces) {
  while (const auto piece = framer.next()) {
    const std::string bytes(piece->bytes);
    const std::string text = piece->packet ? packet_piece(bytes) : noise_piece(bytes);
    if (!piece->packet && !pieces.empty() && pieces.back()[0] == 'N') {
      pieces.back() += text.substr(1);
    } else {
      pieces.push_back(text);
    }
  }
}

}  // namespace

TEST_CASE("packets and noise are told apart however the bytes arrive") {
  const std::string a = status_packet("a", Status::inprogress);
  const std::string b = status_packet("b" + std::string(70, 'b'), Status::success);
  std::string damaged = status_packet("damaged", Status::fail);
  damaged[8] = 'X';
  const std::string stream =
      std::string("text\n") + a + b + "\xb3" + a + "\xb3\x29" + damaged + b + "tail \xb3";
  const std::vector<std::string> expected = {"Ntext\n",       packet_piece(a),
                                             packet_piece(b), "N\xb3",
                                             packet_piece(a), noise_piece(fmt::format("\xb3\x29{}", damaged)),
                                             packet_piece(b), "Ntail \xb3"};
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    RpcFramer framer;
    std::vector<std::string> pieces;
    framer.receive(stream.substr(0, cut));
    collect(framer, pieces);
    framer.receive(stream.substr(cut));
    framer.end();
    collect(framer, pieces);
    INFO("cut at " << cut);
    REQUIRE(pieces == expected);
    CHECK(framer.pending() == 0);
    CHECK(framer.checksum_failures() == 2);  // the stray "\xb3\x29" makes a header of what follows
  }
}

TEST_CASE("a packet inside a packet's attachment is not taken for one of the channel") {
  flakebisect::repo_reader::Event event;
  const std::string inner = status_packet("inner", Status::fail);
  event.test_id = "outer";
  event.file_name = "stream";
  event.file_bytes = inner;
  std::string outer;
  flakebisect::repo_reader::encode_event(event, outer);
  RpcFramer framer;
  std::vector<std::string> pieces;
  for (const char byte : outer) {
    framer.receive(std::string_view(&byte, 1));
    collect(framer, pieces);
  }
  CHECK(pieces == std::vector<std::string>{packet_piece(outer)});
}

TEST_CASE("a stray signature byte holds up what follows only until the channel is silent") {
  const std::string packet = status_packet("t", Status::success);
  // A header that promises some 100,000 bytes.
  const std::string stray("\xb3\x29\x01\x81\x86\xa0", 6);
  RpcFramer framer;
  std::vector<std::string> pieces;
  framer.receive(fmt::format("x{}y{}{}", stray, packet, packet));
  collect(framer, pieces);
  CHECK(pieces == std::vector<std::string>{"Nx"});
  framer.give_up_incomplete();
  collect(framer, pieces);
  CHECK(pieces == std::vector<std::string>{noise_piece(fmt::format("x{}y", stray)), packet_piece(packet),
                                           packet_piece(packet)});

  SECTION("where no whole packet stands behind it, it is kept: it may be a slow large packet") {
    RpcFramer slow;
    slow.receive(packet.substr(0, packet.size() - 1));
    slow.give_up_incomplete();
    CHECK_FALSE(slow.next());
    slow.receive(packet.substr(packet.size() - 1));
    const auto piece = slow.next();
    REQUIRE(piece);
    CHECK(piece->packet);
  }
}

TEST_CASE("no byte is lost or invented, whatever comes in whatever pieces") {
  std::mt19937 random(20151);
  for (int round = 0; round < 300; ++round) {
    std::string stream;
    std::size_t packets = 0;
    for (int part = 0; part < 12; ++part) {
      if (random() % 2) {
        stream += status_packet(std::to_string(random() % 1000), Status::success);
        ++packets;
      } else {
        for (auto n = random() % 20; n > 0; --n) stream += static_cast<char>(random() % 3 ? random() : 0xb3);
      }
    }
    RpcFramer framer;
    std::string seen;
    std::size_t found = 0;
    const auto take = [&] {
      while (const auto piece = framer.next()) {
        seen += piece->bytes;
        found += piece->packet ? 1U : 0U;
      }
    };
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t size = 1 + random() % 40;
      framer.receive(std::string_view(stream).substr(at, size));
      at += size;
      take();
    }
    framer.end();
    take();
    REQUIRE(seen == stream);
    REQUIRE(found == packets);
  }
}
