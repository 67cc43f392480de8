#pragma once

/// Whether a failure is the one to explain.

#include <optional>
#include <string>

#include "analyzer/bisect_case.h"
#include "analyzer/pattern.h"
#include "analyzer/signature.h"

namespace flakebisect::analyzer {

class FailureMatch {
 public:
  /// `match`: the user's pattern, which decides alone; else the signature of the failure in `facts` does.
  /// Throws what Pattern throws.
  FailureMatch(const BisectCase& facts, const std::optional<std::string>& match);

  Signature signature(const std::string& traceback) const;
  /// `signature`: that of `traceback`. Nothing where neither a pattern nor the failure's text is known.
  std::optional<bool> same(const std::string& traceback, const Signature& signature) const;
  /// True for a failure that only an exit status told of, where nothing it printed can be compared with the
  /// failure to explain: it has to be taken for that one.
  bool cannot_be_told_apart(const Signature& signature) const;

 private:
  std::string victim_;
  std::optional<Pattern> pattern_;
  std::optional<Signature> expected_;
};

}  // namespace flakebisect::analyzer
