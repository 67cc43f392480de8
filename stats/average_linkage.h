#pragma once

/// Hierarchical clustering by average linkage (UPGMA: Sokal and Michener 1958).

#include <Eigen/Core>
#include <cstddef>
#include <vector>

namespace flakebisect::stats {

/// Groups the items of a symmetric matrix of similarities: the two groups with the highest mean similarity
/// between their items are joined for as long as that mean is at least `threshold`. Groups are lists of
/// ascending indices, in the order of their first items. Cubic in the number of items at worst, with a small
/// constant.
std::vector<std::vector<std::size_t>> average_linkage(const Eigen::MatrixXd& similarity, double threshold);

}  // namespace flakebisect::stats
