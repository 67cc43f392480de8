#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "analyzer/report_html_parts.h"
#include "analyzer/status_view.h"

namespace flakebisect::analyzer {

using bisect::Outcome;
using bisect::Purpose;

namespace {

constexpr double width = 720;  ///< of the drawing, in its own units
constexpr double left = 54;    ///< room for the labels of the vertical axis
constexpr double right = 12;
constexpr double top = 14;

struct Area {
  double height;       ///< of what is inside the axes
  std::uint64_t last;  ///< number of the last probe; the axis starts at 0
  double x(double probe) const {
    return left + (width - left - right) * (last == 0 ? 0.5 : probe / static_cast<double>(last));
  }
  double y(double share) const { return top + height * (1 - share); }
};

/// A step of 1, 2 or 5 times a power of ten that divides `last` into at most `most` parts.
std::uint64_t nice_step(std::uint64_t last, std::uint64_t most) {
  std::uint64_t step = 1;
  while (true) {
    for (const std::uint64_t factor : {1U, 2U, 5U})
      if (last / (step * factor) <= most) return step * factor;
    step *= 10;
  }
}

std::string open_svg(double height, const std::string& id, const std::string& label, bool interactive) {
  return fmt::format(
      "<div class=\"scroll\"><svg id=\"{}\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"{}\" "
      "aria-label=\"{}\"{}>\n",
      id, width, height, interactive ? "group" : "img", html(label),
      interactive ? " tabindex=\"0\" data-chart=\"columns\"" : "");
}

std::string x_axis(const Area& area) {
  const double base = top + area.height;
  std::string out =
      fmt::format("<path class=\"axis\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>\n", left, base, width - right);
  const auto step = nice_step(area.last, 10);
  for (std::uint64_t probe = 0; probe <= area.last; probe += step)
    out += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                       area.x(static_cast<double>(probe)), base + 15, probe);
  return out +
         fmt::format("<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">probes</text>\n",
                     width - right, base + 30);
}

/// Ticks for positions 1 to `count` from the top down.
std::string position_axis(double height, std::size_t count) {
  std::string out =
      fmt::format("<path class=\"axis\" d=\"M{:.1f} {:.1f}V{:.1f}\"/>\n", left, top, top + height);
  const auto step = nice_step(count, 6);
  for (std::uint64_t position = step; position <= count; position += step)
    out += fmt::format(
        "<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left - 6,
        top + height * (static_cast<double>(position) - 0.5) / static_cast<double>(count) + 4, position);
  return out + fmt::format("<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\">test no.</text>\n", 2.0, top - 3);
}

/// At most this many steps of the evolution are drawn: more than there are pixels to tell them apart.
constexpr std::size_t most_steps = 360;

std::vector<const PosteriorStep*> shown_steps(const Report& report) {
  std::vector<const PosteriorStep*> steps;
  const auto total = report.evolution.size();
  const auto stride = std::max<std::size_t>(1, (total + most_steps - 1) / most_steps);
  for (std::size_t i = 0; i < total; ++i)
    if (i % stride == 0 || i + 1 == total) steps.push_back(&report.evolution[i]);
  return steps;
}

/// The explanations worth a line: those with the highest peaks.
std::vector<std::uint32_t> leaders(const Report& report, std::size_t most) {
  std::vector<double> peak(report.explanations.size());
  for (const auto& step : report.evolution)
    for (const auto& [index, probability] : step.leading) peak[index] = std::max(peak[index], probability);
  std::vector<std::uint32_t> order(peak.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return peak[a] > peak[b]; });
  if (order.size() > most) order.resize(most);
  return order;
}

}  // namespace

std::string html_evolution_chart(const Report& report) {
  const auto steps = shown_steps(report);
  if (steps.size() < 2) return {};
  const Area area{220, steps.back()->probes};
  std::string out =
      open_svg(area.height + top + 36, "evolution", "Probability of the leading explanations", false);
  for (const int percent : {0, 25, 50, 75, 100}) {
    const double y = area.y(percent / 100.0);
    out += fmt::format(
        "<path class=\"grid\" d=\"M{:.1f} {:.1f}H{:.1f}\"/><text class=\"tick\" x=\"{:.1f}\" "
        "y=\"{:.1f}\" text-anchor=\"end\">{} %</text>\n",
        left, y, width - right, left - 6, y + 4, percent);
  }
  const double asked = area.y(report.verdict.confidence);
  out += fmt::format(
      "<path class=\"asked\" d=\"M{:.1f} {:.1f}H{:.1f}\"><title>asked for: {:g} %</title></path>\n", left,
      asked, width - right, report.verdict.confidence * 100);
  out += x_axis(area);
  std::string legend = "<ul class=\"legend\">\n";
  std::size_t line = 0;
  for (const auto index : leaders(report, 6)) {
    std::string path;
    bool pen_down = false;
    for (const auto* step : steps) {
      const auto found = std::find_if(step->leading.begin(), step->leading.end(),
                                      [&](const auto& pair) { return pair.first == index; });
      if (found == step->leading.end()) {
        pen_down = false;
        continue;
      }
      path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", area.x(static_cast<double>(step->probes)),
                          area.y(std::clamp(found->second, 0.0, 1.0)));
      // A single point is drawn as a short dash.
      if (!pen_down) path += "h.1";
      pen_down = true;
    }
    const auto& explanation = report.explanations[index];
    const auto words = "It " + plain(explanation_words(explanation));
    out +=
        fmt::format("<path class=\"line l{}\" d=\"{}\"><title>{}</title></path>\n", line, path, html(words));
    legend += fmt::format(
        "<li><svg class=\"swatch\" viewBox=\"0 0 28 8\" aria-hidden=\"true\"><path class=\"line l{}\" "
        "d=\"M0 4H28\"/></svg>it {}</li>\n",
        line, html_sentence(explanation_words(explanation)));
    ++line;
  }
  return out + "</svg></div>\n" + legend + "</ul>\n";
}

