#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lastbit/quant/projector.h"

namespace lastbit {

/// Which weights share a scale, and how it is found.
struct ScaleOptions {
  Granularity per = Granularity::kTensor;
  std::int64_t group = 0;    ///< Weights of a group for kGroup, at least 1; else 0.
  bool by_gate = false;      ///< Channels are gates; for kChannel.
  bool alternating = false;  ///< By alternating projection instead of exactly.

  friend bool operator==(const ScaleOptions&, const ScaleOptions&) = default;
};

/// A set of fixed levels and the scales it may take.
/// @param form  its name without the scale, as "shift:2".
std::shared_ptr<const Projector> make_scaled(std::string form,
                                             Codebook levels,
                                             const ScaleOptions& scale);

}  // namespace lastbit
