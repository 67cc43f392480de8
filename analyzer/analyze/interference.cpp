#include "analyzer/analyze/interference.h"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/betweenness_centrality.hpp>
#include <boost/graph/connected_components.hpp>
#include <map>
#include <set>
#include <tuple>
#include <unordered_set>

namespace flakebisect::analyzer {

namespace {

constexpr std::size_t hub_neighbours = 3;
/// Betweenness is worked out again after each edge taken away: beyond this a component stays whole.
constexpr std::size_t most_edges_to_split = 300;

struct EdgeFacts {
  std::size_t index = 0;
  double centrality = 0;
};
using Graph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS, boost::no_property, EdgeFacts>;

std::vector<std::size_t> components(const Graph& graph, std::size_t& count) {
  std::vector<std::size_t> component(boost::num_vertices(graph));
  count =
      component.empty() ? 0 : static_cast<std::size_t>(boost::connected_components(graph, component.data()));
  return component;
}

/// Newman's modularity of a partition, by the degrees of the whole graph.
double modularity(const Graph& whole, const std::vector<std::size_t>& part, std::size_t parts) {
  const auto edges = static_cast<double>(boost::num_edges(whole));
  std::vector<double> within(parts), degree(parts);
  for (auto [edge, end] = boost::edges(whole); edge != end; ++edge) {
    const auto a = part[boost::source(*edge, whole)];
    const auto b = part[boost::target(*edge, whole)];
    degree[a] += 1;
    degree[b] += 1;
    if (a == b) within[a] += 1;
  }
  double sum = 0;
  for (std::size_t p = 0; p < parts; ++p)
    sum += within[p] / edges - (degree[p] / (2 * edges)) * (degree[p] / (2 * edges));
  return sum;
}

/// Takes away the edge that most shortest paths go through, again and again; the parts at the best
/// modularity.
std::vector<std::size_t> communities_of(const Graph& whole) {
  std::size_t count = 0;
  auto best = components(whole, count);
  if (boost::num_edges(whole) == 0 || boost::num_edges(whole) > most_edges_to_split) return best;
  double best_modularity = modularity(whole, best, count);
  Graph graph = whole;
  while (boost::num_edges(graph) != 0) {
    auto centrality = boost::get(&EdgeFacts::centrality, graph);
    boost::brandes_betweenness_centrality(graph, boost::edge_centrality_map(centrality));
    auto [first, last] = boost::edges(graph);
    const auto busiest = *std::max_element(first, last, [&](const auto& a, const auto& b) {
      // Rounding must not choose among equals: the lower number does.
      const double difference = graph[a].centrality - graph[b].centrality;
      if (std::abs(difference) > 1e-9) return difference < 0;
      return graph[a].index > graph[b].index;
    });
    boost::remove_edge(busiest, graph);
    const std::size_t before = count;
    auto parts = components(graph, count);
    if (count == before) continue;
    const double found = modularity(whole, parts, count);
    if (found > best_modularity + 1e-9) {
      best_modularity = found;
      best = std::move(parts);
    }
  }
  return best;
}

}  // namespace

const char* interference_name(InterferenceKind kind) {
  switch (kind) {
    case InterferenceKind::pollutes:
      return "pollutes";
    case InterferenceKind::sets_up:
      return "sets-up";
    case InterferenceKind::cleans:
      return "cleans";
    case InterferenceKind::overlaps:
      return "overlaps";
  }
  return "pollutes";
}

Interference make_interference(const std::vector<KnownInterference>& findings,
                               const std::vector<std::string>& flaky) {
  Interference result;
  std::map<std::string, std::size_t> number;
  for (const auto& finding : findings) {
    number.emplace(finding.from, 0);
    number.emplace(finding.to, 0);
  }
  const std::unordered_set<std::string> flaky_ids(flaky.begin(), flaky.end());
  for (auto& [id, index] : number) {
    index = result.nodes.size();
    result.nodes.push_back({id, flaky_ids.count(id) != 0, 0, 0, 0});
  }
  std::map<std::tuple<std::size_t, std::size_t, InterferenceKind>, std::pair<bool, double>> best;
  for (const auto& finding : findings) {
    auto& known = best[{number[finding.from], number[finding.to], finding.kind}];
    known = std::max(known, std::pair(finding.confirmed, finding.probability));
  }
  std::set<std::pair<std::size_t, std::size_t>> neighbours;
  for (const auto& [key, facts] : best) {
    const auto [from, to, kind] = key;
    result.edges.push_back({from, to, kind, facts.second, facts.first});
    if (from != to) neighbours.emplace(from, to);
  }
  Graph graph(result.nodes.size());
  std::size_t index = 0;
  std::set<std::pair<std::size_t, std::size_t>> joined;
  for (const auto& [from, to] : neighbours) {
    ++result.nodes[from].harms;
    ++result.nodes[to].harmed_by;
    if (joined.emplace(std::min(from, to), std::max(from, to)).second)
      boost::add_edge(from, to, {index++, 0}, graph);
  }
  const auto part = communities_of(graph);
  std::map<std::size_t, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < part.size(); ++i) members[part[i]].push_back(i);
  for (auto& [key, nodes] : members) result.communities.push_back(std::move(nodes));
  std::stable_sort(result.communities.begin(), result.communities.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  for (std::size_t c = 0; c < result.communities.size(); ++c)
    for (const auto node : result.communities[c]) result.nodes[node].community = c;
  const auto reach = [&](std::size_t node) {
    return std::max(result.nodes[node].harms, result.nodes[node].harmed_by);
  };
  for (std::size_t i = 0; i < result.nodes.size(); ++i)
    if (reach(i) >= hub_neighbours) result.hubs.push_back(i);
  std::stable_sort(result.hubs.begin(), result.hubs.end(),
                   [&](std::size_t a, std::size_t b) { return reach(a) > reach(b); });
  return result;
}

}  // namespace flakebisect::analyzer
