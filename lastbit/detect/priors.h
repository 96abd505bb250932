#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lastbit/detect/box.h"

namespace lastbit {

/// A box by its middle, as parts of an image's width and height.
struct CentredBox {
  float x = 0.0F;
  float y = 0.0F;
  float width = 0.0F;
  float height = 0.0F;

  friend bool operator==(const CentredBox&, const CentredBox&) = default;
};

Box edges(const CentredBox& box) noexcept;
CentredBox centred(const Box& box) noexcept;

/// The priors (default boxes) that each cell of a feature map has.
struct PriorMap {
  std::int64_t height = 0;
  std::int64_t width = 0;
  double size = 0.0;  ///< Side of the first prior, as a part of the image: s_k in the paper.
  /// Side of the first prior of the next map. The second prior is a square of sqrt(size *
  /// next_size). 0: none.
  double next_size = 0.0;
  std::vector<double> ratios =
      {};  ///< Width by height above 1: a prior of each and one of its inverse.
  /// Distance of neighbouring cells as a part of the image. 0: they share it evenly.
  double step = 0.0;

  std::int64_t priors_per_cell() const noexcept {
    return 1 + (next_size > 0.0 ? 1 : 0) + 2 * static_cast<std::int64_t>(ratios.size());
  }
};

/// The priors of all maps (Liu et al. 2016, section 2.2): map by map, cells row by row, of a cell
/// the square of `size`, that of sqrt(size * next_size), then for each ratio r the box of width
/// size sqrt(r) and height size / sqrt(r), and the same turned. The first cell's middle is half a
/// step from the image's corner. Nothing is clipped.
/// @throws InputError for a map without cells, and sizes, steps and ratios that are not positive.
std::vector<CentredBox> make_priors(std::span<const PriorMap> maps);

/// The six maps of SSD300 with VGG-16: 38, 19, 10, 5, 3 and 1 cells a side, 8732 priors. Sizes are
/// those of the paper for VOC, 0.1 for conv4_3 and 0.2, ..., 0.88 evenly for the others; steps are
/// 8, 16, 32, 64, 100 and 300 pixels of 300, as in the authors' program.
std::vector<PriorMap> ssd300_prior_maps();

/// Maps of any sides, with sizes as the paper's equation 4: `smallest` for the first, then evenly
/// from `low` to `high`, and after the last one step more.
/// @param sides  of the square maps, at least two.
/// @param ratios  for each map.
/// @throws InputError for lists that do not fit each other.
std::vector<PriorMap> scaled_prior_maps(std::span<const std::int64_t> sides,
                                        std::span<const std::vector<double>> ratios,
                                        double smallest,
                                        double low,
                                        double high);

}  // namespace lastbit
