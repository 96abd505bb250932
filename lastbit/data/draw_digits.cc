#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "lastbit/base/random.h"
#include "lastbit/data/digits.h"
#include "lastbit/data/strokes.h"

namespace lastbit {
namespace {

constexpr int kSide = kDigitsSide;
constexpr int kPixels = kSide * kSide;
constexpr int kSteps = 4;              // straight pieces between two points of a spline
constexpr std::size_t kFieldSide = 4;  // nodes of the elastic field in each direction
constexpr float kEdgeSpread = 2.0F;    // the pen's edge fades over this many widths of its blur

struct Vec {
  float x = 0.0F;
  float y = 0.0F;
};

Vec operator+(Vec a, Vec b) { return {a.x + b.x, a.y + b.y}; }
Vec operator-(Vec a, Vec b) { return {a.x - b.x, a.y - b.y}; }
Vec operator*(float s, Vec a) { return {s * a.x, s * a.y}; }

float uniform(Random& random, double low, double high) {
  return static_cast<float>(random.uniform(low, high));
}

// The sum of two uniform numbers: mostly small, bounded by `reach`, and free of the logarithm that
// a normal number needs and that libraries round differently.
float tent(Random& random, double reach) {
  return static_cast<float>(reach * (random.uniform() + random.uniform() - 1.0));
}

// Takes points of the unit box to pixels: stretch, slant, turn, shift, then a smooth random field.
class Warp {
 public:
  explicit Warp(Random& random) {
    const float height = uniform(random, 16.5, 22.5);
    const float width = height * uniform(random, 0.70, 1.12);
    const float slant = tent(random, 0.5);
    // With t the tangent of half the angle, cosine and sine are quotients of polynomials.
    const float t = tent(random, 0.22);
    const float cosine = (1.0F - t * t) / (1.0F + t * t);
    const float sine = 2.0F * t / (1.0F + t * t);
    x_ = {width * cosine, width * sine};
    y_ = {-height * sine - slant * height * cosine, height * cosine - slant * height * sine};
    centre_ = {13.5F + tent(random, 4.0), 13.5F + tent(random, 3.5)};
    const double reach = random.uniform(1.0, 3.6);
    for (Vec& node : field_) node = {tent(random, reach), tent(random, reach)};
  }

  Vec operator()(Vec p) const {
    return centre_ + (p.x - 0.5F) * x_ + (p.y - 0.5F) * y_ + displacement(p);
  }

 private:
  // The quadratic B-spline of the nodes: smooth over the whole box.
  Vec displacement(Vec p) const {
    const auto [column, wx] = weights(p.x);
    const auto [row, wy] = weights(p.y);
    Vec sum;
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 3; ++j) {
        sum = sum + wy[i] * wx[j] * field_[(row + i) * kFieldSide + column + j];
      }
    }
    return sum;
  }

  static std::pair<std::size_t, std::array<float, 3>> weights(float at) {
    const float place = std::clamp(at, 0.0F, 1.0F) * static_cast<float>(kFieldSide - 2);
    const std::size_t cell = std::min(static_cast<std::size_t>(place), kFieldSide - 3);
    const float t = place - static_cast<float>(cell);
    const float u = 1.0F - t;
    return {cell, {0.5F * u * u, 0.5F + t * u, 0.5F * t * t}};
  }

  Vec x_;
  Vec y_;
  Vec centre_;
  std::array<Vec, kFieldSide * kFieldSide> field_;
};

// How deep each pixel lies inside the ink, in pixels; negative outside.
class Ink {
 public:
  explicit Ink(float reach) : reach_(reach) { depth_.fill(-1e3F); }

  // A line from `a` to `b` whose radius changes evenly. Only the pixels it can colour are touched.
  void line(Vec a, Vec b, float radius_a, float radius_b) {
    const float margin = std::max(radius_a, radius_b) + reach_;
    const int left = first(std::min(a.x, b.x) - margin);
    const int right = last(std::max(a.x, b.x) + margin);
    const int top = first(std::min(a.y, b.y) - margin);
    const int bottom = last(std::max(a.y, b.y) + margin);
    const Vec along = b - a;
    const float scale = 1.0F / std::max(along.x * along.x + along.y * along.y, 1e-6F);
    for (int row = top; row <= bottom; ++row) {
      const float dy = static_cast<float>(row) - a.y;
      float* const out = depth_.data() + static_cast<std::ptrdiff_t>(row) * kSide;
      for (int column = left; column <= right; ++column) {
        const float dx = static_cast<float>(column) - a.x;
        const float share = (dx * along.x + dy * along.y) * scale;
        const float t = share < 0.0F ? 0.0F : (share > 1.0F ? 1.0F : share);
        const float ex = dx - t * along.x;
        const float ey = dy - t * along.y;
        const float depth = radius_a + t * (radius_b - radius_a) - std::sqrt(ex * ex + ey * ey);
        out[column] = depth > out[column] ? depth : out[column];
      }
    }
  }

  const std::array<float, kPixels>& depth() const { return depth_; }

 private:
  static int first(float at) { return std::clamp(static_cast<int>(std::ceil(at)), 0, kSide); }
  static int last(float at) { return std::clamp(static_cast<int>(std::floor(at)), -1, kSide - 1); }

