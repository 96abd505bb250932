#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "lastbit/method/soft_forms.h"
#include "lastbit/quant/codebook.h"

namespace lastbit {

/// How numbers are drawn to the levels of a codebook.
enum class Softness : std::uint8_t {
  kTanh,     ///< tanh for {-1, 1}, two shifted ones for {-1, 0, 1}; no other levels
  kSoftmax,  ///< the mean of the levels under a softmax; any levels
  kHard,     ///< the nearest level
};

/// How sharply: P(x) is taken at `stretch` x with sharpness `beta`. Both positive and finite.
struct Sharpness {
  double beta = 1.0;  ///< up to 1e35
  double stretch = 1.0;
};

/// A smooth, increasing map P of numbers x onto the interior of the hull of a codebook, which
/// becomes rounding to the nearest level as beta grows. Applied to latent weights v in units of
/// their scale a: w = a P(v / a).
///
///     tanh, {-1, 1}      P(x) = tanh(beta x)
///     tanh, {-1, 0, 1}   P(x) = [tanh(beta (x + 1/2)) + tanh(beta (x - 1/2))] / 2
///     softmax            P(x) = sum_l q_l u_l,  u = softmax_l(beta (q_l x - q_l^2 / 2) / h^2)
///
/// h is half the mean gap between levels, 1 for {-1, 1}, so that beta means the same for all
/// codebooks: near beta = 1 the map is close to the identity on the hull. For {-1, 1} the two are
/// one function.
class SoftLevels {
 public:
  SoftLevels(Softness softness, const Codebook& levels);

  /// w = a P(v / a), elementwise over flat float32 tensors of one size. A scale of 0 gives 0.
  void map(const torch::Tensor& latent,
           const torch::Tensor& scale,
           Sharpness sharpness,
           torch::Tensor& seen) const;

  /// Multiplies `gradient` by the slope dw/dv. Not for kHard.
  void chain(const torch::Tensor& latent,
             const torch::Tensor& scale,
             Sharpness sharpness,
             torch::Tensor& gradient) const;

 private:
  SoftShape shape(Sharpness sharpness) const noexcept;

  std::vector<float> levels_;
  SoftForm form_;
  double half_gap_;
};

}  // namespace lastbit
