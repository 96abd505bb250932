#pragma once

namespace lastbit {

/// A rectangle by its edges, x to the right and y down: in pixels, or as parts of an image's width
/// and height. Edges lie between pixels: the pixels 0, ..., 3 of a row are the box from 0 to 4.
struct Box {
  float left = 0.0F;
  float top = 0.0F;
  float right = 0.0F;
  float bottom = 0.0F;

  friend bool operator==(const Box&, const Box&) = default;
};

/// True for finite edges of which right is beyond left and bottom beyond top.
bool has_area(const Box& box) noexcept;

/// Area; 0 for a box turned inside out.
double area(const Box& box, double extra = 0.0) noexcept;

/// The box cut to [0, width] x [0, height]. What lies outside becomes a box without area.
Box clipped(const Box& box, float width, float height) noexcept;

/// Intersection over union (Jaccard overlap), in [0, 1]; 0 where both are empty.
/// @param extra  what is added to each width and height: 1 where `right` and `bottom` are the last
///     pixels of a box, as in VOC's development kit; 0 for edges.
double iou(const Box& a, const Box& b, double extra = 0.0) noexcept;

}  // namespace lastbit
