// The part of product_body.h, which includes it, that applies functions to single values.

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

struct ClipOf {
  float least;
  float most;
  Vec operator()(Vec x) const noexcept { return lesser(splat(most), greater(splat(least), x)); }
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
    case Activation::Kind::kClip:
      return apply(values, count, ClipOf{activation.least, activation.most});
    case Activation::Kind::kLeakyRelu:
      return apply(values, count, LeakyReluOf{activation.slope});
    case Activation::Kind::kSigmoid:
      return apply(values, count, SigmoidOf{});
    case Activation::Kind::kTanh:
      return apply(values, count, TanhOf{});
  }
}
