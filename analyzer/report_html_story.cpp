#include <fmt/format.h>

#include <algorithm>

#include "analyzer/report_escape.h"
#include "analyzer/report_html_parts.h"
#include "analyzer/status_view.h"

namespace flakebisect::analyzer {

using bisect::Outcome;
using bisect::Purpose;

namespace {

/// More probes than this in one branch are summed up.
constexpr std::size_t most_listed = 60;

struct Tally {
  std::uint64_t probes = 0;
  std::uint64_t repeats = 0;  ///< runs of the victim beyond the first one of each
  std::uint64_t failures = 0;
  std::uint64_t voids = 0;

  void add(const ReportProbe& probe) {
    if (probe.outcome == Outcome::void_probe)
      ++voids;
    else
      ++probes;
    repeats += probe.victim_runs - 1;
    if (probe.outcome == Outcome::fail) ++failures;
  }
  std::string words() const {
    std::string text = fmt::format("{} of {} failed", failures, probes);
    if (repeats != 0) text += fmt::format(" ({} runs of the victim)", probes + repeats);
    if (voids != 0) text += fmt::format(", {} void", voids);
    return text;
  }
};

/// "tests 1-12, 15 (13 tests)": positions from 1, at most a few ranges.
std::string subset_words(const Report& report, const std::vector<bisect::TestIndex>& ran) {
  if (ran.empty()) return "the victim alone";
  if (ran.size() == report.candidate_tests.size()) return fmt::format("all {} tests", ran.size());
  if (ran.size() == 1 && ran[0] < report.candidate_tests.size())
    return html_code(report.candidate_tests[ran[0]]);
  auto sorted = ran;
  std::sort(sorted.begin(), sorted.end());
  std::string ranges;
  std::size_t parts = 0;
  for (std::size_t from = 0; from < sorted.size();) {
    std::size_t to = from;
    while (to + 1 < sorted.size() && sorted[to + 1] == sorted[to] + 1) ++to;
    if (++parts > 6) {
      ranges += ", ...";
      break;
    }
    if (!ranges.empty()) ranges += ", ";
    ranges += from == to ? fmt::format("{}", sorted[from] + 1)
                         : fmt::format("{}-{}", sorted[from] + 1, sorted[to] + 1);
    from = to + 1;
  }
  return fmt::format("{} tests: no. {}", ran.size(), ranges);
}

std::string probe_item(const Report& report, std::size_t index) {
  const auto& probe = report.probes[index];
  return fmt::format(
      "<li class=\"{0}\"><span class=\"number\">{1}</span> {2}: <span class=\"outcome {0}\">{3}</span> "
      "<span class=\"dim\">{4}</span></li>\n",
      outcome_class(probe.outcome), index + 1, subset_words(report, probe.ran), outcome_words(probe),
      format_seconds(probe.seconds));
}

std::string probe_list(const Report& report, const std::vector<std::size_t>& indices) {
  std::string out = "<ol class=\"probes\">\n";
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices.size() > most_listed && i == most_listed) {
      out += fmt::format("<li>and {} more</li>\n", indices.size() - most_listed);
      break;
    }
    out += probe_item(report, indices[i]);
  }
  return out + "</ol>\n";
}

std::string branch(const std::string& summary, const std::string& content, bool open) {
  if (content.empty()) return "<li><p>" + summary + "</p></li>\n";
  return fmt::format("<li><details{}><summary>{}</summary>\n{}</details></li>\n", open ? " open" : "",
                     summary, content);
}

/// Which explanation led after `probes` probes; nothing where that is not known.
const std::pair<std::uint32_t, double>* leader_after(const Report& report, std::uint64_t probes) {
  const PosteriorStep* latest = nullptr;
  for (const auto& step : report.evolution) {
    if (step.probes > probes) break;
    latest = &step;
  }
  if (latest == nullptr || latest->leading.empty()) return nullptr;
  return &*std::max_element(latest->leading.begin(), latest->leading.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; });
}

/// The search, cut where another explanation takes the lead.
std::string search_branches(const Report& report, const std::vector<std::size_t>& search) {
  struct Chapter {
    std::string title;
    std::vector<std::size_t> probes;
    Tally tally;
  };
  std::vector<Chapter> chapters;
  std::optional<std::uint32_t> leading;
  for (const auto index : search) {
    const auto* leader = leader_after(report, index + 1);
    const bool other = leader != nullptr && leading != leader->first;
    if (chapters.empty() || other) {
      Chapter chapter;
      if (leader != nullptr) {
        leading = leader->first;
        chapter.title = "leading: it " +
                        html_sentence(explanation_words(report.explanations[leader->first])) + " (" +
                        html(format_probability(leader->second)) + ")";
      } else {
        chapter.title = "probes";
      }
      chapters.push_back(std::move(chapter));
    }
    chapters.back().probes.push_back(index);
    chapters.back().tally.add(report.probes[index]);
  }
  // Where the lead goes back and forth, only the last changes are worth a branch each.
  constexpr std::size_t most_chapters = 30;
  std::string out = "<ul>\n";
  std::size_t from = 0;
  if (chapters.size() > most_chapters) {
    from = chapters.size() - most_chapters;
    std::vector<std::size_t> early;
    Tally tally;
    for (std::size_t i = 0; i < from; ++i)
      for (const auto index : chapters[i].probes) {
        early.push_back(index);
        tally.add(report.probes[index]);
      }
    out += branch(fmt::format("the lead changed {} times: {}", from, tally.words()),
                  probe_list(report, early), false);
  }
  for (std::size_t i = from; i < chapters.size(); ++i)
    out += branch(fmt::format("{}: {}", chapters[i].title, chapters[i].tally.words()),
                  probe_list(report, chapters[i].probes), false);
  return out + "</ul>\n";
}

}  // namespace

std::string html_story(const Report& report) {
  std::vector<std::size_t> search;
  std::vector<std::size_t> treatment;
  std::vector<std::size_t> control;
  Tally search_tally;
  Tally treatment_tally;
  Tally control_tally;
  for (std::size_t i = 0; i < report.probes.size(); ++i) {
    const auto& probe = report.probes[i];
    auto& list = probe.purpose == Purpose::treatment ? treatment
                 : probe.purpose == Purpose::control ? control
                                                     : search;
    auto& tally = probe.purpose == Purpose::treatment ? treatment_tally
                  : probe.purpose == Purpose::control ? control_tally
                                                      : search_tally;
    list.push_back(i);
    tally.add(probe);
  }
  std::string out = "<ul class=\"tree\">\n";
  const auto history = history_sentence(report);
  out += branch("<b>History</b>: " + (history.empty() ? std::string("not used") : html(history)), {}, false);
  if (!search.empty())
    out += branch(fmt::format("<b>Search</b>: {} probe{}, {}", search.size(), search.size() == 1 ? "" : "s",
                              search_tally.words()),
                  search_branches(report, search), true);
  if (!treatment.empty() || !control.empty()) {
    std::string arms = "<ul>\n";
    if (!treatment.empty())
      arms += branch("the reproduction: " + treatment_tally.words(), probe_list(report, treatment), false);
    if (!control.empty())
      arms += branch("the control: " + control_tally.words(), probe_list(report, control), false);
    out +=
        branch(fmt::format("<b>Confirmation</b>: {} probes on fresh data", treatment.size() + control.size()),
               arms + "</ul>\n", true);
  }
  out += branch("<b>Verdict</b>: " + html_sentence(finding_sentence(report)), {}, false);
  return out + "</ul>\n";
}

}  // namespace flakebisect::analyzer
