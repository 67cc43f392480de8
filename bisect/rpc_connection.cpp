#include "bisect/rpc_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

namespace flakebisect::bisect {

namespace {

using std::chrono::milliseconds;

/// How often *cancel is looked at.
constexpr auto kCancelInterval = milliseconds(20);
/// Silence after which a candidate packet that stays incomplete may be noise.
constexpr auto kQuiet = milliseconds(150);
/// How long output may come after the server's own end (from children that hold the pipe), and the other way
/// round.
constexpr auto kDrain = milliseconds(200);

double seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

ChildOptions child_options(const ConnectionOptions& options) {
  ChildOptions child;
  child.command = options.command;
  child.directory = options.directory;
  child.with_input = true;
  child.environment = options.environment;
  return child;
}

}  // namespace

ServerConnection::ServerConnection(const ConnectionOptions& options)
    : child_(child_options(options)), core_(options.client), last_bytes_(Clock::now()) {
  flush();
}

ServerConnection::~ServerConnection() {
  child_.terminate(0);
}

bool ServerConnection::take(ClientEvent& event) {
  while (auto next = core_.next()) {
    if (const auto* noise = std::get_if<Noise>(&*next)) {
      noise_.add(noise->bytes);
      noise_bytes_ += noise->bytes.size();
      continue;
    }
    event = std::move(*next);
    return true;
  }
  return false;
}

Wake ServerConnection::next(ClientEvent& event, Clock::time_point deadline, const std::atomic<bool>& cancel) {
  flush();
  std::optional<Clock::time_point> drain_until;
  for (;;) {
    if (take(event)) return Wake::event;
    if (ended_) return Wake::closed;
    if (cancel.load()) return Wake::cancelled;
    const auto now = Clock::now();
    // The end of the output and that of the process come in any order, a moment apart: the one says that
    // nothing more will come, the other why.
    if ((child_.exited() || !child_.out_open()) && !drain_until) drain_until = now + kDrain;
    if ((child_.exited() && !child_.out_open()) || (drain_until && now >= *drain_until)) {
      core_.end();
      errors_.add(signs_.rest());
      ended_ = true;
      continue;
    }
    if (now >= deadline) return Wake::deadline;
    if (core_.pending() > 0 && now - last_bytes_ >= kQuiet) core_.silent();
    const auto wait = std::min<Clock::duration>(deadline - now, kCancelInterval);
    child_.wait(seconds(wait), out_, err_);
    take_bytes();
  }
}

void ServerConnection::take_bytes() {
  if (!out_.empty()) {
    core_.receive(out_);
    last_bytes_ = Clock::now();
    out_.clear();
  }
  errors_.add(signs_.take(err_));
  err_.clear();
}

Handshake ServerConnection::launched_handshake(Clock::time_point queued_until, double seconds,
                                               const std::atomic<bool>& cancel) {
  // Output is a sign too: the launcher may carry no standard error.
  const auto none_yet = last_bytes_;
  bool started = false;
  while (!started && !cancel.load() && !child_.exited() && child_.out_open() && Clock::now() < queued_until) {
    child_.wait(std::chrono::duration<double>(kCancelInterval).count(), out_, err_);
    take_bytes();
    started = signs_.count() > 0 || last_bytes_ != none_yet;
  }
  // Where it has ended, that is seen at once.
  const bool waits = started || child_.exited() || !child_.out_open();
  return handshake(Clock::now() + duration_of(waits ? seconds : 0), cancel);
}

Handshake ServerConnection::handshake(Clock::time_point deadline, const std::atomic<bool>& cancel) {
  const auto begin = Clock::now();
  const auto not_a_server = [&](std::string what) {
    if (noise_bytes_ > 0) what += fmt::format(", after {} bytes that are no subunit", noise_bytes_);
    return Handshake{Handshake::Result::not_a_server, "did not enter server mode: " + what};
  };
  for (;;) {
    ClientEvent event;
    switch (next(event, deadline, cancel)) {
      case Wake::cancelled:
        return {Handshake::Result::cancelled, "cancelled"};
      case Wake::deadline:
        return not_a_server(
            fmt::format("no answer to Hello within {:.3g} seconds", seconds(deadline - begin)));
      case Wake::closed:
        return not_a_server(end_clause() + " before it answered Hello");
      case Wake::event:
        break;
    }
    if (std::holds_alternative<ServerReady>(event)) return {Handshake::Result::ready, ""};
    if (const auto* incompatible = std::get_if<ServerIncompatible>(&event))
      return {Handshake::Result::versions, incompatible->sentence};
    if (const auto* unasked = std::get_if<RanUnasked>(&event))
      return not_a_server("it ran tests that nobody asked for, as a test command does (the first was " +
                          unasked->event.test_id.value_or("?") + ")");
  }
}

bool ServerConnection::stop(double grace_seconds) {
  if (core_.ready()) {
    core_.goodbye();
    flush();
  }
  child_.close_input();
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(grace_seconds));
  while (!child_.exited() && Clock::now() < deadline) {
    child_.wait(seconds(deadline - Clock::now()), out_, err_);
    core_.receive(out_);
    out_.clear();
    errors_.add(signs_.take(err_));
    err_.clear();
    ClientEvent ignored;
    while (take(ignored)) {
    }
  }
  const bool by_itself = child_.exited();
  child_.terminate(by_itself ? 0 : 1);
  ended_ = true;
  return by_itself;
}

std::string ServerConnection::end_clause() const {
  if (child_.exited()) return "it " + describe_wait_status(child_.wait_status());
  if (!child_.out_open()) return "it closed its output";
  return "it lives";
}

std::string ServerConnection::tails() const {
  std::string text;
  const auto add = [&](const char* heading, const std::string& tail) {
    if (tail.empty()) return;
    if (!text.empty() && text.back() != '\n') text += '\n';
    text += fmt::format("{}\n{}", heading, tail);
  };
  add("The end of what the server printed between packets:", noise_tail());
  add("The end of its standard error:", error_tail());
  return text;
}

}  // namespace flakebisect::bisect
