#pragma once

/// Which test interferes with which: a graph, from stored runs and from bisections.

#include <cstdint>
#include <string>
#include <vector>

#include "analyzer/analyze/flaky_test.h"

namespace flakebisect::analyzer {

enum class InterferenceKind : std::uint8_t {
  pollutes,  ///< makes the other fail by running before it
  sets_up,   ///< the other fails unless it ran before
  cleans,    ///< undoes a pollution of the other
  overlaps,  ///< makes the other fail by running at the same time
};

/// "pollutes", "sets-up", "cleans", "overlaps".
const char* interference_name(InterferenceKind kind);

/// One finding, before there is a graph.
struct KnownInterference {
  std::string from;
  std::string to;
  InterferenceKind kind = InterferenceKind::pollutes;
  double probability = 0;
  bool confirmed = false;  ///< by a bisection's fresh probes; else stored runs make it likely
};

struct InterferenceEdge {
  std::size_t from = 0, to = 0;  ///< nodes
  InterferenceKind kind = InterferenceKind::pollutes;
  double probability = 0;
  bool confirmed = false;
};

struct InterferenceNode {
  std::string id;
  bool flaky = false;         ///< it failed and passed in the stored runs
  std::size_t community = 0;  ///< index into Interference::communities
  std::size_t harms = 0;      ///< tests it interferes with
  std::size_t harmed_by = 0;  ///< tests that interfere with it
};

struct Interference {
  std::vector<InterferenceNode> nodes;  ///< by id
  std::vector<InterferenceEdge> edges;
  /// Groups of nodes with more edges within than between them (Girvan and Newman 2002, at the highest
  /// modularity); the largest first.
  std::vector<std::vector<std::size_t>> communities;
  std::vector<std::size_t> hubs;  ///< nodes with three or more neighbours one way, the busiest first
};

/// Makes the graph. Of several findings about the same two tests and kind the confirmed, then the likeliest
/// one counts. `flaky` are the ids of flaky tests.
Interference make_interference(const std::vector<KnownInterference>& findings,
                               const std::vector<std::string>& flaky);

/// What the bisections in a session file found.
struct SessionFindings {
  std::vector<KnownInterference> interference;
  std::vector<KnownVerdict> verdicts;  ///< confirmed ones, in the order of their sessions
};

/// Nothing where there is no such file. A file that cannot be read adds a warning.
SessionFindings findings_of_sessions(const std::string& session_file, std::vector<std::string>& warnings);

}  // namespace flakebisect::analyzer
