#include "bisect/rpc_server_core.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

#include "repo_reader/subunit_encoder.h"

namespace flakebisect::bisect {

RpcServerCore::RpcServerCore(Offer offer) : offer_(std::move(offer)) {}

void RpcServerCore::end() {
  decoder_.end();
  ended_ = true;
}

std::optional<ServerEvent> RpcServerCore::next() {
  if (gone_) return std::nullopt;
  while (const std::optional<RpcItem> item = decoder_.next()) {
    // Whatever else a client's side of the channel carries (a shell's banner, a router's own events) is not
    // for us.
    if (const auto* received = std::get_if<ReceivedMessage>(&*item)) return on(*received);
  }
  if (!ended_) return std::nullopt;
  gone_ = true;
  return ClientGone{false};
}

ServerEvent RpcServerCore::on(const ReceivedMessage& received) {
  if (std::holds_alternative<GoodbyeMessage>(received.message)) {
    gone_ = true;
    return ClientGone{true};
  }
  if (const auto* malformed = std::get_if<MalformedMessage>(&received.message))
    return IgnoredInput{received.text, malformed->why};
  if (const auto* hello = std::get_if<HelloMessage>(&received.message))
    return on_hello(*hello, received.text);
  if (version_ == 0)
    return IgnoredInput{received.text, greeted_ ? "no version is agreed" : "no Hello has come before it"};
  if (const auto* list = std::get_if<ListMessage>(&received.message)) {
    in_flight_.insert(list->nonce);
    return ListRequest{list->nonce, list->tests};
  }
  if (const auto* run = std::get_if<RunMessage>(&received.message)) return on_run(*run);
  if (const auto* cancel = std::get_if<CancelMessage>(&received.message)) {
    if (version_ < 2 || !offer_.cancel) return IgnoredInput{received.text, "'cancel' is not offered"};
    if (in_flight_.count(cancel->nonce) == 0)
      return IgnoredInput{received.text, "the request is not in flight (it may just have ended)"};
    return CancelRequest{cancel->nonce};
  }
  return IgnoredInput{received.text, "it is no request"};
}

ServerEvent RpcServerCore::on_hello(const HelloMessage& hello, const std::string& text) {
  if (greeted_) return IgnoredInput{text, "there was a Hello before"};
  greeted_ = true;
  const std::int64_t highest = std::min(offer_.max_version, hello.max);
  version_ = highest >= std::max(offer_.min_version, hello.min) ? highest : 0;
  HelloMessage own;
  own.min = offer_.min_version;
  own.max = offer_.max_version;
  if (own.max >= 2) {
    own.server = offer_.server;
    if (offer_.ordered) own.features.emplace_back("ordered");
    if (offer_.isolated) own.features.emplace_back("isolated");
    if (offer_.cancel) own.features.emplace_back("cancel");
    if (offer_.repeat) own.features.emplace_back("repeat");
  }
  output_ += rpc_packets(own);
  return ClientHello{version_, hello};
}

ServerEvent RpcServerCore::on_run(const RunMessage& run) {
  RunRequest request{run.nonce, run.tests, false, false, 1};
  in_flight_.insert(run.nonce);
  if (version_ < 2) return request;  // there the three fields are unknown, and unknown fields are ignored
  std::string reason;
  if (!run.order.empty() && run.order != "given") reason = "the order \"" + run.order + "\" is not known";
  if (run.order == "given" && !offer_.ordered) reason = "'ordered' is not offered";
  if (!run.isolation.empty() && run.isolation != "process")
    reason = "the isolation \"" + run.isolation + "\" is not known";
  if (run.isolation == "process" && !offer_.isolated) reason = "'isolated' is not offered";
  if (run.repeat != 0) {
    if (run.repeat < 2 || run.repeat > std::numeric_limits<std::uint32_t>::max())
      reason = "\"repeat\" is " + std::to_string(run.repeat) + ", and no number of runs from 2 on";
    if (run.order != "given") reason = "'repeat' is for a given order only";
    if (!offer_.repeat) reason = "'repeat' is not offered";
  }
  if (!reason.empty()) {
    done(run.nonce, DoneStatus::refused, reason);
    return RefusedRun{run.nonce, reason};
  }
  request.ordered = run.order == "given";
  request.isolated = run.isolation == "process";
  if (run.repeat != 0) request.repeat = static_cast<std::uint32_t>(run.repeat);
  return request;
}

void RpcServerCore::exists(const std::vector<std::string>& tests) {
  ChannelEvent known;
  known.status = repo_reader::Status::exists;
  for (const std::string& test : tests) {
    known.test_id = test;
    event(known);
  }
}

void RpcServerCore::done(const Nonce& nonce, DoneStatus status, std::string_view reason) {
  if (in_flight_.erase(nonce) == 0) throw std::logic_error("RpcServerCore::done: no such request in flight");
  DoneMessage done;
  done.nonce = nonce;
  if (version_ >= 2) {
    done.status = status;
    done.reason = reason;
  }
  output_ += rpc_packets(done);
}

void RpcServerCore::event(const ChannelEvent& event) {
  repo_reader::encode_event(event.view(), output_);
}

std::string RpcServerCore::take_output() {
  return std::exchange(output_, {});
}

}  // namespace flakebisect::bisect
