#include "bisect/check_server_session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace flakebisect::bisect {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kTokenName = "FLAKEBISECT_CHECK_SERVER";
constexpr std::size_t kLongestLine = 300;
constexpr std::size_t kMostLines = 40;
constexpr double kExitAfterOutput = 2;

double seconds_until(Clock::time_point deadline) {
  return std::chrono::duration<double>(deadline - Clock::now()).count();
}

std::string shortened(std::string text) {
  if (text.size() <= kLongestLine) return text;
  return text.substr(0, kLongestLine) + fmt::format("... ({} bytes)", text.size());
}

/// Bytes for people: what is not printable ASCII in hexadecimal.
std::string printable(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes.substr(0, kLongestLine)) {
    const auto code = static_cast<unsigned char>(byte);
    text += code >= 0x20 && code < 0x7f ? std::string(1, byte) : fmt::format("\\x{:02x}", code);
  }
  return bytes.size() > kLongestLine ? text + fmt::format("... ({} bytes)", bytes.size()) : text;
}

std::string new_token() {
  static std::atomic<unsigned> count{0};
  return fmt::format("{}-{}", getpid(), ++count);
}

ChildOptions child_options(const std::string& command, const CheckOptions& options,
                           const std::string& token) {
  ChildOptions child;
  child.command = command;
  child.directory = options.directory;
  child.with_input = true;
  child.environment = {{kTokenName, token}};
  return child;
}

}  // namespace

const ChannelEvent* Seen::event() const {
  const auto* received = std::get_if<ReceivedEvent>(&item);
  return received != nullptr ? &received->event : nullptr;
}

std::string Seen::text() const {
  if (const auto* received = message()) return shortened(received->text);
  if (const auto* noise = std::get_if<ReceivedNoise>(&item)) return "(noise) " + printable(noise->bytes);
  const ChannelEvent& seen = *event();
  std::string text = fmt::format("(packet) {}", seen.test_id.value_or("no test id"));
  if (seen.status != repo_reader::Status::none)
    text += fmt::format(" {}", repo_reader::status_name(seen.status));
  if (seen.file_name) text += fmt::format(", file {} of {} bytes", *seen.file_name, seen.file_bytes.size());
  return text;
}

CheckSession::CheckSession(const std::string& command, const CheckOptions& options)
    : options_(options), token_(new_token()), child_(child_options(command, options, token_)) {}

CheckSession::~CheckSession() {
  child_.terminate(0.2);
}

void CheckSession::mark() {
  seen_.clear();
  sent_.clear();
}

std::vector<std::string> CheckSession::received() const {
  std::vector<std::string> lines;
  for (const Seen& seen : seen_) {
    if (lines.size() == kMostLines) {
      lines.push_back(fmt::format("... and {} more", seen_.size() - kMostLines));
      break;
    }
    lines.push_back(seen.text());
  }
  if (ended_) lines.push_back(fmt::format("({})", end_words()));
  return lines;
}

void CheckSession::send_text(const std::string& json, std::size_t chunk) {
  sent_.push_back(shortened(json));
  child_.send(rpc_packets_of_text(json, {}, chunk));
}

void CheckSession::send_bytes(std::string_view bytes, std::string description) {
  sent_.push_back(std::move(description));
  child_.send(bytes);
}

void CheckSession::close_input() {
  sent_.emplace_back("(end of input)");
  child_.close_input();
}

void CheckSession::note(const Seen& seen) {
  if (const auto* received = seen.message()) {
    if (const auto* done = std::get_if<DoneMessage>(&received->message)) {
      const auto open = std::find(open_nonces_.begin(), open_nonces_.end(), done->nonce);
      if (open == open_nonces_.end()) {
        stray_dones_.push_back(received->text);
      } else {
        open_nonces_.erase(open);
      }
    }
  }
  seen_.push_back(seen);
}

