#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "rpc_test_tools.h"

using namespace flakebisect::bisect;
using namespace flakebisect::bisect::testing;

TEST_CASE("Debian's python3-subunit reads our messages, and we read those that it writes") {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("flakebisect-rpc-{}", getpid());
  std::filesystem::create_directories(folder);
  const auto in = (folder / "in").string(), out = (folder / "out").string(),
             text = (folder / "text").string();
  {
    std::ofstream file(in, std::ios::binary);
    file << rpc_packets(HelloMessage{})
         << rpc_packets(ListMessage{"\"n\"", std::vector<std::string>{"é"}}, "0/1", 23);
  }
  const std::string command = fmt::format("{} -B {}/servers/subunit_relay.py {} {} > {}", FLAKEBISECT_PYTHON,
                                          TEST_DATA, in, out, text);
  REQUIRE(std::system(command.c_str()) == 0);
  std::vector<std::string> lines;
  {
    std::ifstream file(text);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
  }
  CHECK(lines ==
        std::vector<std::string>{
            "testrepository-rpc|None|message|{\"msg\":\"Hello\",\"max\":2,\"min\":1}|True|application/"
            "json|None|False",
            "testrepository-rpc|None|message|{\"msg\":\"List\",\"tests\":[|False|application/json|0/1|False",
            "testrepository-rpc|None|message|\"é\"],\"nonce\":\"n\"}|True|None|0/1|False"});
  std::ifstream file(out, std::ios::binary);
  RpcServerCore server(full_offer());
  server.receive(std::string(std::istreambuf_iterator<char>(file), {}));
  std::vector<std::string> log;
  drain(server, log);
  CHECK(log == std::vector<std::string>{"hello 2", "list \"n\" [é]"});
  std::filesystem::remove_all(folder);
}