std::string html_suspicion_chart(const Report& report) {
  const auto steps = shown_steps(report);
  const auto count = report.candidate_tests.size();
  if (steps.size() < 2 || count == 0) return {};
  std::map<std::string, std::size_t> position;
  for (std::size_t i = 0; i < count; ++i) position.emplace(report.candidate_tests[i], i);
  const Area area{std::clamp(static_cast<double>(count) * 8, 60.0, 240.0), steps.back()->probes};
  const double row = area.height / static_cast<double>(count);
  std::string out = open_svg(area.height + top + 36, "suspicion",
                             "Probability that each test is involved, over the probes", false);
  out += x_axis(area) + position_axis(area.height, count);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    std::map<std::size_t, double> involved;
    for (const auto& [index, probability] : steps[i]->leading)
      for (const auto& id : report.explanations[index].tests)
        if (const auto found = position.find(id); found != position.end())
          involved[found->second] += probability;
    const double from = area.x(static_cast<double>(steps[i]->probes));
    const double to =
        i + 1 < steps.size() ? area.x(static_cast<double>(steps[i + 1]->probes)) : width - right;
    for (const auto& [test, probability] : involved) {
      if (probability < 0.005) continue;
      // The eye tells small opacities apart better when they are spread by a root.
      out += fmt::format(
          "<rect class=\"heat\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
          "fill-opacity=\"{:.2f}\"><title>after {} probes: {} {}</title></rect>\n",
          from, top + row * static_cast<double>(test), std::max(to - from, 1.0), std::max(row, 2.0),
          std::sqrt(std::min(probability, 1.0)), steps[i]->probes, html(report.candidate_tests[test]),
          format_probability(probability));
    }
  }
  return out + "</svg></div>\n";
}

ShownProbes shown_probes(const Report& report, std::size_t most) {
  ShownProbes shown;
  const auto total = report.probes.size();
  for (std::size_t i = 0; i < total; ++i) {
    if (total > most && i >= most / 2 && i + (most - most / 2) < total) {
      ++shown.left_out;
      continue;
    }
    shown.indices.push_back(i);
  }
  return shown;
}