  float reach_;
  std::array<float, kPixels> depth_;
};

// The points of a stroke as this hand places them: each a little off its outline.
struct Hand {
  std::array<Vec, kMaxStrokePoints> points;
  std::array<float, kMaxStrokePoints> radii;
};

Hand place(Stroke stroke, const Warp& warp, float radius, float wobble, Random& random) {
  Hand hand;
  for (std::size_t i = 0; i < stroke.size(); ++i) {
    const Vec off{tent(random, wobble), tent(random, wobble)};
    hand.points[i] = warp({stroke[i].x, stroke[i].y}) + off;
    hand.radii[i] = radius * (1.0F + tent(random, 0.25));
  }
  return hand;
}

void draw_stroke(Stroke stroke, const Hand& hand, Ink& ink) {
  const std::size_t last = stroke.size() - 1;
  for (std::size_t i = 0; i < last; ++i) {
    const Vec p1 = hand.points[i];
    const Vec p2 = hand.points[i + 1];
    // Beyond an end or a corner the spline sees its own point again: it starts and stops straight.
    const Vec p0 = i == 0 || stroke[i].corner ? p1 : hand.points[i - 1];
    const Vec p3 = i + 1 == last || stroke[i + 1].corner ? p2 : hand.points[i + 2];
    const Vec c1 = 0.5F * (p2 - p0);
    const Vec c2 = p0 - 2.5F * p1 + 2.0F * p2 - 0.5F * p3;
    const Vec c3 = 0.5F * (p3 - p0) + 1.5F * (p1 - p2);
    Vec from = p1;
    float from_radius = hand.radii[i];
    for (int step = 1; step <= kSteps; ++step) {
      const float t = static_cast<float>(step) / kSteps;
      const Vec to = p1 + t * (c1 + t * (c2 + t * c3));
      const float to_radius = hand.radii[i] + t * (hand.radii[i + 1] - hand.radii[i]);
      ink.line(from, to, from_radius, to_radius);
      from = to;
      from_radius = to_radius;
    }
  }
}

// Turns depth into grey. One random number gives the grain of eight pixels.
void develop(const Ink& ink, float blur, Random& random, std::span<std::uint8_t> image) {
  const float contrast = uniform(random, 140.0, 255.0);
  const float paper = uniform(random, 0.0, 24.0);
  const float grain = uniform(random, 0.0, 60.0) / 255.0F;
  const float slope = 1.0F / (kEdgeSpread * blur);
  std::array<std::uint8_t, kPixels> noise;
  for (int i = 0; i < kPixels; i += 8) {
    std::uint64_t word = random.next();
    for (int j = 0; j < 8; ++j, word >>= 8U) noise[i + j] = static_cast<std::uint8_t>(word);
  }
  for (int i = 0; i < kPixels; ++i) {
    const float place = 0.5F + ink.depth()[i] * slope;
    const float t = place < 0.0F ? 0.0F : (place > 1.0F ? 1.0F : place);
    const float cover = t * t * (3.0F - 2.0F * t);
    // Half a step more, since the conversion to a byte cuts off.
    const float shade =
        paper + (contrast - paper) * cover + grain * (static_cast<float>(noise[i]) - 127.5F) + 0.5F;
    const float kept = shade < 0.0F ? 0.0F : (shade > 255.0F ? 255.0F : shade);
    image[i] = static_cast<std::uint8_t>(kept);
  }
}

void add_specks(Ink& ink, Random& random) {
  const std::uint64_t specks = random.below(4);
  for (std::uint64_t i = 0; i < specks; ++i) {
    const Vec at{uniform(random, 0.0, 27.0), uniform(random, 0.0, 27.0)};
    const Vec to{at.x + tent(random, 1.5), at.y + tent(random, 1.5)};
    ink.line(at, to, 0.3F, 0.5F);
  }
}

void draw(Random& random, std::span<std::uint8_t> image, std::int32_t& label) {
  label = static_cast<std::int32_t>(random.below(10));
  const std::span<const Glyph> ways = glyphs(label);
  const Glyph& glyph = ways[random.below(ways.size())];
  const Warp warp(random);
  const float radius = uniform(random, 0.65, 1.6);
  const float blur = uniform(random, 0.45, 0.9);
  const float wobble = uniform(random, 0.3, 1.3);
  Ink ink(0.5F * kEdgeSpread * blur);
  for (const Stroke stroke : glyph.strokes) {
    draw_stroke(stroke, place(stroke, warp, radius, wobble, random), ink);
  }
  add_specks(ink, random);
  develop(ink, blur, random, image);
}

}  // namespace

void draw_digits(std::uint64_t seed,
                 DigitsPart part,
                 std::int64_t first,
                 std::span<std::uint8_t> images,
                 std::span<std::int32_t> labels) noexcept {
  const std::uint64_t odd = part == DigitsPart::kTest ? 1 : 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    Random random(seed, 2 * (static_cast<std::uint64_t>(first) + i) + odd);
    draw(random, images.subspan(i * kPixels, kPixels), labels[i]);
  }
}

}  // namespace lastbit
