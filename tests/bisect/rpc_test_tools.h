#pragma once

/// What the tests of the RPC cores share: events as one-line texts, and both cores wired together.

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bisect/rpc_client_core.h"
#include "bisect/rpc_server_core.h"
#include "repo_reader/subunit_encoder.h"

namespace flakebisect::bisect::testing {

inline std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, ","));
}

inline std::string asked(const std::optional<std::vector<std::string>>& tests) {
  return tests ? fmt::format("[{}]", joined(*tests)) : "all";
}

struct DescribeClientEvent {
  std::string operator()(const ServerReady& e) const {
    return fmt::format("ready {} server={} features={} route={}", e.version, e.hello.server,
                       joined(e.hello.features), e.route);
  }
  std::string operator()(const ServerIncompatible& e) const { return "incompatible: " + e.sentence; }
  std::string operator()(const RanUnasked& e) const { return "unasked " + e.event.test_id.value_or("-"); }
  std::string operator()(const TestEvent& e) const {
    return fmt::format("test {} {} of {}", e.event.test_id.value_or("-"),
                       repo_reader::status_name(e.event.status), e.request);
  }
  std::string operator()(const RequestDone& e) const {
    return fmt::format("done {} {} {}", e.request, done_status_name(e.status), e.reason);
  }
  std::string operator()(const StrayDone& e) const { return "stray done " + e.message.nonce; }
  std::string operator()(const IgnoredMessage& e) const {
    return fmt::format("ignored {}: {}", e.text, e.why);
  }
  std::string operator()(const Noise& e) const { return "noise " + e.bytes; }
};

struct DescribeServerEvent {
  std::string operator()(const ClientHello& e) const { return fmt::format("hello {}", e.version); }
  std::string operator()(const ListRequest& e) const {
    return fmt::format("list {} {}", e.nonce, asked(e.tests));
  }
  std::string operator()(const RunRequest& e) const {
    return fmt::format("run {} {} ordered={} isolated={}{}", e.nonce, asked(e.tests), e.ordered, e.isolated,
                       e.repeat == 1 ? "" : fmt::format(" repeat={}", e.repeat));
  }
  std::string operator()(const CancelRequest& e) const { return "cancel " + e.nonce; }
  std::string operator()(const ClientGone& e) const { return e.goodbye ? "goodbye" : "end"; }
  std::string operator()(const RefusedRun& e) const {
    return fmt::format("refused {}: {}", e.nonce, e.reason);
  }
  std::string operator()(const IgnoredInput& e) const { return fmt::format("ignored {}: {}", e.text, e.why); }
};

/// Everything a core has to say now. Neighbouring noise is joined: how it is cut depends on the pieces fed.
template <class Core, class Describe>
void drain(Core& core, Describe describe, std::vector<std::string>& log) {
  while (auto event = core.next()) {
    std::string line = std::visit(describe, *event);
    if (!log.empty() && line.starts_with("noise ") && log.back().starts_with("noise ")) {
      log.back() += line.substr(6);
    } else {
      log.push_back(std::move(line));
    }
  }
}

inline void drain(RpcClientCore& core, std::vector<std::string>& log) {
  drain(core, DescribeClientEvent{}, log);
}
inline void drain(RpcServerCore& core, std::vector<std::string>& log) {
  drain(core, DescribeServerEvent{}, log);
}

/// A packet with a test's status.
inline std::string status_packet(std::string_view test, repo_reader::Status status,
                                 std::string_view route = {}) {
  repo_reader::Event event;
  event.test_id = test;
  event.status = status;
  if (!route.empty()) event.route_code = route;
  std::string bytes;
  repo_reader::encode_event(event, bytes);
  return bytes;
}

/// An offer of everything.
inline RpcServerCore::Offer full_offer() {
  RpcServerCore::Offer offer;
  offer.server = "test 1.0";
  offer.ordered = offer.isolated = offer.cancel = true;
  return offer;
}

}  // namespace flakebisect::bisect::testing
