#include "bisect/simulate/case_store.h"

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace flakebisect::bisect::simulate {
namespace {

constexpr const char* schema = "flakebisect/simulated-cases/1";

std::string text_of(const Range& range) {
  return fmt::format("{}:{}", range.low, range.high);
}

template <class T>
std::string text_of(const std::optional<T>& value) {
  if (!value) return "field";
  if constexpr (std::is_same_v<T, Range>)
    return text_of(*value);
  else
    return fmt::format("{}", *value);
}

/// All that the answer follows from, beside the seed and the program. The order of the words is the file's
/// format.
std::string key_of(const Batch& batch, const Policy& policy, std::uint64_t number) {
  const CaseOptions& cases = batch.cases;
  const PolicyOptions& options = batch.options;
  return fmt::format(
      "{} {} {} tests={} startup={} q={} uniform-q={} background={} correlation={} server-probes={} drift={} "
      "voids={} "
      "other-failures={} history={} cleaners={} set-size={} victim-runs={} by-process={} confidence={} "
      "max-probes={} max-seconds={} "
      "count-probes={} jobs={}",
      policy.name(), case_kind_name(batch.kind), number, text_of(cases.tests), text_of(cases.startup_seconds),
      text_of(cases.q), cases.q_shape == RateShape::log_uniform, text_of(cases.background),
      text_of(cases.correlation), cases.server_probes, text_of(cases.drift), text_of(cases.void_rate),
      text_of(cases.other_rate), text_of(cases.history_runs), text_of(cases.cleaners), cases.set_size,
      cases.victim_runs, text_of(std::optional(cases.decided_by_process)), options.confidence,
      options.max_probes, options.max_seconds, options.count_probes, options.jobs);
}

nlohmann::json to_json(const std::string& key, const PolicyAnswer& answer) {
  // Processor time in whole microseconds: there are millions of them.
  nlohmann::json choices = nlohmann::json::array();
  for (const double seconds : answer.choice_seconds) choices.push_back(std::llround(seconds * 1e6));
  return {{"case", key},
          {"kind", kind_name(answer.kind)},
          {"tests", answer.tests},
          {"probability", answer.probability},
          {"probes", answer.probes},
          {"search_probes", answer.search_probes},
          {"seconds", answer.seconds},
          {"wall_seconds", answer.wall_seconds},
          {"choice_microseconds", std::move(choices)},
          {"error", answer.error}};
}

PolicyAnswer from_json(const nlohmann::json& line) {
  PolicyAnswer answer;
  const std::string name = line.at("kind").get<std::string>();
  const std::optional<Kind> kind = kind_from_name(name);
  if (!kind) throw std::invalid_argument(fmt::format("there is no kind '{}'", name));
  answer.kind = *kind;
  line.at("tests").get_to(answer.tests);
  line.at("probability").get_to(answer.probability);
  line.at("probes").get_to(answer.probes);
  line.at("search_probes").get_to(answer.search_probes);
  line.at("seconds").get_to(answer.seconds);
  line.at("wall_seconds").get_to(answer.wall_seconds);
  for (const auto& choice : line.at("choice_microseconds"))
    answer.choice_seconds.push_back(choice.get<double>() * 1e-6);
  line.at("error").get_to(answer.error);
  return answer;
}

}  // namespace

CaseStore::CaseStore(const std::string& file, const std::string& build, std::uint64_t seed) : file_(file) {
  const auto refuse = [&](const std::string& why) -> std::runtime_error {
    if (stream_ != nullptr) std::fclose(stream_);
    return std::runtime_error(fmt::format("{}: {}", file_, why));
  };
  struct stat status {};
  if (stat(file.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) throw refuse("is no file; give a file");
  stream_ = std::fopen(file.c_str(), "a");
  if (stream_ == nullptr)
    throw refuse(fmt::format("cannot be written: {}; give another file", std::strerror(errno)));
  if (flock(fileno(stream_), LOCK_EX | LOCK_NB) != 0)
    throw refuse("another simulation uses it; give another file, or wait");
  std::ifstream lines(file, std::ios::binary);
  std::string text;
  off_t whole = 0;  // bytes up to the end of the last whole line
  for (std::size_t number = 1; std::getline(lines, text) && !lines.eof(); ++number) {
    whole += static_cast<off_t>(text.size()) + 1;
    try {
      const nlohmann::json line = nlohmann::json::parse(text);
      if (number > 1) {
        stored_[line.at("case").get<std::string>()] = from_json(line);
        continue;
      }
      if (line.at("schema") != schema) throw std::invalid_argument("it is of another kind");
      if (line.at("build") != build || line.at("seed") != seed)
        throw refuse(
            fmt::format("holds cases of {}; give another file, or remove this one",
                        line.at("build") != build ? "another build of this program" : "another seed"));
    } catch (const std::runtime_error&) {
      throw;
    } catch (const std::exception& error) {
      throw refuse(fmt::format("line {} is no simulated case ({}); give another file", number, error.what()));
    }
  }
  if (fstat(fileno(stream_), &status) != 0)
    throw refuse(fmt::format("cannot be read: {}", std::strerror(errno)));
  // A first line without an end may be anybody's.
  if (whole == 0 && status.st_size > 0) throw refuse("is no file of simulated cases; give another file");
  if (status.st_size > whole && ftruncate(fileno(stream_), whole) != 0)
    throw refuse(fmt::format("cannot be written: {}", std::strerror(errno)));
  if (whole > 0) return;
  const std::string head = nlohmann::json{{"schema", schema}, {"build", build}, {"seed", seed}}.dump() + "\n";
  if (std::fwrite(head.data(), 1, head.size(), stream_) != head.size() || std::fflush(stream_) != 0)
    throw refuse(fmt::format("cannot be written: {}", std::strerror(errno)));
}

CaseStore::~CaseStore() {
  std::fclose(stream_);
}

std::optional<PolicyAnswer> CaseStore::find(const Batch& batch, const Policy& policy,
                                            std::uint64_t number) const {
  const auto found = stored_.find(key_of(batch, policy, number));
  return found == stored_.end() ? std::nullopt : std::optional(found->second);
}

void CaseStore::add(const Batch& batch, const Policy& policy, std::uint64_t number,
                    const PolicyAnswer& answer) {
  const std::string line = to_json(key_of(batch, policy, number), answer).dump() + "\n";
  const std::lock_guard<std::mutex> lock(mutex_);
  if (std::fwrite(line.data(), 1, line.size(), stream_) != line.size() || std::fflush(stream_) != 0)
    throw std::runtime_error(fmt::format("{}: cannot be written: {}", file_, std::strerror(errno)));
}

}  // namespace flakebisect::bisect::simulate
