// The part of finish_body.h, which includes it, that filters each channel by itself.

// Results that share each load of a weight.
constexpr std::size_t kFilterResults = 4;

// Windows three pixels wide are the usual ones. `count` lanes, a constant where it is kLanes.
template <std::size_t Width, std::size_t Step, std::size_t Results, typename Input>
[[gnu::always_inline]] inline void add_taps(Vec (&sums)[Results],
                                            const Input* const* pixels,
                                            std::size_t step,
                                            const float* weights,
                                            std::size_t width,
                                            std::size_t channels,
                                            std::size_t c,
                                            std::size_t count) noexcept {
  if constexpr (Width == 0) {
    for (std::size_t x = 0; x < width; ++x) {
      const Vec w = load_lanes(weights + x * channels, count);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < Results; ++i) {
        sums[i] = multiply_add(w, load_lanes(pixels[i * step + x] + c, count), sums[i]);
      }
    }
  } else {
    Vec w[Width];
#pragma GCC unroll 3
    for (std::size_t x = 0; x < Width; ++x) w[x] = load_lanes(weights + x * channels, count);
      // Each pixel is loaded once for all results whose windows hold it.
#pragma GCC unroll 16
    for (std::size_t p = 0; p < (Results - 1) * Step + Width; ++p) {
      const Vec input = load_lanes(pixels[p] + c, count);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < Results; ++i) {
        if (p < i * Step || p >= i * Step + Width) continue;
        sums[i] = multiply_add(w[p - i * Step], input, sums[i]);
      }
    }
  }
}

// All results, Results of them at once, of the channels [begin, end); `Part` where these are not a
// whole number of vectors. A Width of 0 stands for any, with any step.
template <std::size_t Width, std::size_t Step, std::size_t Results, bool Part, typename Input>
[[gnu::always_inline]] inline void filter_results(const ChannelFilter<Input>& filter,
                                                  const Finish& finish,
                                                  std::size_t begin,
                                                  std::size_t end) noexcept {
  const ClipOf bounds = bounds_of(finish.activation);
  const Vec least = splat(bounds.least);
  const Vec most = splat(bounds.most);
  const std::size_t channels = finish.outputs;
  const std::size_t row = filter.row;
  const std::size_t width = Width == 0 ? filter.width : Width;
  const std::size_t stride = finish.stride;
  for (std::size_t next = 0; next < finish.count; next += Results) {
    // The last ones are computed with others before them, if need be a second time.
    const std::size_t r = next + Results > finish.count ? finish.count - Results : next;
    const Input* const* const first = filter.pixels + r * filter.step;
    const std::size_t out = r * stride;
    for (std::size_t c = begin; c < end; c += kLanes) {
      const std::size_t count = !Part || end - c > kLanes ? kLanes : end - c;
      Vec sums[Results];
      const Vec bias = load_lanes(finish.bias + c, count);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < Results; ++i) sums[i] = bias;
      const Input* const* pixels = first;
      const float* weights = filter.weights + c;
      for (std::size_t y = filter.height; y > 0; --y) {
        add_taps<Width, Step>(sums, pixels, filter.step, weights, width, channels, c, count);
        pixels += row;
        weights += width * channels;
      }
      if (finish.residual != nullptr) {
#pragma GCC unroll 4
        for (std::size_t i = 0; i < Results; ++i) {
          sums[i] += load_lanes(finish.residual + out + i * stride + c, count);
        }
      }
#pragma GCC unroll 4
      for (std::size_t i = 0; i < Results; ++i) sums[i] = lesser(most, greater(least, sums[i]));
      if (finish.bytes != nullptr) {
        std::uint8_t* to = finish.bytes + out + c;
#pragma GCC unroll 4
        for (std::size_t i = 0; i < Results; ++i, to += stride) {
          store_nearest(to, sums[i], count);
        }
      } else {
        float* to = finish.out + out + c;
#pragma GCC unroll 4
        for (std::size_t i = 0; i < Results; ++i, to += stride) store_lanes(to, sums[i], count);
      }
    }
  }
}

template <std::size_t Width, std::size_t Step, typename Input>
[[gnu::noinline]] void filter_whole(const ChannelFilter<Input>& filter,
                                    const Finish& finish,
                                    std::size_t end) noexcept {
  filter_results<Width, Step, kFilterResults, false>(filter, finish, 0, end);
}

// Channels that fill no vector, and results that are few: rare, and small rather than fast.
template <typename Input>
[[gnu::noinline, gnu::cold]] void filter_rest(const ChannelFilter<Input>& filter,
                                              const Finish& finish,
                                              std::size_t begin) noexcept {
  filter_results<0, 0, 1, true>(filter, finish, begin, finish.outputs);
}

template <typename Input>
inline void filter_all(const ChannelFilter<Input>& filter, const Finish& finish) noexcept {
  constexpr std::size_t kWidth = 3;
  const std::size_t whole = finish.count < kFilterResults ? 0 : finish.outputs / kLanes * kLanes;
  const bool three = !kFewSizes && filter.width == kWidth;
  if (three && filter.step == 1 && whole > 0) {
    filter_whole<kWidth, 1>(filter, finish, whole);
  } else if (three && filter.step == 2 && whole > 0 && sizeof(Input) == 1 && !kFewRegisters) {
    filter_whole<kWidth, 2>(filter, finish, whole);
  } else if (whole > 0) {
    filter_whole<0, 0>(filter, finish, whole);
  }
  if (whole < finish.outputs) filter_rest(filter, finish, whole);
  activate_rest(finish);
}

inline void filter(const ChannelFilter<float>& filter, const Finish& finish) noexcept {
  filter_all(filter, finish);
}

inline void filter_bytes(const ChannelFilter<std::uint8_t>& filter, const Finish& finish) noexcept {
  filter_all(filter, finish);
}
