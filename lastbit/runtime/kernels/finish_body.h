// The part of product_body.h, which includes it, that comes before and after the products.

struct Identity {
  Vec operator()(Vec x) const noexcept { return x; }
};

inline Vec sums_at(const float* sums, const std::int32_t*, std::size_t count) noexcept {
  return count == kLanes ? load(sums) : load_part(sums, count);
}

inline Vec sums_at(const std::int32_t* sums,
                   const std::int32_t* offsets,
                   std::size_t count) noexcept {
  IntVec a = {};
  IntVec b = {};
  if (count == kLanes) {
    __builtin_memcpy(&a, sums, sizeof(a));
    __builtin_memcpy(&b, offsets, sizeof(b));
  } else {
    a = load_part(sums, count);
    b = load_part(offsets, count);
  }
  return __builtin_convertvector(a - b, Vec);
}

// One vector of outputs, `count` lanes of it, for all results.
template <typename Sum, typename Function>
inline void finish_column(const Sum* sums,
                          const std::int32_t* offsets,
                          float input_scale,
                          const Finish& finish,
                          std::size_t o,
                          std::size_t count,
                          Function function) noexcept {
  const Vec scale = splat(input_scale) * load_part(finish.scale + o, count);
  const Vec bias = load_part(finish.bias + o, count);
  for (std::size_t r = 0; r < finish.count; ++r) {
    const Vec sum = sums_at(
        sums + r * finish.sums_stride + o, offsets == nullptr ? nullptr : offsets + o, count);
    Vec value = multiply_add(scale, sum, bias);
    const std::size_t at = r * finish.stride + o;
    if (finish.residual != nullptr) value += load_part(finish.residual + at, count);
    store_part(finish.out + at, function(value), count);
  }
}

template <typename Sum, typename Function>
inline void finish_columns(const Sum* sums,
                           const std::int32_t* offsets,
                           float input_scale,
                           const Finish& finish,
                           Function function) noexcept {
  std::size_t o = 0;
  for (; o + kLanes <= finish.outputs; o += kLanes) {
    finish_column(sums, offsets, input_scale, finish, o, kLanes, function);
  }
  if (o < finish.outputs) {
    finish_column(sums, offsets, input_scale, finish, o, finish.outputs - o, function);
  }
}

template <typename Sum>
inline void finish_all(const Sum* sums,
                       const std::int32_t* offsets,
                       float input_scale,
                       const Finish& finish) noexcept {
  const Activation& activation = finish.activation;
  switch (activation.kind) {
    case Activation::Kind::kNone:
      return finish_columns(sums, offsets, input_scale, finish, Identity{});
    case Activation::Kind::kRelu:
      return finish_columns(sums, offsets, input_scale, finish, ReluOf{});
    case Activation::Kind::kClip:
      return finish_columns(
          sums, offsets, input_scale, finish, ClipOf{activation.least, activation.most});
    case Activation::Kind::kLeakyRelu:
      return finish_columns(sums, offsets, input_scale, finish, LeakyReluOf{activation.slope});
    case Activation::Kind::kSigmoid:
      return finish_columns(sums, offsets, input_scale, finish, SigmoidOf{});
    case Activation::Kind::kTanh:
      return finish_columns(sums, offsets, input_scale, finish, TanhOf{});
  }
}

inline void finish_float(const float* sums, const Finish& finish) noexcept {
  finish_all(sums, nullptr, 1.0F, finish);
}

inline void finish_int8(const std::int32_t* sums,
                        const std::int32_t* offsets,
                        float input_scale,
                        const Finish& finish) noexcept {
  finish_all(sums, offsets, input_scale, finish);
}

// Starts from infinities, so that what is not a number is left out wherever it stands.
inline Range range(const float* values, std::size_t count) noexcept {
  constexpr std::size_t kStreams = 4;
  const float infinity = __builtin_inff();
  Vec least[kStreams];
  Vec most[kStreams];
#pragma GCC unroll 4
  for (std::size_t s = 0; s < kStreams; ++s) {
    least[s] = splat(infinity);
    most[s] = splat(-infinity);
  }
  std::size_t i = 0;
  for (; i + kStreams * kLanes <= count; i += kStreams * kLanes) {
#pragma GCC unroll 4
    for (std::size_t s = 0; s < kStreams; ++s) {
      const Vec v = load(values + i + s * kLanes);
      least[s] = lesser(v, least[s]);
      most[s] = greater(v, most[s]);
    }
  }
  for (; i + kLanes <= count; i += kLanes) {
    const Vec v = load(values + i);
    least[0] = lesser(v, least[0]);
    most[0] = greater(v, most[0]);
  }
  const Vec low = lesser(lesser(least[0], least[1]), lesser(least[2], least[3]));
  const Vec high = greater(greater(most[0], most[1]), greater(most[2], most[3]));
  Range result = {.least = infinity, .most = -infinity};
#pragma GCC unroll 16
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    result.least = low[lane] < result.least ? low[lane] : result.least;
    result.most = high[lane] > result.most ? high[lane] : result.most;
  }
  for (; i < count; ++i) {
    result.least = values[i] < result.least ? values[i] : result.least;
    result.most = values[i] > result.most ? values[i] : result.most;
  }
  return result;
}

inline IntVec integers(Vec x, Vec inverse, Vec zero) noexcept {
  const Vec rounded = round_even(x * inverse) + zero;
  return __builtin_convertvector(lesser(greater(rounded, Vec{}), splat(255.0F)), IntVec);
}

inline void quantize(const float* values,
                     std::size_t count,
                     Quantization quantization,
                     std::uint8_t* out) noexcept {
  const Vec inverse = splat(quantization.inverse);
  const Vec zero = splat(static_cast<float>(quantization.zero));
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    store_bytes(out + i, integers(load(values + i), inverse, zero));
  }
  if (i == count) return;
  std::uint8_t last[kLanes];
  store_bytes(last, integers(load_part(values + i, count - i), inverse, zero));
  __builtin_memcpy(out + i, last, count - i);
}
