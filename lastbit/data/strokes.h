#pragma once

#include <span>

namespace lastbit {

/// A point that a pen passes, in a box of side 1 with y downwards. At a corner the pen turns
/// sharply; elsewhere it runs on smoothly.
struct PenPoint {
  float x = 0.0F;
  float y = 0.0F;
  bool corner = false;
};

/// What the pen draws without being lifted: a Catmull-Rom spline through the points, broken at
/// corners.
using Stroke = std::span<const PenPoint>;

/// One way of writing a digit.
struct Glyph {
  std::span<const Stroke> strokes;
};

/// The ways of writing `digit`, 0, ..., 9: our own outlines, drawn for this project.
std::span<const Glyph> glyphs(int digit) noexcept;

inline constexpr int kMaxStrokePoints = 16;

}  // namespace lastbit