std::string html_probe_chart(const Report& report) {
  const auto shown = shown_probes(report, most_drawn_probes);
  const auto count = report.candidate_tests.size();
  if (shown.indices.empty() || count == 0) return {};
  // As many rows as can be told apart; a row counts as run where any of its tests ran.
  const std::size_t rows = std::min<std::size_t>(count, 240);
  const double height = std::clamp(static_cast<double>(count) * 8, 60.0, 240.0);
  const double row = height / static_cast<double>(rows);
  const double mark_y = top + height + 12;
  std::string out = open_svg(
      height + top + 52, "probes",
      fmt::format("Each column is a probe: the tests that ran {} the victim, and how it ended. Arrow "
                  "keys move from probe to probe.",
                  report.side_by_side ? "beside" : "before"),
      true);
  out += position_axis(height, count);
  const double column = (width - left - right) / static_cast<double>(shown.indices.size());
  const double bar = std::max(column * 0.82, 0.6);
  for (std::size_t i = 0; i < shown.indices.size(); ++i) {
    const auto& probe = report.probes[shown.indices[i]];
    const double x = left + column * static_cast<double>(i) + (column - bar) / 2;
    std::vector<bool> ran(rows + 1);
    for (const auto test : probe.ran) ran[std::min<std::size_t>(test * rows / count, rows - 1)] = true;
    std::string path;
    for (std::size_t from = 0; from < rows; ++from) {
      if (!ran[from]) continue;
      std::size_t to = from;
      while (ran[to]) ++to;
      path += fmt::format("M{:.1f} {:.1f}h{:.1f}v{:.1f}h-{:.1f}z", x, top + row * static_cast<double>(from),
                          bar, row * static_cast<double>(to - from), bar);
      from = to;
    }
    const double middle = x + bar / 2;
    const char* purpose = probe.purpose == Purpose::treatment ? ", confirmation with"
                          : probe.purpose == Purpose::control ? ", confirmation without"
                                                              : "";
    out += fmt::format(
        "<g class=\"probe {}{}\" data-probe=\"{}\"><title>Probe {}{}: {} test{} {} it, {}, {}</title>"
        "<rect class=\"hit\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>",
        outcome_class(probe.outcome), probe.purpose == Purpose::search ? "" : " confirm", i,
        shown.indices[i] + 1, purpose, probe.ran.size(), probe.ran.size() == 1 ? "" : "s",
        report.side_by_side ? "beside" : "before", outcome_words(probe), format_seconds(probe.seconds), x,
        top, bar, height + 18);
    if (!path.empty()) out += fmt::format("<path class=\"ran\" d=\"{}\"/>", path);
    // Marks differ in form, so that colours are not needed to read them.
    const double size = std::clamp(column * 0.4, 1.2, 4.5);
    if (probe.outcome == Outcome::pass)
      out += fmt::format("<circle class=\"mark\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\"/>", middle, mark_y,
                         size * 0.7);
    else if (probe.outcome == Outcome::void_probe)
      out +=
          fmt::format("<path class=\"mark\" d=\"M{:.1f} {:.1f}h{:.1f}\"/>", middle - size, mark_y, size * 2);
    else
      out += fmt::format("<path class=\"mark\" d=\"M{0:.1f} {1:.1f}l{2:.1f} {3:.1f}h-{3:.1f}z\"/>", middle,
                         mark_y - size, size, size * 2);
    out += "</g>\n";
  }
  out += fmt::format(
      "<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">probes 1 to {}{}</text>\n",
      width - right, mark_y + 22, report.probes.size(),
      shown.left_out == 0 ? "" : fmt::format(", {} in the middle left out", shown.left_out));
  out += "</svg></div>\n";
  out +=
      "<ul class=\"legend\"><li><span class=\"key fail\">&#9650;</span> failed as in the run to explain</li>"
      "<li><span class=\"key pass\">&#9675;</span> passed</li>"
      "<li><span class=\"key other\">&#9650;</span> failed in another way</li>"
      "<li><span class=\"key void\">&#8211;</span> void: nothing usable</li></ul>\n"
      "<div id=\"readout\" role=\"status\" aria-live=\"polite\"></div>\n";
  return out;
}

std::string html_rate_chart(const Report& report) {
  std::vector<const ReportArm*> arms;
  for (const auto& arm : report.arms)
    if (arm.runs != 0) arms.push_back(&arm);
  if (arms.empty()) return {};
  double most = 0.05;
  for (const auto* arm : arms) most = std::max({most, arm->high, arm->rate});
  most = std::min(1.0, most * 1.05);
  constexpr double label_width = 190;
  constexpr double row = 30;
  const double inner = width - label_width - right - 20;
  const auto x = [&](double rate) { return label_width + inner * std::clamp(rate / most, 0.0, 1.0); };
  const double base = top + row * static_cast<double>(arms.size());
  std::string out = open_svg(base + 36, "rates", "Failure rate of each arm with its 95 % interval", false);
  double step = 0.001;
  for (const double next : {0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2})
    if (most / step > 6) step = next;
  for (double tick = 0; tick <= most + 1e-9; tick += step)
    out += fmt::format(
        "<path class=\"grid\" d=\"M{0:.1f} {1:.1f}V{2:.1f}\"/><text class=\"tick\" x=\"{0:.1f}\" "
        "y=\"{3:.1f}\" text-anchor=\"middle\">{4:.3g} %</text>\n",
        x(tick), top, base, base + 16, tick * 100);
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const auto& arm = *arms[i];
    const double y = top + row * (static_cast<double>(i) + 0.5);
    auto name = html(arm.name.substr(0, 40));
    out += fmt::format(
        "<g class=\"rate\"><title>{}: {} of {} runs failed, {}</title><text class=\"name\" x=\"{:.1f}\" "
        "y=\"{:.1f}\" text-anchor=\"end\">{}</text><path class=\"interval\" d=\"M{:.1f} {:.1f}H{:.1f}m0 "
        "-6v12M{:.1f} {:.1f}v12\"/><circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\"/></g>\n",
        name, arm.failures, arm.runs, html(format_interval(arm.low, arm.high)), label_width - 12, y + 4, name,
        x(arm.low), y, x(arm.high), x(arm.low), y - 6, x(arm.rate), y);
  }
  out += fmt::format(
      "<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">failures per run</text>\n",
      width - right, base + 32);
  return out + "</svg></div>\n";
}

}  // namespace flakebisect::analyzer
