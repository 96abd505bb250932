#include <cmath>

#include "lastbit/runtime/kernels/sets.h"

namespace lastbit {
namespace {

void dot(const float* x,
         std::size_t x_stride,
         std::size_t x_rows,
         const float* w,
         std::size_t w_stride,
         std::size_t w_rows,
         std::size_t depth,
         float* out,
         std::size_t out_stride) noexcept {
  for (std::size_t i = 0; i < x_rows; ++i) {
    for (std::size_t j = 0; j < w_rows; ++j) {
      float sum = 0.0F;
      for (std::size_t k = 0; k < depth; ++k) sum += x[i * x_stride + k] * w[j * w_stride + k];
      out[i * out_stride + j] = sum;
    }
  }
}

void panel(const float* w,
           std::size_t w_stride,
           std::size_t rows,
           const float* columns,
           std::size_t depth,
           std::size_t width,
           float* out) noexcept {
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t p = 0; p < width; ++p) {
      float sum = 0.0F;
      for (std::size_t k = 0; k < depth; ++k) sum += w[r * w_stride + k] * columns[k * width + p];
      out[r * width + p] = sum;
    }
  }
}

float level(const CodeRows& w, std::size_t field) noexcept {
  const auto bits = static_cast<std::size_t>(w.bits);
  const auto byte = static_cast<unsigned>(w.fields[field * bits / 8]);
  return w.table[(byte >> (field * bits % 8)) & ((1U << bits) - 1U)];
}

void dot_codes(const float* x,
               std::size_t x_stride,
               std::size_t x_rows,
               const CodeRows& w,
               std::size_t w_rows,
               std::size_t depth,
               float* out,
               std::size_t out_stride) noexcept {
  for (std::size_t i = 0; i < x_rows; ++i) {
    for (std::size_t j = 0; j < w_rows; ++j) {
      float sum = 0.0F;
      for (std::size_t k = 0; k < depth; ++k)
        sum += x[i * x_stride + k] * level(w, j * w.stride + k);
      out[i * out_stride + j] = sum;
    }
  }
}

void decode(const CodeRows& w, std::size_t rows, float* out) noexcept {
  for (std::size_t i = 0; i < rows * w.stride; ++i) out[i] = level(w, i);
}

float apply(Activation activation, float x) noexcept {
  switch (activation.kind) {
    case Activation::Kind::kNone:
      return x;
    case Activation::Kind::kRelu:
      return x < 0.0F ? 0.0F : x;
    case Activation::Kind::kLeakyRelu:
      return x < 0.0F ? activation.slope * x : x;
    case Activation::Kind::kSigmoid:
      return 1.0F / (1.0F + std::exp(-x));
    case Activation::Kind::kTanh:
      return std::tanh(x);
  }
  return x;
}

void activate(Activation activation, float* values, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) values[i] = apply(activation, values[i]);
}

}  // namespace

const KernelSet& scalar_kernels() noexcept {
  static constexpr KernelSet kSet = {"scalar", dot, panel, dot_codes, decode, activate};
  return kSet;
}

}  // namespace lastbit