bool CheckSession::read_once(double seconds) {
  constexpr double kQuiet = 0.15;
  const bool something = child_.wait(std::min(seconds, kQuiet), out_, err_);
  errors_.add(err_);
  err_.clear();
  decoder_.receive(out_);
  if (!something && out_.empty()) decoder_.silent();
  out_.clear();
  while (auto item = decoder_.next()) note(Seen{std::move(*item)});
  if (!child_.out_open()) {
    decoder_.end();
    while (auto item = decoder_.next()) note(Seen{std::move(*item)});
    ended_ = true;
    // The process's own end follows in a moment, and says more than that of its output.
    const auto patience = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                             std::chrono::duration<double>(kExitAfterOutput));
    while (!child_.exited() && seconds_until(patience) > 0) child_.wait(seconds_until(patience), out_, err_);
    errors_.add(err_);
    err_.clear();
  }
  return !ended_;
}

bool CheckSession::read_until(const std::function<bool()>& enough, double seconds) {
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(std::min(seconds, 1e8)));
  while (!enough()) {
    const double left = seconds_until(deadline);
    if (left <= 0) return false;
    if (!read_once(left)) return enough();
  }
  return true;
}

bool CheckSession::wait_exit(double seconds) {
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(std::min(seconds, 1e8)));
  while (!child_.exited() && seconds_until(deadline) > 0) read_once(seconds_until(deadline));
  if (!ended_) read_once(0);
  return child_.exited();
}

void CheckSession::read_for(double seconds) {
  read_until([] { return false; }, seconds);
}

const HelloMessage* CheckSession::find_hello() const {
  for (const Seen& seen : seen_) {
    if (const auto* received = seen.message()) {
      if (const auto* hello = std::get_if<HelloMessage>(&received->message)) return hello;
    }
  }
  return nullptr;
}

HelloMessage CheckSession::greet(std::int64_t min, std::int64_t max) {
  HelloMessage hello;
  hello.min = min;
  hello.max = max;
  send(hello);
  if (!read_until([this] { return find_hello() != nullptr; }, options_.handshake_limit_seconds)) {
    throw CheckFailed{
        ended_ ? "no Hello came: " + end_words()
               : fmt::format("no Hello came within {:.3g} seconds", options_.handshake_limit_seconds)};
  }
  return *find_hello();
}

const DoneMessage* CheckSession::find_done(const Nonce& nonce, std::size_t* index) const {
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    const auto* received = seen_[i].message();
    const auto* done = received != nullptr ? std::get_if<DoneMessage>(&received->message) : nullptr;
    if (done == nullptr || done->nonce != nonce) continue;
    if (index != nullptr) *index = i;
    return done;
  }
  return nullptr;
}

DoneMessage CheckSession::wait_done(const Nonce& nonce, std::size_t* done_index) {
  if (!read_until([&] { return find_done(nonce) != nullptr; }, options_.reply_limit_seconds)) {
    throw CheckFailed{ended_ ? fmt::format("no Done for {} came: {}", nonce, end_words())
                             : fmt::format("no Done for {} came within {:.3g} seconds", nonce,
                                           options_.reply_limit_seconds)};
  }
  return *find_done(nonce, done_index);
}

Nonce CheckSession::fresh_nonce() {
  return use_nonce(nonce_of(fmt::format("check-{}", next_nonce_++)));
}

Nonce CheckSession::use_nonce(Nonce nonce) {
  open_nonces_.push_back(nonce);
  return nonce;
}

std::string CheckSession::end_words() const {
  if (child_.exited()) return "the server " + describe_wait_status(child_.wait_status());
  return "the server closed its output";
}

std::vector<int> CheckSession::orphans() const {
  std::vector<int> pids;
  std::error_code error;
  const std::string wanted = fmt::format("{}={}", kTokenName, token_);
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; }))
      continue;
    std::ifstream file(entry.path() / "environ", std::ios::binary);
    const std::string environment(std::istreambuf_iterator<char>(file), {});
    if (environment.find(wanted + '\0') != std::string::npos) pids.push_back(std::stoi(name));
  }
  return pids;
}

}  // namespace flakebisect::bisect
