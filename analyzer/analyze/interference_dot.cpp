#include <fmt/format.h>

#include "analyzer/analyze/interference_render.h"
#include "analyzer/dot_quote.h"
#include "analyzer/report_escape.h"
#include "analyzer/status_view.h"

namespace flakebisect::analyzer {

namespace {

const char* color_of(InterferenceKind kind) {
  switch (kind) {
    case InterferenceKind::pollutes:
      return "#b3261e";
    case InterferenceKind::overlaps:
      return "#8a5a00";
    case InterferenceKind::sets_up:
    case InterferenceKind::cleans:
      return "#2e7d32";
  }
  return "#555555";
}

}  // namespace

std::string render_interference_dot(const Interference& graph) {
  std::string out =
      "digraph interference {\n"
      "  rankdir=LR;\n"
      "  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"Helvetica\"];\n"
      "  edge [fontname=\"Helvetica\", fontsize=10];\n";
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    out += fmt::format("  t{} [label={}, fillcolor=\"{}\"];\n", n, dot_quoted(graph.nodes[n].id),
                       graph.nodes[n].flaky ? "#f6c6c0" : "#fbe3b0");
  for (std::size_t c = 0; c < graph.communities.size() && graph.communities.size() > 1; ++c) {
    if (graph.communities[c].size() < 2) continue;
    out += fmt::format("  subgraph cluster_{} {{ label=\"community {}\"; color=\"#999999\";", c, c + 1);
    for (const auto n : graph.communities[c]) out += fmt::format(" t{};", n);
    out += " }\n";
  }
  for (const auto& edge : graph.edges)
    out += fmt::format(
        "  t{} -> t{} [label={}, color=\"{}\", style={}];\n", edge.from, edge.to,
        dot_quoted(std::string(interference_name(edge.kind)) + " " + format_probability(edge.probability)),
        color_of(edge.kind), edge.confirmed ? "bold" : "dashed");
  return out + "}\n";
}

}  // namespace flakebisect::analyzer
