#include <algorithm>
#include <utility>

#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plane.h"
#include "lastbit/runtime/weights.h"

namespace lastbit {
namespace {

// Floats of the columns of one tile: 256 KiB, which stays in a second-level cache beside the
// weights.
constexpr std::size_t kTileFloats = 65536;
constexpr std::size_t kSmallestTile = 64;

// A convolution as a product of matrices. The pixels of all results of the batch are cut into
// tiles; for each tile the input values under the window are gathered as columns [depth, tile],
// with depth = channels of a group * kernel area, and each block of kPanelRows output channels is
// multiplied with them.
class ConvStep final : public Step {
 public:
  ConvStep(const StepRequest& request, const Window& window, std::size_t groups)
      : weights_(request.inputs[1],
                 static_cast<std::size_t>(request.output.shape[1]),
                 static_cast<std::size_t>(element_count(request.inputs[1].shape) /
                                          request.inputs[1].shape[0]),
                 false),
        activation_(request.activation),
        input_(request.inputs[0].slot),
        bias_(request.inputs[2].slot),
        output_(request.output.slot),
        groups_(groups) {
    const Shape& input = request.inputs[0].shape;
    const std::vector<SlidingAxis> axes = sliding_axes(window, input);
    y_ = axes[0];
    x_ = axes[1];
    in_channels_ = static_cast<std::size_t>(input[1]);
    out_channels_ = static_cast<std::size_t>(request.output.shape[1]);
    pixels_ = static_cast<std::size_t>(y_.output * x_.output);
    all_pixels_ = static_cast<std::size_t>(input[0]) * pixels_;
    const std::size_t fitting = kTileFloats / weights_.depth() / kSmallestTile * kSmallestTile;
    const std::size_t all = (all_pixels_ + kPanelStep - 1) / kPanelStep * kPanelStep;
    tile_ = std::min(std::max(fitting, kSmallestTile), all);
    tiles_ = (all_pixels_ + tile_ - 1) / tile_;
    blocks_ = (out_channels_ / groups_ + kPanelRows - 1) / kPanelRows;
    for (std::ptrdiff_t k = 0; k < x_.kernel; ++k) valid_.emplace_back(x_.begin(k), x_.end(k));
  }

  std::size_t units() const noexcept override { return groups_ * tiles_ * blocks_; }
  double work() const noexcept override {
    return static_cast<double>(all_pixels_) * static_cast<double>(out_channels_) *
           static_cast<double>(weights_.depth());
  }
  std::size_t scratch_floats() const noexcept override {
    return (weights_.depth() + kPanelRows) * tile_ + weights_.buffer_floats(kPanelRows);
  }
  std::size_t weight_bytes() const noexcept override { return weights_.bytes(); }

  // Unit = (group, tile, block of channels), the block running fastest, so that the columns of a
  // tile are gathered once for all its blocks.
  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int worker) const noexcept override {
    float* columns = frame.scratch_of(worker);            // (depth, tile)
    float* results = columns + weights_.depth() * tile_;  // (kPanelRows, tile)
    float* decoded = results + kPanelRows * tile_;        // (kPanelRows, stride of weights)
    const std::size_t group_rows = out_channels_ / groups_;
    for (std::size_t unit = begin; unit < end; ++unit) {
      const std::size_t block = unit % blocks_;
      const std::size_t tile = unit / blocks_ % tiles_;
      const std::size_t group = unit / blocks_ / tiles_;
      const std::size_t first = tile * tile_;
      const std::size_t count = std::min(tile_, all_pixels_ - first);
      const std::size_t width = (count + kPanelStep - 1) / kPanelStep * kPanelStep;
      if (unit == begin || block == 0)
        gather(frame.read(input_), group, first, count, width, columns);
      const std::size_t rows = std::min(kPanelRows, group_rows - block * kPanelRows);
      const std::size_t channel = group * group_rows + block * kPanelRows;
      const float* weights = weights_.read(*frame.kernels, channel, rows, decoded);
      frame.kernels->panel(
          weights, weights_.stride(), rows, columns, weights_.depth(), width, results);
      for (std::size_t r = 0; r < rows; ++r) {
        finish(frame, channel + r, first, count, results + r * width);
      }
    }
  }

