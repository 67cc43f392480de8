#include "analyzer/failure_match.h"

namespace flakebisect::analyzer {

FailureMatch::FailureMatch(const BisectCase& facts, const std::optional<std::string>& match)
    : victim_(facts.victim) {
  if (match) pattern_.emplace(*match);
  if (!facts.traceback.empty()) expected_ = failure_signature(facts.traceback, facts.victim);
}

Signature FailureMatch::signature(const std::string& traceback) const {
  return failure_signature(traceback, victim_);
}

std::optional<bool> FailureMatch::same(const std::string& traceback, const Signature& signature) const {
  if (pattern_) return pattern_->found_in(traceback);
  if (!expected_) return std::nullopt;
  return same_failure(signature, *expected_);
}

bool FailureMatch::cannot_be_told_apart(const Signature& signature) const {
  return !pattern_ && expected_ && signature.file.empty();
}

}  // namespace flakebisect::analyzer
