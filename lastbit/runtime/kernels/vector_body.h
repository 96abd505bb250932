// The kernels in terms of a vector of kLanes floats. No include guard: each file of one instruction
// set includes this once, inside its own namespace and under its own target options, after it has
// defined kLanes, Vec, IntVec, load_part and store_part, and for fields of 1, 2 and 4 bits Levels,
// load_levels and decode_block.
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

// A tile of WRows x XRows sums stays in registers while k runs.
template <std::size_t WRows, std::size_t XRows>
inline void dot_tile(const float* x,
                     std::size_t x_stride,
                     const float* w,
                     std::size_t w_stride,
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
      const Vec ws = load(w + j * w_stride + k);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < XRows; ++i) sums[j][i] += ws * xs[i];
    }
  }
  if (k < depth) {
    const std::size_t part = depth - k;
    Vec xs[XRows];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < XRows; ++i) xs[i] = load_part(x + i * x_stride + k, part);
#pragma GCC unroll 8
    for (std::size_t j = 0; j < WRows; ++j) {
      const Vec ws = load_part(w + j * w_stride + k, part);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < XRows; ++i) sums[j][i] += ws * xs[i];
    }
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < XRows; ++i) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < WRows; ++j) out[i * out_stride + j] = sum_lanes(sums[j][i]);
  }
}

template <std::size_t WRows>
inline void dot_rows(const float* x,
                     std::size_t x_stride,
                     std::size_t x_rows,
                     const float* w,
                     std::size_t w_stride,
                     std::size_t depth,
                     float* out,
                     std::size_t out_stride) noexcept {
  std::size_t i = 0;
  for (; i + kDotColumns <= x_rows; i += kDotColumns) {
    dot_tile<WRows, kDotColumns>(
        x + i * x_stride, x_stride, w, w_stride, depth, out + i * out_stride, out_stride);
  }
  for (; i < x_rows; ++i) {
    dot_tile<WRows, 1>(
        x + i * x_stride, x_stride, w, w_stride, depth, out + i * out_stride, out_stride);
  }
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
  std::size_t j = 0;
  for (; j + kDotTile <= w_rows; j += kDotTile) {
    dot_rows<kDotTile>(x, x_stride, x_rows, w + j * w_stride, w_stride, depth, out + j, out_stride);
  }
  for (; j + 2 <= w_rows; j += 2) {
    dot_rows<2>(x, x_stride, x_rows, w + j * w_stride, w_stride, depth, out + j, out_stride);
  }
  for (; j < w_rows; ++j) {
    dot_rows<1>(x, x_stride, x_rows, w + j * w_stride, w_stride, depth, out + j, out_stride);
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
      for (std::size_t v = 0; v < Vectors; ++v) sums[r][v] += weight * column[v];
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

template <int Bits>
inline void decode_fields(const std::uint8_t* codes,
                          std::size_t blocks,
                          const float* table,
                          float* out) noexcept {
  const Levels levels = load_levels(table);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < blocks; ++i) {
    decode_block<Bits>(codes + i * 2 * Bits, levels, out + i * kCodeBlock);
  }
}

inline void decode_codes(const std::uint8_t* codes,
                         int bits,
                         std::size_t blocks,
                         const float* table,
                         float* out) noexcept {
  switch (bits) {
    case 1:
      return decode_fields<1>(codes, blocks, table, out);
    case 2:
      return decode_fields<2>(codes, blocks, table, out);
    case 4:
      return decode_fields<4>(codes, blocks, table, out);
    default:
      for (std::size_t i = 0; i < blocks * kCodeBlock; ++i) out[i] = table[codes[i]];
  }
}

// exp(x) - 1 for x in [0, 88], with a relative error of a few units in the last place.
//
// x = n ln 2 + r with |r| <= ln 2 / 2; then exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1), and
// exp(r) - 1 is Taylor's polynomial of degree 8, whose relative error is below |r|^8 / 9! = 6e-10.
// ln 2 is split so that n times the first part is exact.
inline Vec exp_minus_one(Vec x) noexcept {
  const IntVec n = __builtin_convertvector(x * 1.44269504F + 0.5F, IntVec);
  const Vec steps = __builtin_convertvector(n, Vec);
  const Vec r = (x - steps * 0.693359375F) + steps * 2.12194440e-4F;
  Vec p = splat(1.0F / 40320);
  p = p * r + 1.0F / 5040;
  p = p * r + 1.0F / 720;
  p = p * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r * r + r;
  const IntVec bits = (n + 127) << 23;
  Vec power;
  __builtin_memcpy(&power, &bits, sizeof(power));
  return power * p + (power - 1.0F);
}

inline Vec magnitude(Vec x) noexcept { return x < 0.0F ? -x : x; }

// tanh |x| = e / (e + 2) with e = exp(2 |x|) - 1, and 1 within half a unit from |x| = 10 on.
inline Vec tanh_of(Vec x) noexcept {
  const Vec size = magnitude(x);
  const Vec bounded = size < 10.0F ? size : splat(10.0F);
  const Vec e = exp_minus_one(2.0F * bounded);
  const Vec t = e / (e + 2.0F);
  const Vec result = x < 0.0F ? -t : t;
  return x == x ? result : x;
}

// With e = exp(|x|) the value is e / (1 + e) for x >= 0 and 1 / (1 + e) below.
inline Vec sigmoid_of(Vec x) noexcept {
  const Vec size = magnitude(x);
  const Vec bounded = size < 87.0F ? size : splat(87.0F);
  const Vec e = exp_minus_one(bounded) + 1.0F;
  const Vec result = (x < 0.0F ? splat(1.0F) : e) / (e + 1.0F);
  return x == x ? result : x;
}

struct ReluOf {
  Vec operator()(Vec x) const noexcept { return x < 0.0F ? Vec{} : x; }
};

struct LeakyReluOf {
  float slope;
  Vec operator()(Vec x) const noexcept { return x < 0.0F ? slope * x : x; }
};

struct SigmoidOf {
  Vec operator()(Vec x) const noexcept { return sigmoid_of(x); }
};

struct TanhOf {
  Vec operator()(Vec x) const noexcept { return tanh_of(x); }
};

template <typename Function>
inline void apply(float* values, std::size_t count, Function function) noexcept {
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(values + i, function(load(values + i)));
  if (i < count) {
    store_part(values + i, function(load_part(values + i, count - i)), count - i);
  }
}

inline void activate(Activation activation, float* values, std::size_t count) noexcept {
  switch (activation.kind) {
    case Activation::Kind::kNone:
      return;
    case Activation::Kind::kRelu:
      return apply(values, count, ReluOf{});
    case Activation::Kind::kLeakyRelu:
      return apply(values, count, LeakyReluOf{activation.slope});
    case Activation::Kind::kSigmoid:
      return apply(values, count, SigmoidOf{});
    case Activation::Kind::kTanh:
      return apply(values, count, TanhOf{});
  }
}
