#include <fmt/format.h>

#include <map>

#include "analyzer/dot_quote.h"
#include "analyzer/report_escape.h"
#include "analyzer/report_formats.h"
#include "analyzer/report_words.h"
#include "analyzer/status_view.h"

namespace flakebisect::analyzer {

using bisect::Kind;

namespace {

/// Writes nodes once each. Their names are numbers, so no text from tests is a name.
class Graph {
 public:
  explicit Graph(const std::string& victim) {
    out_ =
        "digraph flakebisect {\n"
        "  rankdir=LR;\n"
        "  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"Helvetica\"];\n"
        "  edge [fontname=\"Helvetica\", fontsize=10];\n";
    node(victim, "fillcolor=\"#f6c6c0\", penwidth=2");
  }

  std::string node(const std::string& id, const std::string& attributes) {
    const auto [found, added] = names_.emplace(id, fmt::format("t{}", names_.size()));
    if (added) out_ += fmt::format("  {} [label={}, {}];\n", found->second, dot_quoted(id), attributes);
    return found->second;
  }

  void edge(const std::string& from, const std::string& to, const std::string& label,
            const std::string& attributes) {
    out_ += fmt::format("  {} -> {} [label={}, {}];\n", from, to, dot_quoted(label), attributes);
  }

  void raw(const std::string& line) { out_ += line; }
  std::string take() { return out_ + "}\n"; }

 private:
  std::string out_;
  std::map<std::string, std::string> names_;
};

std::string word_for(Kind kind) {
  switch (kind) {
    case Kind::polluter:
      return "pollutes";
    case Kind::polluter_set:
      return "pollutes with others";
    case Kind::brittle:
      return "sets up";
    case Kind::concurrent:
      return "disturbs at the same time";
    default:
      return "explains";
  }
}

}  // namespace

std::string render_dot(const Report& report) {
  const auto& verdict = report.verdict;
  Graph graph(report.victim);
  const auto victim = graph.node(report.victim, "");
  graph.raw(fmt::format("  label={};\n  labelloc=t;\n",
                        dot_quoted(fmt::format("{} ({})", bisect::kind_name(verdict.kind),
                                               format_probability(verdict.probability)))));
  const std::string found =
      verdict.kind == Kind::brittle ? "color=\"#2e7d32\", penwidth=2" : "color=\"#b3261e\", penwidth=2";
  for (const auto& id : verdict.tests)
    graph.edge(graph.node(id, "fillcolor=\"#fbe3b0\""), victim,
               word_for(verdict.kind) + " " + format_probability(verdict.probability), found);
  for (const auto& tests : verdict.further_polluters)
    for (const auto& id : tests)
      graph.edge(graph.node(id, "fillcolor=\"#fbe3b0\""), victim,
                 word_for(tests.size() > 1 ? Kind::polluter_set : Kind::polluter), found);
  if (verdict.kind == Kind::self && has_finding(report))
    graph.edge(victim, victim, "fails on its own " + format_probability(verdict.probability), found);
  for (const auto& id : verdict.cleaners)
    graph.edge(graph.node(id, "fillcolor=\"#d3ecd3\""), victim, "cleans", "color=\"#2e7d32\", style=bold");
  for (const auto* alternative : listed_alternatives(report))
    for (const auto& id : alternative->tests)
      graph.edge(graph.node(id, "fillcolor=\"#eeeeee\""), victim,
                 word_for(alternative->kind) + "? " + format_probability(alternative->probability),
                 "color=\"#777777\", style=dashed");
  return graph.take();
}

}  // namespace flakebisect::analyzer
