#include <fmt/format.h>

#include "analyzer/analyze/interference_layout.h"
#include "analyzer/analyze/interference_render.h"
#include "analyzer/report_escape.h"
#include "analyzer/status_view.h"

namespace flakebisect::analyzer {

namespace {

constexpr double box_width = 330;
constexpr double box_height = 30;
constexpr double column_step = 560;
constexpr double row_step = 46;
constexpr double community_gap = 34;
constexpr double backward_offset = 9;
constexpr double column_bulge = 80;
constexpr double margin = 24;
constexpr double header = 64;
constexpr std::size_t label_characters = 46;

constexpr const char* style =
    "<style>\n"
    "svg{background:#fff;color:#1b1b1b;font-family:system-ui,Helvetica,Arial,sans-serif}\n"
    "text{fill:currentColor;font-size:12px}\n"
    ".title{font-size:16px;font-weight:600}\n"
    ".box{fill:none;stroke:#c4c4c4;stroke-dasharray:3 4}\n"
    ".node rect{stroke:#777;fill:#fdf1d3}.node.flaky rect{fill:#fadcd8}\n"
    ".node text{fill:#1b1b1b;font-family:ui-monospace,Menlo,Consolas,monospace;font-size:11px}\n"
    ".edge{fill:none;stroke-width:1.6}.confirmed{stroke-width:3}.suspected{stroke-dasharray:6 4}\n"
    ".pollutes{stroke:#b3261e}.overlaps{stroke:#8a5a00}.sets-up{stroke:#1565c0}.cleans{stroke:#2e7d32}\n"
    "marker path{stroke:none}.m-pollutes{fill:#b3261e}.m-overlaps{fill:#8a5a00}"
    ".m-sets-up{fill:#1565c0}.m-cleans{fill:#2e7d32}\n"
    ".note{font-size:11px;paint-order:stroke;stroke:#fff;stroke-width:4px}\n"
    "@media(prefers-color-scheme:dark){svg{background:#1c1c1e;color:#e6e6e6}.note{stroke:#1c1c1e}"
    ".pollutes{stroke:#ff8a80}.overlaps{stroke:#e0a63a}.sets-up{stroke:#82b1ff}.cleans{stroke:#81c784}"
    ".m-pollutes{fill:#ff8a80}.m-overlaps{fill:#e0a63a}.m-sets-up{fill:#82b1ff}.m-cleans{fill:#81c784}}\n"
    "</style>\n";

constexpr InterferenceKind kinds[] = {InterferenceKind::pollutes, InterferenceKind::overlaps,
                                      InterferenceKind::sets_up, InterferenceKind::cleans};

std::string markup(const std::string& text) {
  return escape_markup(visible_line(text));
}

/// The end of an id, which tells more than its start.
std::string tail(const std::string& id) {
  const std::string text = visible_line(id);
  std::size_t characters = 0;
  std::size_t at = text.size();
  while (at > 0) {
    if ((static_cast<unsigned char>(text[at - 1]) & 0xC0U) != 0x80U && ++characters == label_characters)
      break;
    --at;
  }
  return at <= 1 ? text : "\u2026" + text.substr(at - 1);
}

struct Point {
  double x = 0, y = 0;
};

class Picture {
 public:
  explicit Picture(const Interference& graph) : graph_(graph), layout_(lay_out(graph)) {}

  std::string draw() {
    const double width =
        std::max(900.0, 2 * margin + 2 * 14 + box_width +
                            column_step * static_cast<double>(std::max<std::size_t>(layout_.columns, 1) - 1));
    const double height = header + 2 * margin + row_step * static_cast<double>(layout_.rows) +
                          community_gap * static_cast<double>(graph_.communities.size());
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
        "height=\"{1:.0f}\" role=\"img\" aria-label=\"Which test interferes with which\">\n",
        width, height);
    out_ += style;
    out_ += "<defs>";
    for (const auto kind : kinds)
      out_ += fmt::format(
          "<marker id=\"a-{0}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"9\" "
          "markerHeight=\"9\" "
          "markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\"><path class=\"m-{0}\" d=\"M0 0 10 5 "
          "0 "
          "10z\"/></marker>",
          interference_name(kind));
    out_ += "</defs>\n";
    out_ += fmt::format("<text class=\"title\" x=\"{}\" y=\"{}\">Which test interferes with which</text>\n",
                        margin, margin + 6);
    legend();
    if (graph_.communities.size() > 1)
      for (std::size_t c = 0; c < graph_.communities.size(); ++c) box(c, width);
    for (const auto& edge : graph_.edges) draw_edge(edge);
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) draw_node(n);
    for (const auto& edge : graph_.edges) note(edge);
    return out_ + "</svg>\n";
  }

 private:
  Point corner(std::size_t node) const {
    return {margin + 14 + column_step * static_cast<double>(layout_.column[node]),
            header + margin + row_step * static_cast<double>(layout_.row[node]) +
                community_gap * (static_cast<double>(graph_.nodes[node].community) + 0.5)};
  }

