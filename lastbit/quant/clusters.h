#pragma once

#include <cstddef>
#include <vector>

#include "lastbit/quant/sorted_sums.h"

namespace lastbit {

/// Where sorted values are cut into clusters: boundaries[k] values lie before cluster k + 1, so
/// cluster 0 is [0, boundaries[0]), and the last one ends with the values.
using Boundaries = std::vector<std::size_t>;

/// The cut of sorted values into `clusters` runs of least squared error about their means: 1-D
/// k-means to its global optimum, but for rounding in double.
///
/// @param values    at least `clusters` distinct ones
/// @param clusters  at least 2
/// @param budget    nodes that one round of the search may have; 0: a good number. The result does
///     not depend on it; the time does, and about 100 bytes a node.
Boundaries best_clusters(const SortedSums& values, std::size_t clusters, std::size_t budget = 0);

/// The sum of the squared errors of the clusters.
double clusters_error(const SortedSums& values, const Boundaries& boundaries);

}  // namespace lastbit
