#include "lastbit/quant/clusters.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace lastbit {
namespace {

// The optimum is a shortest path: row k holds the places where cluster k may begin, and an edge
// from place a of one row to place b of the next costs the error E(a, b) of the values [a, b).
// E is Monge, so the best predecessors ascend along a row, and divide and conquer finds them all
// with n log n edges. For millions of values that is still too many, so rounds narrow the rows.
//
// A round knows the boundaries at blocks of B values. Let boundary k of the optimum lie in block
// J, with p of its values to the left. Move the p values to the first value of J, and the others
// to the last value of J: each comes nearer to the inner values of its cluster (those of whole
// blocks), so no cluster's error grows. The error of a cluster with n inner values about m and a
// lump of p at distance d is that of the inner values plus d^2 n p / (n + p): concave in p, and so
// is, for the other side, d'^2 n' (B - p) / (n' + B - p), also with a lump at the other end. The
// sum is least with all of J to one side. Hence a path through block edges, with whole blocks as
// lumps, that costs no more than the optimum. Its edges cost at least L(a, b): the error of [a, b)
// with the values of the block from a on moved to the last of them, and those of the block that
// ends at b moved to the first of them; and nothing if [a, b) is one block.
//
// L is Monge like E. It is min over c of U_b(c) - V_a(c), sums of squared distances from c of the
// values before b and before a, with the moves; for a < a' and b < b', U_b' - U_b sums distances
// from values that lie at the first one of b's block or above, so it falls for c below, where the
// mean of a cluster up to b lies. Likewise for V. With one block [a', b), a centre c below it, in
// it, or above it splits the terms of L(a, b') between L(a, b) and L(a', b').
//
// So a forward and a backward pass bound each path through an edge of a block from below. Blocks
// both of whose edges lie above the error of some known clustering hold no boundary of the
// optimum. The others are split for the next round, until blocks are single values; L is then E.

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Places of one boundary.
struct Row {
  std::vector<std::size_t> places;  // ascending; multiples of the block size, or the end
  std::vector<char> live;           // of the block from this place to the next one
  std::vector<Sums> before;         // values before the place, if a cluster ends here
  std::vector<Sums> behind;         // values before the place, if a cluster begins here
  std::vector<double> cost;         // of the best path from the start to this place

  std::size_t size() const noexcept { return places.size(); }
};

struct Edges {
  const Row& from;
  const Row& to;
  std::size_t block;

  double operator()(std::size_t i, std::size_t j) const noexcept {
    const std::size_t a = from.places[i];
    const std::size_t b = to.places[j];
    if (a > b) return kInfinity;
    if (b - a <= block) return 0.0;
    return (to.before[j] - from.behind[i]).error();
  }
};

// least[j] = min over i of start(i) + edge(i, j) for j in [j_begin, j_end), where the best i
// ascends with j and lies in [i_begin, i_end].
template <typename Start, typename Edge>
void descend(const Start& start,
             const Edge& edge,
             std::size_t j_begin,
             std::size_t j_end,
             std::size_t i_begin,
             std::size_t i_end,
             std::vector<double>& least) {
  if (j_begin == j_end) return;
  const std::size_t j = j_begin + (j_end - j_begin) / 2;
  double best = kInfinity;
  std::size_t best_i = i_begin;
  for (std::size_t i = i_begin; i <= i_end; ++i) {
    const double e = edge(i, j);
    if (e == kInfinity) break;
    if (start(i) + e < best) {
      best = start(i) + e;
      best_i = i;
    }
  }
  least[j] = best;
  descend(start, edge, j_begin, j, i_begin, best_i, least);
  descend(start, edge, j + 1, j_end, best_i, i_end, least);
}

class Search {
 public:
  Search(const SortedSums& values, std::size_t clusters, std::size_t budget)
      : values_(values),
        clusters_(clusters),
        // A round is sharp once a cluster has many more blocks than there are clusters.
        budget_(budget > 0 ? budget : std::max(std::size_t{1} << 16U, 64 * clusters * clusters)),
        slack_(1e-10 * values.first(values.size()).error()) {}

  Boundaries run() {
    Boundaries quantiles(clusters_ - 1);
    for (std::size_t k = 0; k + 1 < clusters_; ++k) {
      quantiles[k] = values_.size() * (k + 1) / clusters_;
    }
    improve(std::move(quantiles));
    block_ = 1;
    while (block_ < values_.size() && (clusters_ - 1) * (values_.size() / block_ + 2) > budget_) {
      block_ *= 2;
    }
    std::vector<std::size_t> all;
    for (std::size_t begin = 0; begin < values_.size(); begin += block_) all.push_back(begin);
    std::vector<std::vector<std::size_t>> blocks(clusters_ - 1, all);
    while (true) {
      make_rows(blocks);
      forward();
      improve(path());
      if (block_ == 1) return best_;
      backward(blocks);
      split(blocks);
    }
  }

 private:
  // Lloyd's iteration; keeps the best clustering seen.
  void improve(Boundaries boundaries) {
    double error = kInfinity;
    while (true) {
      const double next = clusters_error(values_, boundaries);
      if (!(next < error)) return;
      error = next;
      if (error < least_error_) {
        least_error_ = error;
        best_ = boundaries;
      }
      std::vector<double> means(clusters_);
      Sums last;
      for (std::size_t k = 0; k < clusters_; ++k) {
        const std::size_t end = k + 1 < clusters_ ? boundaries[k] : values_.size();
        const Sums sums = values_.first(end);
        means[k] = (sums.value - last.value) / (sums.mass - last.mass);
        last = sums;
      }
      for (std::size_t k = 0; k + 1 < clusters_; ++k) {
        const double middle = 0.5 * (means[k] + means[k + 1]);
        if (!(means[k] < means[k + 1])) return;  // an empty cluster has no mean
        boundaries[k] = values_.below(middle);
      }
    }
  }