 private:
  // Writes columns[k * width + p] for all k and the pixels [first, first + count).
  void gather(const float* input,
              std::size_t group,
              std::size_t first,
              std::size_t count,
              std::size_t width,
              float* columns) const noexcept {
    const std::size_t group_channels = in_channels_ / groups_;
    const auto plane = static_cast<std::size_t>(y_.input * x_.input);
    for (std::size_t c = 0; c < group_channels; ++c) {
      const float* channel = input + (group * group_channels + c) * plane;
      for (std::ptrdiff_t ky = 0; ky < y_.kernel; ++ky) {
        for (std::ptrdiff_t kx = 0; kx < x_.kernel; ++kx) {
          gather_element(channel, plane, ky, kx, first, count, columns);
          std::fill(columns + count, columns + width, 0.0F);
          columns += width;
        }
      }
    }
  }

  // The input values under one element of the window.
  void gather_element(const float* channel,
                      std::size_t plane,
                      std::ptrdiff_t ky,
                      std::ptrdiff_t kx,
                      std::size_t first,
                      std::size_t count,
                      float* out) const noexcept {
    std::size_t sample = first / pixels_;
    auto y = static_cast<std::ptrdiff_t>(first % pixels_) / x_.output;
    auto x = static_cast<std::ptrdiff_t>(first % pixels_) % x_.output;
    auto left = static_cast<std::ptrdiff_t>(count);
    while (left > 0) {
      const std::ptrdiff_t end = std::min(x_.output, x + left);
      const std::ptrdiff_t row = y_.position(y, ky);
      if (row < 0 || row >= y_.input) {
        std::fill_n(out, end - x, 0.0F);
      } else {
        gather_row(channel + sample * in_channels_ * plane + row * x_.input, kx, x, end, out);
      }
      out += end - x;
      left -= end - x;
      x = 0;
      if (++y == y_.output) {
        y = 0;
        ++sample;
      }
    }
  }

  void gather_row(const float* row,
                  std::ptrdiff_t kx,
                  std::ptrdiff_t x,
                  std::ptrdiff_t end,
                  float* out) const noexcept {
    const std::ptrdiff_t low = std::clamp(valid_[static_cast<std::size_t>(kx)].first, x, end);
    const std::ptrdiff_t high = std::clamp(valid_[static_cast<std::size_t>(kx)].second, low, end);
    for (std::ptrdiff_t i = x; i < low; ++i) *out++ = 0.0F;
    // `row + position` may lie outside the row where nothing is read, so no pointer is made of it.
    const std::ptrdiff_t start = x_.position(low, kx);
    if (x_.stride == 1) {
      if (low < high) std::copy_n(row + start, high - low, out);
    } else {
      for (std::ptrdiff_t i = 0; i < high - low; ++i) out[i] = row[start + i * x_.stride];
    }
    out += high - low;
    for (std::ptrdiff_t i = high; i < end; ++i) *out++ = 0.0F;
  }

  // Scale, bias and activation of one channel's results, which go to one or more samples.
  void finish(const Frame& frame,
              std::size_t channel,
              std::size_t first,
              std::size_t count,
              float* results) const noexcept {
    const float scale = weights_.scale(channel);
    const float bias = bias_ < 0 ? 0.0F : frame.read(bias_)[channel];
    for (std::size_t p = 0; p < count; ++p) results[p] = results[p] * scale + bias;
    frame.kernels->activate(activation_, results, count);
    float* output = frame.write(output_);
    for (std::size_t p = 0; p < count;) {
      const std::size_t sample = (first + p) / pixels_;
      const std::size_t pixel = (first + p) % pixels_;
      const std::size_t part = std::min(count - p, pixels_ - pixel);
      std::copy_n(results + p, part, output + (sample * out_channels_ + channel) * pixels_ + pixel);
      p += part;
    }
  }

  WeightRows weights_;
  Activation activation_;
  int input_;
  int bias_;
  int output_;
  std::size_t groups_;
  SlidingAxis y_;
  SlidingAxis x_;
  std::size_t in_channels_ = 0;
  std::size_t out_channels_ = 0;
  std::size_t pixels_ = 0;      // of one result plane
  std::size_t all_pixels_ = 0;  // of the batch
  std::size_t tile_ = 0;        // pixels, a multiple of kPanelStep
  std::size_t tiles_ = 0;
  std::size_t blocks_ = 0;  // of kPanelRows channels, in a group
  std::vector<std::pair<std::ptrdiff_t, std::ptrdiff_t>> valid_;  // (kernel width)
};

}  // namespace

std::unique_ptr<const Step> make_conv(const StepRequest& request) {
  const Shape& weights = request.inputs[1].shape;
  const Window window = window_of(
      *request.node, request.inputs[0].shape, std::span<const std::int64_t>(weights).subspan(2));
  const auto groups = static_cast<std::size_t>(int_attribute(*request.node, "group", 1));
  return std::make_unique<ConvStep>(request, window, groups);
}

}  // namespace lastbit
