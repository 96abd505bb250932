#include "lastbit/train/precision.h"

#include <ATen/Context.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// Without such instructions LibTorch computes bfloat16 by way of float32, and more slowly.
bool processor_has_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

void allow_tf32(bool allowed) {
  at::globalContext().setAllowTF32CuBLAS(allowed);
  at::globalContext().setAllowTF32CuDNN(allowed);
}

}  // namespace

Precision parse_precision(std::string_view text) {
  if (text == "float32") return Precision::kFloat32;
  if (text == "tf32") return Precision::kTf32;
  if (text == "bf16") return Precision::kBf16;
  throw InputError(
      cat("[precision] '", text, "' is not known, expected one of: float32, tf32, bf16"));
}

void require_precision(Precision precision, torch::Device device) {
  if (device.is_cuda()) return;
  if (precision == Precision::kTf32) {
    throw InputError("[precision] tf32 is for CUDA devices, expected float32 or bf16 on the CPU");
  }
  if (precision == Precision::kBf16 && !processor_has_bf16()) {
    throw InputError(
        "[precision] this processor has no instructions for bf16 (AVX512_BF16), expected float32");
  }
}

Tf32Scope::Tf32Scope(Precision precision) : active_(precision == Precision::kTf32) {
  if (active_) allow_tf32(true);
}

Tf32Scope::~Tf32Scope() {
  if (active_) allow_tf32(false);
}

}  // namespace lastbit
