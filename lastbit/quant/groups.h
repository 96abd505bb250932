#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "lastbit/quant/projector.h"

namespace lastbit {

/// The weights that share one scale.
struct Group {
  std::size_t index;  ///< Of its scale.
  std::span<const float> weights;
  std::span<const float> importance;  ///< Of each weight, some above 0; empty: all equal.
  std::span<Code> codes;              ///< To be written.
};

/// Calls `work` on every group of `result.layout` as `result.per` and `result.group` divide it, and
/// puts the codes in their places. The groups of a channel are those of scale_count().
/// @param work  returns the squared error, which is summed up in `result`. May be called on two
///     threads at once, for different groups.
/// @param alone  how many channels are worked before all others, one after another
void for_each_group(std::span<const float> weights,
                    std::span<const float> importance,
                    const std::function<double(const Group&)>& work,
                    Quantized& result,
                    std::size_t alone = 0);

/// Refuses what `Projector::project` must refuse.
/// @param set  with "[...]" around it, the place that errors name.
/// @param levels  size of the set
void check_projection(std::string_view set,
                      std::span<const float> weights,
                      const ChannelLayout& layout,
                      const ProjectionHints& hints,
                      int levels);

}  // namespace lastbit
