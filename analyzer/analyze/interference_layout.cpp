#include "analyzer/analyze/interference_layout.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace flakebisect::analyzer {

namespace {

/// The edges without those that would close a circle.
std::vector<std::vector<std::size_t>> forward_edges(const Interference& graph) {
  std::vector<std::vector<std::size_t>> out(graph.nodes.size());
  for (const auto& edge : graph.edges)
    if (edge.from != edge.to) out[edge.from].push_back(edge.to);
  enum class Mark { unseen, open, done };
  std::vector<Mark> mark(graph.nodes.size(), Mark::unseen);
  const std::function<void(std::size_t)> visit = [&](std::size_t node) {
    mark[node] = Mark::open;
    std::erase_if(out[node], [&](std::size_t next) { return mark[next] == Mark::open; });
    for (const auto next : out[node])
      if (mark[next] == Mark::unseen) visit(next);
    mark[node] = Mark::done;
  };
  // From what only interferes: circles are then cut where they come back.
  std::vector<std::size_t> order(graph.nodes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return graph.nodes[a].harmed_by < graph.nodes[b].harmed_by;
  });
  for (const auto node : order)
    if (mark[node] == Mark::unseen) visit(node);
  return out;
}

std::vector<std::size_t> layers_of(const std::vector<std::vector<std::size_t>>& out) {
  std::vector<std::size_t> layer(out.size());
  // Longest paths by relaxation; without circles there are at most as many rounds as nodes.
  for (std::size_t round = 0; round < out.size(); ++round) {
    bool changed = false;
    for (std::size_t node = 0; node < out.size(); ++node) {
      for (const auto next : out[node]) {
        if (layer[next] > layer[node]) continue;
        layer[next] = layer[node] + 1;
        changed = true;
      }
    }
    if (!changed) break;
  }
  return layer;
}

}  // namespace

InterferenceLayout lay_out(const Interference& graph) {
  InterferenceLayout layout;
  const auto out = forward_edges(graph);
  layout.column = layers_of(out);
  layout.row.assign(graph.nodes.size(), 0);
  std::vector<std::vector<std::size_t>> neighbours(graph.nodes.size());
  for (std::size_t node = 0; node < out.size(); ++node) {
    for (const auto next : out[node]) {
      if (graph.nodes[node].community != graph.nodes[next].community) continue;
      neighbours[node].push_back(next);
      neighbours[next].push_back(node);
    }
  }
  for (const auto& community : graph.communities) {
    std::size_t columns = 0;
    for (const auto node : community) columns = std::max(columns, layout.column[node] + 1);
    std::vector<std::vector<std::size_t>> stacks(columns);
    for (const auto node : community) stacks[layout.column[node]].push_back(node);
    std::size_t tallest = 0;
    for (const auto& stack : stacks) tallest = std::max(tallest, stack.size());
    std::vector<double> place(graph.nodes.size());
    // Each stack is centred, so that few nodes stand beside the middle of many.
    const auto settle = [&] {
      for (const auto& stack : stacks)
        for (std::size_t i = 0; i < stack.size(); ++i)
          place[stack[i]] = static_cast<double>(i) + static_cast<double>(tallest - stack.size()) / 2;
    };
    settle();
    for (int sweep = 0; sweep < 4; ++sweep) {
      for (auto& stack : stacks) {
        std::vector<double> wish(graph.nodes.size());
        for (const auto node : stack) {
          double sum = 0;
          for (const auto other : neighbours[node]) sum += place[other];
          wish[node] =
              neighbours[node].empty() ? place[node] : sum / static_cast<double>(neighbours[node].size());
        }
        std::stable_sort(stack.begin(), stack.end(),
                         [&](std::size_t a, std::size_t b) { return wish[a] < wish[b]; });
        settle();
      }
    }
    for (const auto& stack : stacks)
      for (std::size_t i = 0; i < stack.size(); ++i)
        layout.row[stack[i]] = layout.rows + i + (tallest - stack.size()) / 2;
    layout.communities.push_back({layout.rows, tallest});
    layout.rows += tallest;
    layout.columns = std::max(layout.columns, columns);
  }
  return layout;
}

}  // namespace flakebisect::analyzer
