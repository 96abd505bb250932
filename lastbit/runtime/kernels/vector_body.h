// The kernels in terms of a vector of kLanes floats. No include guard: each file of one instruction
// set includes this once, inside its own namespace and under its own target options, after it has
// defined kLanes, Vec, IntVec, load_part, store_part, multiply_add (said outright, since compilers
// fuse some products and not others, and bits must not depend on the tile), and for fields of 1, 2
// and 4 bits Levels (the table of a CodeRows), load_levels and look_up, the levels of the kLanes
// fields from k on.
//
// Nothing of the standard library is called here: a function of its headers compiled under these
// options could be the copy that the linker keeps for all processors.

inline Vec load(const float* from) noexcept {
  Vec v;
  __builtin_memcpy(&v, from, sizeof(v));
  return v;
}

inline void store(float* to, Vec v) noexcept { __builtin_memcpy(to, &v, sizeof(v)); }

inline Vec splat(float x) noexcept { return x - Vec{}; }

// Halves are added to each other until one value is left.
inline float sum_lanes(Vec v) noexcept {
  float lanes[kLanes];
  store(lanes, v);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

// Rows of weights as `dot` reads them: kLanes at a time, or the `count` that a row ends in. What
// lies beyond the end is multiplied by zeros.
struct FloatSource {
  const float* w;
  std::size_t stride;

  Vec at(std::size_t row, std::size_t k) const noexcept { return load(w + row * stride + k); }
  Vec part(std::size_t row, std::size_t k, std::size_t count) const noexcept {
    return load_part(w + row * stride + k, count);
  }
};

template <int Bits>
struct CodeSource {
  const std::uint8_t* fields;
  std::size_t stride;
  Levels levels;

  explicit CodeSource(const CodeRows& w) noexcept
      : fields(w.fields), stride(w.stride), levels(load_levels(w.table)) {}
  Vec at(std::size_t row, std::size_t k) const noexcept {
    return look_up<Bits>(fields + row * (stride / 8 * Bits), k, levels);
  }
  Vec part(std::size_t row, std::size_t k, std::size_t) const noexcept { return at(row, k); }
};

template <>
struct CodeSource<8> {
  CodeRows w;

  explicit CodeSource(const CodeRows& rows) noexcept : w(rows) {}
  Vec at(std::size_t row, std::size_t k) const noexcept {
    float levels[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) levels[i] = w.table[w.fields[row * w.stride + k + i]];
    return load(levels);
  }
  Vec part(std::size_t row, std::size_t k, std::size_t) const noexcept { return at(row, k); }
};

// A tile of WRows x XRows sums stays in registers while k runs.
template <std::size_t WRows, std::size_t XRows, typename Source>
inline void dot_tile(const float* x,
                     std::size_t x_stride,
                     Source w,
                     std::size_t row,
                     std::size_t depth,
                     float* out,
                     std::size_t out_stride) noexcept {
  Vec sums[WRows][XRows] = {};
  std::size_t k = 0;
  for (; k + kLanes <= depth; k += kLanes) {
    Vec xs[XRows];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < XRows; ++i) xs[i] = load(x + i * x_stride + k);
#pragma GCC unroll 8
    for (std::size_t j = 0; j < WRows; ++j) {
      const Vec ws = w.at(row + j, k);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < XRows; ++i) sums[j][i] = multiply_add(ws, xs[i], sums[j][i]);
    }
  }
  if (k < depth) {
    const std::size_t part = depth - k;
    Vec xs[XRows];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < XRows; ++i) xs[i] = load_part(x + i * x_stride + k, part);
#pragma GCC unroll 8
    for (std::size_t j = 0; j < WRows; ++j) {
      const Vec ws = w.part(row + j, k, part);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < XRows; ++i) sums[j][i] = multiply_add(ws, xs[i], sums[j][i]);
    }
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < XRows; ++i) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < WRows; ++j) out[i * out_stride + row + j] = sum_lanes(sums[j][i]);
  }
}

template <std::size_t WRows, typename Source>
inline void dot_rows(const float* x,
                     std::size_t x_stride,
                     std::size_t x_rows,
                     Source w,
                     std::size_t row,
                     std::size_t depth,
                     float* out,
                     std::size_t out_stride) noexcept {
  std::size_t i = 0;
  for (; i + kDotColumns <= x_rows; i += kDotColumns) {
    dot_tile<WRows, kDotColumns>(
        x + i * x_stride, x_stride, w, row, depth, out + i * out_stride, out_stride);
  }
  for (; i < x_rows; ++i) {
    dot_tile<WRows, 1>(x + i * x_stride, x_stride, w, row, depth, out + i * out_stride, out_stride);
  }
}

