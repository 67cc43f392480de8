#include "bisect/rpc_client_core.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace flakebisect::bisect {

namespace {

std::string range_of(std::int64_t min, std::int64_t max) {
  return min == max ? fmt::format("version {}", min) : fmt::format("versions {} to {}", min, max);
}

bool is_result(const ChannelEvent& event) {
  using repo_reader::Status;
  return event.test_id && event.runnable && event.status != Status::none && event.status != Status::exists;
}

}  // namespace

RpcClientCore::RpcClientCore() : RpcClientCore(Options{}) {}

RpcClientCore::RpcClientCore(Options options) : options_(std::move(options)) {
  HelloMessage hello;
  hello.min = options_.min_version;
  hello.max = options_.max_version;
  output_ = rpc_packets(hello);
}

std::optional<ClientEvent> RpcClientCore::next() {
  while (std::optional<RpcItem> item = decoder_.next()) {
    if (auto* noise = std::get_if<ReceivedNoise>(&*item)) return Noise{std::move(noise->bytes)};
    if (auto* message = std::get_if<ReceivedMessage>(&*item)) return on(std::move(*message));
    if (auto event = on(std::get<ReceivedEvent>(std::move(*item)))) return event;
  }
  return std::nullopt;
}

std::optional<ClientEvent> RpcClientCore::on(ReceivedEvent&& received) {
  if (state_ == State::waiting && is_result(received.event)) return RanUnasked{std::move(received.event)};
  Nonce request = owner(received.event);
  return TestEvent{std::move(received.event), std::move(request)};
}

std::optional<ClientEvent> RpcClientCore::on(ReceivedMessage&& received) {
  if (const auto* hello = std::get_if<HelloMessage>(&received.message)) return on_hello(*hello, received);
  if (const auto* done = std::get_if<DoneMessage>(&received.message)) return on_done(*done, received);
  std::string why = "it is not for a client";
  if (const auto* malformed = std::get_if<MalformedMessage>(&received.message)) why = malformed->why;
  if (const auto* unknown = std::get_if<UnknownMessage>(&received.message))
    why = "\"" + unknown->name + "\" is no message that this client knows";
  return IgnoredMessage{std::move(received.text), std::move(why)};
}

ClientEvent RpcClientCore::on_hello(const HelloMessage& hello, const ReceivedMessage& received) {
  if (state_ != State::waiting) return IgnoredMessage{received.text, "there was a Hello before"};
  hello_ = hello;
  const std::int64_t highest = std::min(options_.max_version, hello.max);
  if (highest < std::max(options_.min_version, hello.min)) {
    state_ = State::incompatible;
    return ServerIncompatible{hello, fmt::format("the server speaks {} of the protocol, flakebisect {}",
                                                 range_of(hello.min, hello.max),
                                                 range_of(options_.min_version, options_.max_version))};
  }
  version_ = highest;
  state_ = State::ready;
  return ServerReady{version_, hello, received.route};
}

ClientEvent RpcClientCore::on_done(const DoneMessage& done, const ReceivedMessage& received) {
  if (requests_.erase(done.nonce) == 0) return StrayDone{done};
  return RequestDone{done.nonce, done.status, done.reason, received.route};
}

Nonce RpcClientCore::owner(const ChannelEvent& event) const {
  if (!event.test_id) return {};
  const bool listed = event.status == repo_reader::Status::exists;
  // Where one request alone can have caused the event it is the owner, also of a test it did not ask for:
  // whether it asked is for the caller to judge.
  const std::pair<const Nonce, Request>* asked = nullptr;
  const std::pair<const Nonce, Request>* possible = nullptr;
  std::size_t asking = 0, possibles = 0;
  for (const auto& entry : requests_) {
    if (entry.second.is_run == listed) continue;
    possible = &entry;
    ++possibles;
    if (!entry.second.all && entry.second.tests.count(*event.test_id) == 0) continue;
    asked = &entry;
    ++asking;
  }
  if (asking == 1) return asked->first;
  return possibles == 1 ? possible->first : Nonce{};
}

std::string RpcClientCore::take_output() {
  return std::exchange(output_, {});
}

bool RpcClientCore::feature(std::string_view name) const {
  return version_ >= 2 &&
         std::find(hello_.features.begin(), hello_.features.end(), name) != hello_.features.end();
}

void RpcClientCore::require_ready() const {
  if (state_ != State::ready) throw std::logic_error("RpcClientCore: a request before the server is ready");
}

Nonce RpcClientCore::fresh_nonce() {
  return nonce_of(options_.nonce_prefix + std::to_string(next_nonce_++));
}

Nonce RpcClientCore::begin(bool is_run, const std::optional<std::vector<std::string>>& tests) {
  Nonce nonce = fresh_nonce();
  Request& request = requests_[nonce];
  request.is_run = is_run;
  request.all = !tests;
  if (tests) request.tests.insert(tests->begin(), tests->end());
  return nonce;
}

Nonce RpcClientCore::list(std::optional<std::vector<std::string>> tests) {
  require_ready();
  Nonce nonce = begin(false, tests);
  output_ += rpc_packets(ListMessage{nonce, std::move(tests)});
  return nonce;
}

Nonce RpcClientCore::run(std::optional<std::vector<std::string>> tests, RunOptions options) {
  require_ready();
  if (options.ordered && !feature("ordered"))
    throw std::logic_error("RpcClientCore: 'ordered' is not offered");
  if (options.isolated && !feature("isolated"))
    throw std::logic_error("RpcClientCore: 'isolated' is not offered");
  const bool repeated = options.repeat > 1;
  if (repeated && !(options.ordered && feature("repeat")))
    throw std::logic_error("RpcClientCore: 'repeat' is not offered, or the order is not given");
  Nonce nonce = begin(true, tests);
  output_ += rpc_packets(RunMessage{nonce, std::move(tests), options.ordered ? "given" : "",
                                    options.isolated ? "process" : "", repeated ? options.repeat : 0});
  return nonce;
}

void RpcClientCore::cancel(const Nonce& request) {
  require_ready();
  if (!feature("cancel")) throw std::logic_error("RpcClientCore: 'cancel' is not offered");
  output_ += rpc_packets(CancelMessage{request});
}

void RpcClientCore::goodbye() {
  require_ready();
  output_ += rpc_packets(GoodbyeMessage{});
  state_ = State::closed;
}

}  // namespace flakebisect::bisect