  void add(std::size_t place, bool live, Row& row) const {
    row.places.push_back(place);
    row.live.push_back(live ? 1 : 0);
  }

  // The lumps of the blocks at both sides of each place.
  void fill(Row& row) const {
    for (const std::size_t place : row.places) {
      row.before.push_back(values_.first(place));
    }
    row.behind = row.before;
    const std::vector<Sums> exact = row.before;
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      if (row.live[i] == 0) continue;
      const Sums block = exact[i + 1] - exact[i];
      const double low = values_[row.places[i]];
      const double high = values_[row.places[i + 1] - 1];
      row.before[i + 1].value += block.mass * low - block.value;
      row.before[i + 1].square += block.mass * low * low - block.square;
      row.behind[i].value += block.value - block.mass * high;
      row.behind[i].square += block.square - block.mass * high * high;
    }
    row.cost.assign(row.size(), kInfinity);
  }

  void make_rows(const std::vector<std::vector<std::size_t>>& blocks) {
    rows_.assign(clusters_ + 1, {});
    add(0, false, rows_.front());
    add(values_.size(), false, rows_.back());
    for (std::size_t k = 1; k < clusters_; ++k) {
      Row& row = rows_[k];
      for (const std::size_t begin : blocks[k - 1]) {
        if (!row.places.empty() && row.places.back() == begin) {
          row.live.back() = 1;
        } else {
          add(begin, true, row);
        }
        add(std::min(begin + block_, values_.size()), false, row);
      }
    }
    for (Row& row : rows_) fill(row);
  }

  void forward() {
    rows_.front().cost[0] = 0.0;
    for (std::size_t k = 1; k <= clusters_; ++k) {
      const Row& from = rows_[k - 1];
      descend([&](std::size_t i) { return from.cost[i]; },
              Edges{from, rows_[k], block_},
              0,
              rows_[k].size(),
              0,
              from.size() - 1,
              rows_[k].cost);
    }
  }

  Boundaries path() const {
    Boundaries boundaries(clusters_ - 1);
    std::size_t j = 0;
    for (std::size_t k = clusters_; k > 1; --k) {
      const Row& from = rows_[k - 1];
      const Edges edge{from, rows_[k], block_};
      std::size_t best = 0;
      double least = kInfinity;
      for (std::size_t i = 0; i < from.size(); ++i) {
        const double cost = from.cost[i] + edge(i, j);
        if (cost < least) {
          least = cost;
          best = i;
        }
      }
      j = best;
      boundaries[k - 2] = from.places[best];
    }
    return boundaries;
  }

  // Leaves in `blocks` those that may hold a boundary. Rows are walked from their ends, so that
  // edges ascend again.
  void backward(std::vector<std::vector<std::size_t>>& blocks) const {
    std::vector<double> after{0.0};  // of the row behind: from each place to the end
    for (std::size_t k = clusters_ - 1; k >= 1; --k) {
      const Row& row = rows_[k];
      const Row& next = rows_[k + 1];
      const Edges edge{row, next, block_};
      std::vector<double> reversed(row.size(), kInfinity);
      descend([&](std::size_t i) { return after[next.size() - 1 - i]; },
              [&](std::size_t i, std::size_t j) {
                return edge(row.size() - 1 - j, next.size() - 1 - i);
              },
              0,
              row.size(),
              0,
              next.size() - 1,
              reversed);
      std::reverse(reversed.begin(), reversed.end());
      after = std::move(reversed);
      blocks[k - 1].clear();
      const double most = least_error_ + slack_;
      for (std::size_t i = 0; i + 1 < row.size(); ++i) {
        const double least = std::min(row.cost[i] + after[i], row.cost[i + 1] + after[i + 1]);
        if (row.live[i] != 0 && least <= most) blocks[k - 1].push_back(row.places[i]);
      }
    }
  }

  void split(std::vector<std::vector<std::size_t>>& blocks) {
    std::size_t count = 0;
    for (const auto& row : blocks) count += row.size();
    const std::size_t old = block_;
    do {
      block_ /= 2;
      count *= 2;
    } while (block_ > 1 && 2 * count <= budget_);
    for (auto& row : blocks) {
      std::vector<std::size_t> parts;
      for (const std::size_t begin : row) {
        const std::size_t end = std::min(begin + old, values_.size());
        for (std::size_t part = begin; part < end; part += block_) parts.push_back(part);
      }
      row = std::move(parts);
    }
  }

  const SortedSums& values_;
  std::size_t clusters_;
  std::size_t budget_;
  double slack_;  // above the rounding of sums
  std::size_t block_ = 1;
  std::vector<Row> rows_;
  Boundaries best_;
  double least_error_ = kInfinity;
};

}  // namespace

double clusters_error(const SortedSums& values, const Boundaries& boundaries) {
  double error = 0.0;
  Sums last;
  for (std::size_t k = 0; k <= boundaries.size(); ++k) {
    const Sums sums = values.first(k < boundaries.size() ? boundaries[k] : values.size());
    if (sums.mass > last.mass) error += (sums - last).error();
    last = sums;
  }
  return error;
}

Boundaries best_clusters(const SortedSums& values, std::size_t clusters, std::size_t budget) {
  return Search(values, clusters, budget).run();
}

}  // namespace lastbit