  void legend() {
    double x = margin;
    for (const auto kind : kinds) {
      out_ += fmt::format(
          "<path class=\"edge {0}\" marker-end=\"url(#a-{0})\" d=\"M{1:.0f} {2:.0f}h34\"/><text "
          "x=\"{3:.0f}\" "
          "y=\"{4:.0f}\">{0}</text>\n",
          interference_name(kind), x, header - 14, x + 42, header - 10);
      x += 118;
    }
    out_ += fmt::format(
        "<text x=\"{:.0f}\" y=\"{:.0f}\">bold: confirmed by a bisection; dashed: suspected; red box: "
        "flaky</text>\n",
        x, header - 10);
  }

  void box(std::size_t community, double width) {
    const auto& place = layout_.communities[community];
    out_ += fmt::format(
        "<rect class=\"box\" x=\"{:.0f}\" y=\"{:.1f}\" width=\"{:.0f}\" height=\"{:.1f}\" rx=\"8\"/>\n",
        margin,
        header + margin + row_step * static_cast<double>(place.first_row) +
            community_gap * (static_cast<double>(community) + 0.5) - 12,
        width - 2 * margin, row_step * static_cast<double>(place.rows) + 8);
  }

  /// From the right side of one box to the left side of the other. Backwards, the other way round and a
  /// little lower, so that two edges between the same tests do not lie on each other; within a column, from
  /// right side to right side.
  void ends(const InterferenceEdge& edge, Point& from, Point& to, double& bend_from, double& bend_to) const {
    from = corner(edge.from);
    to = corner(edge.to);
    from.y += box_height / 2;
    to.y += box_height / 2;
    if (to.x > from.x) {
      from.x += box_width;
      bend_from = from.x + (to.x - from.x) / 2;
      bend_to = to.x - (to.x - from.x) / 2;
    } else if (to.x < from.x) {
      to.x += box_width;
      from.y += backward_offset;
      to.y += backward_offset;
      bend_from = from.x - (from.x - to.x) / 2;
      bend_to = to.x + (from.x - to.x) / 2;
    } else {
      from.x += box_width;
      to.x += box_width;
      bend_from = bend_to = from.x + column_bulge;
    }
  }

  void draw_edge(const InterferenceEdge& edge) {
    if (edge.from == edge.to) return;
    Point from, to;
    double bend_from = 0, bend_to = 0;
    ends(edge, from, to, bend_from, bend_to);
    out_ += fmt::format(
        "<path class=\"edge {0} {1}\" marker-end=\"url(#a-{0})\" d=\"M{2:.1f} {3:.1f}C{4:.1f} {3:.1f} "
        "{5:.1f} {6:.1f} "
        "{7:.1f} {6:.1f}\"><title>{8} {0} {9}, {10}</title></path>\n",
        interference_name(edge.kind), edge.confirmed ? "confirmed" : "suspected", from.x, from.y, bend_from,
        bend_to, to.y, to.x, markup(graph_.nodes[edge.from].id), markup(graph_.nodes[edge.to].id),
        escape_markup(format_probability(edge.probability)));
  }

  /// The probability, where the edges from one test have parted or those into another have not met yet.
  void note(const InterferenceEdge& edge) {
    if (edge.from == edge.to) return;
    Point from, to;
    double bend_from = 0, bend_to = 0;
    ends(edge, from, to, bend_from, bend_to);
    const double t = graph_.nodes[edge.from].harms > graph_.nodes[edge.to].harmed_by ? 0.72 : 0.28;
    const double s = 1 - t;
    const auto at = [&](double a, double b, double c, double d) {
      return s * s * s * a + 3 * s * s * t * b + 3 * s * t * t * c + t * t * t * d;
    };
    out_ += fmt::format("<text class=\"note\" text-anchor=\"middle\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                        at(from.x, bend_from, bend_to, to.x), at(from.y, from.y, to.y, to.y) + 4,
                        escape_markup(format_probability(edge.probability)));
  }

  void draw_node(std::size_t n) {
    const auto& node = graph_.nodes[n];
    const Point place = corner(n);
    out_ += fmt::format(
        "<g class=\"node{}\"><title>{}</title><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.0f}\" "
        "height=\"{:.0f}\" "
        "rx=\"6\"/><text x=\"{:.1f}\" y=\"{:.1f}\">{}</text></g>\n",
        node.flaky ? " flaky" : "", markup(node.id), place.x, place.y, box_width, box_height, place.x + 8,
        place.y + box_height / 2 + 4, escape_markup(tail(node.id)));
  }

  const Interference& graph_;
  InterferenceLayout layout_;
  std::string out_;
};

}  // namespace

std::string render_interference_svg(const Interference& graph) {
  return Picture(graph).draw();
}

}  // namespace flakebisect::analyzer
