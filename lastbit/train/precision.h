#pragma once

#include <string_view>

#include <torch/types.h>

namespace lastbit {

/// What the convolutions and matrix products of training are computed in. Everything else is
/// float32 whatever is said: parameters, gradients, optimizer, loss, evaluation, files.
enum class Precision {
  kFloat32,
  kTf32,  ///< float32 with factors rounded to 10 bits, on CUDA devices
  kBf16,  ///< factors, and the activations between layers, in bfloat16
};

/// "float32", "tf32", "bf16". @throws InputError for other text.
Precision parse_precision(std::string_view text);

/// @throws InputError if `device` does not compute so, or gains nothing by it.
void require_precision(Precision precision, torch::Device device);

/// While it lives, the products of a CUDA device are computed in tf32 if that is what `precision`
/// says. To be held over forward and backward; `configure_process` turns tf32 off elsewhere.
class Tf32Scope {
 public:
  explicit Tf32Scope(Precision precision);
  ~Tf32Scope();
  Tf32Scope(const Tf32Scope&) = delete;
  Tf32Scope& operator=(const Tf32Scope&) = delete;

 private:
  bool active_;
};

}  // namespace lastbit