template <typename Source>
inline void dot_all(const float* x,
                    std::size_t x_stride,
                    std::size_t x_rows,
                    Source w,
                    std::size_t w_rows,
                    std::size_t depth,
                    float* out,
                    std::size_t out_stride) noexcept {
  std::size_t j = 0;
  for (; j + kDotTile <= w_rows; j += kDotTile) {
    dot_rows<kDotTile>(x, x_stride, x_rows, w, j, depth, out, out_stride);
  }
  for (; j + 2 <= w_rows; j += 2) dot_rows<2>(x, x_stride, x_rows, w, j, depth, out, out_stride);
  for (; j < w_rows; ++j) dot_rows<1>(x, x_stride, x_rows, w, j, depth, out, out_stride);
}

inline void dot(const float* x,
                std::size_t x_stride,
                std::size_t x_rows,
                const float* w,
                std::size_t w_stride,
                std::size_t w_rows,
                std::size_t depth,
                float* out,
                std::size_t out_stride) noexcept {
  dot_all(x, x_stride, x_rows, FloatSource{w, w_stride}, w_rows, depth, out, out_stride);
}

inline void dot_codes(const float* x,
                      std::size_t x_stride,
                      std::size_t x_rows,
                      const CodeRows& w,
                      std::size_t w_rows,
                      std::size_t depth,
                      float* out,
                      std::size_t out_stride) noexcept {
  switch (w.bits) {
    case 1:
      return dot_all(x, x_stride, x_rows, CodeSource<1>(w), w_rows, depth, out, out_stride);
    case 2:
      return dot_all(x, x_stride, x_rows, CodeSource<2>(w), w_rows, depth, out, out_stride);
    case 4:
      return dot_all(x, x_stride, x_rows, CodeSource<4>(w), w_rows, depth, out, out_stride);
    default:
      return dot_all(x, x_stride, x_rows, CodeSource<8>(w), w_rows, depth, out, out_stride);
  }
}

// The rows follow each other without a gap, so they are one.
template <typename Source>
inline void decode_fields(Source w, std::size_t count, float* out) noexcept {
#pragma GCC unroll 4
  for (std::size_t k = 0; k < count; k += kLanes) store(out + k, w.at(0, k));
}

inline void decode(const CodeRows& w, std::size_t rows, float* out) noexcept {
  const std::size_t count = rows * w.stride;
  switch (w.bits) {
    case 1:
      return decode_fields(CodeSource<1>(w), count, out);
    case 2:
      return decode_fields(CodeSource<2>(w), count, out);
    case 4:
      return decode_fields(CodeSource<4>(w), count, out);
    default:
      return decode_fields(CodeSource<8>(w), count, out);
  }
}

// A tile of Rows x Vectors sums stays in registers while k runs.
template <std::size_t Rows, std::size_t Vectors>
inline void panel_tile(const float* w,
                       std::size_t w_stride,
                       const float* columns,
                       std::size_t depth,
                       std::size_t width,
                       float* out) noexcept {
  Vec sums[Rows][Vectors] = {};
  for (std::size_t k = 0; k < depth; ++k) {
    Vec column[Vectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < Vectors; ++v) column[v] = load(columns + k * width + v * kLanes);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r) {
      const Vec weight = splat(w[r * w_stride + k]);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < Vectors; ++v)
        sums[r][v] = multiply_add(weight, column[v], sums[r][v]);
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < Vectors; ++v) store(out + r * width + v * kLanes, sums[r][v]);
  }
}

template <std::size_t Rows>
inline void panel_rows(const float* w,
                       std::size_t w_stride,
                       const float* columns,
                       std::size_t depth,
                       std::size_t width,
                       float* out) noexcept {
  constexpr std::size_t kWide = kPanelVectors * kLanes;
  constexpr std::size_t kNarrow =
      kPanelStep / kLanes < kPanelVectors ? kPanelStep / kLanes : kPanelVectors;
  std::size_t p = 0;
  for (; p + kWide <= width; p += kWide) {
    panel_tile<Rows, kPanelVectors>(w, w_stride, columns + p, depth, width, out + p);
  }
  for (; p < width; p += kNarrow * kLanes) {
    panel_tile<Rows, kNarrow>(w, w_stride, columns + p, depth, width, out + p);
  }
}

inline void panel(const float* w,
                  std::size_t w_stride,
                  std::size_t rows,
                  const float* columns,
                  std::size_t depth,
                  std::size_t width,
                  float* out) noexcept {
  switch (rows) {
    case 1:
      return panel_rows<1>(w, w_stride, columns, depth, width, out);
    case 2:
      return panel_rows<2>(w, w_stride, columns, depth, width, out);
    case 3:
      return panel_rows<3>(w, w_stride, columns, depth, width, out);
    case 4:
      return panel_rows<4>(w, w_stride, columns, depth, width, out);
    case 5:
      return panel_rows<5>(w, w_stride, columns, depth, width, out);
    default:
      return panel_rows<6>(w, w_stride, columns, depth, width, out);
  }
}

#include "lastbit/runtime/kernels/vector_activations.h"
