// The part of product_body.h, which includes it, that comes before and after the products.

inline Vec load_lanes(const float* from, std::size_t count) noexcept {
  return count == kLanes ? load(from) : load_part(from, count);
}

inline Vec load_lanes(const std::uint8_t* from, std::size_t count) noexcept {
  if (count == kLanes) return load_bytes(from);
  std::uint8_t part[kLanes] = {};
#pragma GCC unroll 1
  for (std::size_t i = 0; i < count; ++i) part[i] = from[i];
  return load_bytes(part);
}

inline IntVec load_integers(const std::int32_t* from, std::size_t count) noexcept {
  if (count < kLanes) return load_part(from, count);
  IntVec v;
  __builtin_memcpy(&v, from, sizeof(v));
  return v;
}

inline void store_lanes(float* to, Vec v, std::size_t count) noexcept {
  count == kLanes ? store(to, v) : store_part(to, v, count);
}

inline void store_nearest(std::uint8_t* to, Vec v, std::size_t count) noexcept {
  if (count == kLanes) return store_nearest(to, v);
  std::uint8_t part[kLanes];
  store_nearest(part, v);
#pragma GCC unroll 1
  for (std::size_t i = 0; i < count; ++i) to[i] = part[i];
}

// Sums as they come, and less what is the same for all results.
struct FloatSums {
  const float* sums;
  Vec offset(std::size_t, std::size_t) const noexcept { return Vec{}; }
  Vec get(std::size_t at, std::size_t count, Vec) const noexcept {
    return load_lanes(sums + at, count);
  }
};

struct IntegerSums {
  const std::int32_t* sums;
  const std::int32_t* offsets;
  IntVec offset(std::size_t o, std::size_t count) const noexcept {
    return offsets == nullptr ? IntVec{} : load_integers(offsets + o, count);
  }
  Vec get(std::size_t at, std::size_t count, IntVec offset) const noexcept {
    return __builtin_convertvector(load_integers(sums + at, count) - offset, Vec);
  }
};

// One vector of outputs, `count` lanes of it, for all results. Callers give a constant where it is
// kLanes, which leaves no question in the loop. What is given by value need not be read again after
// each store.
template <typename Sums>
[[gnu::always_inline]] inline void finish_column(Sums sums,
                                                 float input_scale,
                                                 Finish finish,
                                                 std::size_t o,
                                                 std::size_t count,
                                                 ClipOf bounds) noexcept {
  const Vec scale = splat(input_scale) * load_lanes(finish.scale + o, count);
  const Vec bias = load_lanes(finish.bias + o, count);
  const auto offset = sums.offset(o, count);
  const auto value = [&](std::size_t r) {
    return multiply_add(scale, sums.get(r * finish.sums_stride + o, count, offset), bias);
  };
  if (finish.bytes != nullptr) {
    for (std::size_t r = 0; r < finish.count; ++r) {
      // At most 255 by itself.
      const Vec bounded = greater(splat(bounds.least), value(r));
      store_nearest(finish.bytes + r * finish.stride + o, bounded, count);
    }
  } else {
    for (std::size_t r = 0; r < finish.count; ++r) {
      const std::size_t at = r * finish.stride + o;
      Vec sum = value(r);
      if (finish.residual != nullptr) sum += load_lanes(finish.residual + at, count);
      store_lanes(finish.out + at, bounds(sum), count);
    }
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

// Outputs that fill no vector: rare, and small rather than fast.
template <typename Sums>
[[gnu::noinline, gnu::cold]] void finish_rest(
    Sums sums, float input_scale, const Finish& finish, std::size_t o, ClipOf bounds) noexcept {
  finish_column(sums, input_scale, finish, o, finish.outputs - o, bounds);
}

template <typename Sums>
inline void finish_all(Sums sums, float input_scale, const Finish& finish) noexcept {
  const ClipOf bounds = bounds_of(finish.activation);
  std::size_t o = 0;
  for (; o + kLanes <= finish.outputs; o += kLanes) {
    finish_column(sums, input_scale, finish, o, kLanes, bounds);
  }
  if (o < finish.outputs) finish_rest(sums, input_scale, finish, o, bounds);
  activate_rest(finish);
}

inline void finish_float(const float* sums, const Finish& finish) noexcept {
  finish_all(FloatSums{sums}, 1.0F, finish);
}

inline void finish_int8(const std::int32_t* sums,
                        const std::int32_t* offsets,
                        float input_scale,
                        const Finish& finish) noexcept {
  finish_all(IntegerSums{sums, offsets}, input_scale, finish);
}

#include "lastbit/runtime/kernels/filter_body.h"

inline void largest(const ChannelWindow& window,
                    std::size_t results,
                    std::size_t channels,
                    float* out) noexcept {
  for (std::size_t r = 0; r < results; ++r) {
    for_vectors(channels, [&](std::size_t c, std::size_t count) {
      Vec most = load_lanes(window.inputs[0] + r * window.step + c, count);
      for (std::size_t t = 1; t < window.taps; ++t) {
        most = greater(load_lanes(window.inputs[t] + r * window.step + c, count), most);
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

inline void quantize(const float* values,
                     std::size_t count,
                     Quantization quantization,
                     std::uint8_t* out) noexcept {
  const Vec inverse = splat(quantization.inverse);
  const Vec zero = splat(static_cast<float>(quantization.zero));
  for (std::size_t i = 0; i < count; i += kLanes) {
    const std::size_t part = count - i < kLanes ? count - i : kLanes;
    const Vec x = part == kLanes ? load(values + i) : load_part(values + i, part);
    store_nearest(out + i, greater(round_even(x * inverse) + zero, Vec{}), part);
  }
}
