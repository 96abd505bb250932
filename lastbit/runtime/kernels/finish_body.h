// The part of product_body.h, which includes it, that comes before and after the products.

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

inline Vec load_lanes(const float* from, std::size_t count) noexcept {
  return count == kLanes ? load(from) : load_part(from, count);
}

inline void store_lanes(float* to, Vec v, std::size_t count) noexcept {
  count == kLanes ? store(to, v) : store_part(to, v, count);
}

// One vector of outputs, `count` lanes of it, for all results. Callers give a constant where it is
// kLanes, which leaves no question in the loop.
template <typename Sum, typename Function>
[[gnu::always_inline]] inline void finish_column(const Sum* sums,
                                                 const std::int32_t* offsets,
                                                 float input_scale,
                                                 const Finish& finish,
                                                 std::size_t o,
                                                 std::size_t count,
                                                 Function function) noexcept {
  const Vec scale = splat(input_scale) * load_lanes(finish.scale + o, count);
  const Vec bias = load_lanes(finish.bias + o, count);
  for (std::size_t r = 0; r < finish.count; ++r) {
    const Vec sum = sums_at(
        sums + r * finish.sums_stride + o, offsets == nullptr ? nullptr : offsets + o, count);
    Vec value = multiply_add(scale, sum, bias);
    const std::size_t at = r * finish.stride + o;
    if (finish.residual != nullptr) value += load_lanes(finish.residual + at, count);
    store_lanes(finish.out + at, function(value), count);
  }
}

// Calls run(o, count) for all vectors of outputs.
template <typename Run>
[[gnu::always_inline]] inline void for_vectors(std::size_t outputs, Run run) noexcept {
  std::size_t o = 0;
  for (; o + kLanes <= outputs; o += kLanes) run(o, kLanes);
  if (o < outputs) run(o, outputs - o);
}

// Most activations hold a value within bounds, and one loop for all of these is short. What else
// there is is applied afterwards.
inline ClipOf bounds_of(const Activation& activation) noexcept {
  const float infinity = __builtin_inff();
  if (activation.kind == Activation::Kind::kRelu) return {0.0F, infinity};
  if (activation.kind == Activation::Kind::kClip) return {activation.least, activation.most};
  return {-infinity, infinity};
}

inline void activate_rest(const Finish& finish) noexcept {
  const Activation::Kind kind = finish.activation.kind;
  if (kind == Activation::Kind::kNone || kind == Activation::Kind::kRelu ||
      kind == Activation::Kind::kClip) {
    return;
  }
  for (std::size_t r = 0; r < finish.count; ++r) {
    activate(finish.activation, finish.out + r * finish.stride, finish.outputs);
  }
}

template <typename Sum>
inline void finish_all(const Sum* sums,
                       const std::int32_t* offsets,
                       float input_scale,
                       const Finish& finish) noexcept {
  const ClipOf bounds = bounds_of(finish.activation);
  for_vectors(finish.outputs, [&](std::size_t o, std::size_t count) {
    finish_column(sums, offsets, input_scale, finish, o, count, bounds);
  });
  activate_rest(finish);
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

// Results that share each load of a weight.
constexpr std::size_t kFilterResults = 4;

// One vector of channels of Results results.
template <std::size_t Results, typename Function>
[[gnu::always_inline]] inline void filter_vector(const ChannelFilter& filter,
                                                 const Finish& finish,
                                                 std::size_t r,
                                                 std::size_t c,
                                                 std::size_t count,
                                                 Function function) noexcept {
  Vec sums[Results] = {};
  for (std::size_t t = 0; t < filter.taps; ++t) {
    const Vec w = load_lanes(filter.weights[t] + c, count);
    const float* const x = filter.inputs[t] + r * filter.step + c;
#pragma GCC unroll 4
    for (std::size_t i = 0; i < Results; ++i) {
      sums[i] = multiply_add(w, load_lanes(x + i * filter.step, count), sums[i]);
    }
  }
  const Vec bias = load_lanes(finish.bias + c, count);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < Results; ++i) {
    Vec value = sums[i] + bias;
    const std::size_t at = (r + i) * finish.stride + c;
    if (finish.residual != nullptr) value += load_lanes(finish.residual + at, count);
    store_lanes(finish.out + at, function(value), count);
  }
}

inline void filter(const ChannelFilter& filter, const Finish& finish) noexcept {
  const ClipOf bounds = bounds_of(finish.activation);
  std::size_t r = 0;
  for (; r + kFilterResults <= finish.count; r += kFilterResults) {
    for_vectors(finish.outputs, [&](std::size_t c, std::size_t count) {
      filter_vector<kFilterResults>(filter, finish, r, c, count, bounds);
    });
  }
  for (; r < finish.count; ++r) {
    for_vectors(finish.outputs, [&](std::size_t c, std::size_t count) {
      filter_vector<1>(filter, finish, r, c, count, bounds);
    });
  }
  activate_rest(finish);
}

inline void largest(const ChannelFilter& filter,
                    std::size_t results,
                    std::size_t channels,
                    float* out) noexcept {
  for (std::size_t r = 0; r < results; ++r) {
    for_vectors(channels, [&](std::size_t c, std::size_t count) {
      Vec most = load_lanes(filter.inputs[0] + r * filter.step + c, count);
      for (std::size_t t = 1; t < filter.taps; ++t) {
        most = greater(load_lanes(filter.inputs[t] + r * filter.step + c, count), most);
      }
      store_lanes(out + r * channels + c, most, count);
    });
  }
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
