#include "lastbit/runtime/prepare.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "lastbit/base/vectorize.h"

namespace lastbit {
namespace {

// Values that one part of a range takes.
constexpr std::size_t kRangePart = 16384;

// Writes the rows of a plane, border included, one a unit: `copy` writes the pixels of a row.
template <typename T, typename Copy>
void write_rows(
    const Plane& plane, std::size_t begin, std::size_t end, T zero, T* out, const Copy& copy) {
  const std::size_t row_size = plane.columns() * plane.stored;
  for (std::size_t unit = begin; unit < end; ++unit) {
    const std::size_t sample = unit / plane.rows();
    const std::size_t row = unit % plane.rows();
    T* to = out + unit * row_size;
    if (row < plane.top || row >= plane.top + plane.height) {
      std::fill_n(to, row_size, zero);
      continue;
    }
    std::fill_n(to, plane.left * plane.stored, zero);
    const std::size_t from =
        (sample * plane.height + row - plane.top) * plane.width * plane.channels;
    T* pixels = to + plane.left * plane.stored;
    if (plane.stored == plane.channels) {
      copy(from, plane.width * plane.channels, pixels);
    } else {
      for (std::size_t x = 0; x < plane.width; ++x) {
        T* pixel = pixels + x * plane.stored;
        copy(from + x * plane.channels, plane.channels, pixel);
        std::fill(pixel + plane.channels, pixel + plane.stored, zero);
      }
    }
    std::fill(pixels + plane.width * plane.stored, to + row_size, zero);
  }
}

class PadStep final : public Step {
 public:
  PadStep(int input, int output, const Plane& plane)
      : input_(input), output_(output), plane_(plane) {}

  std::size_t units() const noexcept override { return plane_.batch * plane_.rows(); }
  double work() const noexcept override { return kMove * static_cast<double>(plane_.size()); }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    const float* from = frame.read(input_);
    write_rows(
        plane_,
        begin,
        end,
        0.0F,
        frame.write(output_),
        [&](std::size_t at, std::size_t count, float* to) { std::copy_n(from + at, count, to); });
  }

 private:
  int input_;
  int output_;
  Plane plane_;
};

class RangeStep final : public Step {
 public:
  RangeStep(int input, int ranges, std::size_t batch, std::size_t count)
      : input_(input), ranges_(ranges), batch_(batch), count_(count) {}

  std::size_t units() const noexcept override { return batch_ * range_parts(count_); }
  double work() const noexcept override { return kMove * static_cast<double>(batch_ * count_); }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    const std::size_t parts = range_parts(count_);
    for (std::size_t unit = begin; unit < end; ++unit) {
      const float* sample = frame.read(input_) + unit / parts * count_;
      const std::size_t first = unit % parts * kRangePart;
      frame.write_as<Range>(ranges_)[unit] =
          frame.kernels->range(sample + first, std::min(kRangePart, count_ - first));
    }
  }

 private:
  int input_;
  int ranges_;
  std::size_t batch_;
  std::size_t count_;  // floats of a sample
};

class QuantizeStep final : public Step {
 public:
  QuantizeStep(int input, int ranges, int output, int scale, const Plane& plane)
      : input_(input), ranges_(ranges), output_(output), scale_(scale), plane_(plane) {}

  std::size_t units() const noexcept override { return plane_.batch * plane_.rows(); }
  double work() const noexcept override { return kMove * static_cast<double>(plane_.size()); }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    const std::size_t rows = plane_.rows();
    for (std::size_t first = begin; first < end;) {
      const std::size_t sample = first / rows;
      const std::size_t last = std::min(end, (sample + 1) * rows);
      quantize_rows(frame, sample, first, last);
      first = last;
    }
  }

 private:
  // Rows of one sample.
  void quantize_rows(const Frame& frame,
                     std::size_t sample,
                     std::size_t begin,
                     std::size_t end) const noexcept {
    Quantization quantization;
    const InputScale scale = input_scale(whole_range(frame, sample), quantization);
    if (begin == sample * plane_.rows()) frame.write_as<InputScale>(scale_)[sample] = scale;
    const float* from = frame.read(input_);
    write_rows(plane_,
               begin,
               end,
               static_cast<std::uint8_t>(quantization.zero),
               frame.write_as<std::uint8_t>(output_),
               [&](std::size_t at, std::size_t count, std::uint8_t* to) {
                 frame.kernels->quantize(from + at, count, quantization, to);
               });
  }

  Range whole_range(const Frame& frame, std::size_t sample) const noexcept {
    const std::size_t count = range_parts(plane_.height * plane_.width * plane_.channels);
    const Range* parts = frame.read_as<Range>(ranges_) + sample * count;
    Range whole = parts[0];
    for (std::size_t i = 1; i < count; ++i) {
      whole.least = std::min(whole.least, parts[i].least);
      whole.most = std::max(whole.most, parts[i].most);
    }
    return whole;
  }

  int input_;
  int ranges_;
  int output_;
  int scale_;
  Plane plane_;
};

// Their sum, before each loses 128 where `flip` is 0x80; for a `flip` of 0 they stay.
LASTBIT_VECTORIZE std::int32_t sum_and_flip(std::uint8_t* values,
                                            std::size_t count,
                                            std::uint8_t flip) {
  std::int32_t sum = 0;
  for (std::size_t k = 0; k < count; ++k) {
    sum += values[k];
    values[k] ^= flip;
  }
  return sum;
}

// Row `row` of the input in one piece: `buffer` where it is not so already.
const float* row_of(const Frame& frame,
                    int input,
                    const RowsLayout& layout,
                    std::size_t row,
                    float* buffer) noexcept {
  const float* from = frame.read(input);
  if (!layout.transposed) return from + row * layout.depth;
  for (std::size_t k = 0; k < layout.depth; ++k) buffer[k] = from[k * layout.rows + row];
  return buffer;
}

class QuantizeRowsStep final : public Step {
 public:
  QuantizeRowsStep(int input, int output, int scales, const RowsLayout& layout)
      : input_(input), output_(output), scales_(scales), layout_(layout) {}

  std::size_t units() const noexcept override { return layout_.rows; }
  double work() const noexcept override {
    return kMove * static_cast<double>(layout_.rows * layout_.stored);
  }
  std::size_t scratch_floats() const noexcept override {
    return layout_.transposed ? layout_.depth : 0;
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int worker) const noexcept override {
    for (std::size_t row = begin; row < end; ++row) {
      const float* from = row_of(frame, input_, layout_, row, frame.scratch_of(worker));
      frame.write_as<InputScale>(scales_)[row] =
          quantize_row(*frame.kernels,
                       from,
                       layout_,
                       frame.write_as<std::uint8_t>(output_) + row * layout_.stored);
    }
  }

 private:
  int input_;
  int output_;
  int scales_;
  RowsLayout layout_;
};

class CopyRowsStep final : public Step {
 public:
  CopyRowsStep(int input, int output, const RowsLayout& layout)
      : input_(input), output_(output), layout_(layout) {}

  std::size_t units() const noexcept override { return layout_.rows; }
  double work() const noexcept override {
    return kMove * static_cast<double>(layout_.rows * layout_.stored);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    for (std::size_t row = begin; row < end; ++row) {
      float* to = frame.write(output_) + row * layout_.stored;
      const float* from = row_of(frame, input_, layout_, row, to);
      if (from != to) std::copy_n(from, layout_.depth, to);
      std::fill(to + layout_.depth, to + layout_.stored, 0.0F);
    }
  }

 private:
  int input_;
  int output_;
  RowsLayout layout_;
};

}  // namespace

InputScale input_scale(Range range, Quantization& quantization) noexcept {
  const bool negative = range.least < 0.0F;
  const float most = std::max(range.most, -range.least);
  const float steps = negative ? 127.0F : 255.0F;
  const std::int32_t zero = negative ? kSignedZero : 0;
  // Where the inverse of a step would overflow, all values are taken for 0.
  const float scale = most < 256.0F * FLT_MIN ? 0.0F : most / steps;
  quantization = {.inverse = scale == 0.0F ? 0.0F : 1.0F / scale, .zero = zero};
  return {.scale = scale, .zero = zero};
}

InputScale quantize_row(const KernelSet& kernels,
                        const float* from,
                        const RowsLayout& layout,
                        std::uint8_t* to) noexcept {
  Quantization quantization;
  InputScale scale = input_scale(kernels.range(from, layout.depth), quantization);
  kernels.quantize(from, layout.depth, quantization, to);
  std::fill(to + layout.depth, to + layout.stored, static_cast<std::uint8_t>(quantization.zero));
  scale.sum = sum_and_flip(to, layout.stored, layout.as_signed ? 0x80 : 0) -
              quantization.zero * static_cast<std::int32_t>(layout.stored);
  return scale;
}

std::size_t range_parts(std::size_t count) noexcept {
  return (count + kRangePart - 1) / kRangePart;
}

std::unique_ptr<const Step> make_pad(int input, int output, const Plane& plane) {
  return std::make_unique<PadStep>(input, output, plane);
}

std::unique_ptr<const Step> make_range(int input,
                                       int ranges,
                                       std::size_t batch,
                                       std::size_t count) {
  return std::make_unique<RangeStep>(input, ranges, batch, count);
}

std::unique_ptr<const Step> make_quantize(
    int input, int ranges, int output, int scale, const Plane& plane) {
  return std::make_unique<QuantizeStep>(input, ranges, output, scale, plane);
}

std::unique_ptr<const Step> make_quantize_rows(int input,
                                               int output,
                                               int scales,
                                               const RowsLayout& layout) {
  return std::make_unique<QuantizeRowsStep>(input, output, scales, layout);
}

std::unique_ptr<const Step> make_copy_rows(int input, int output, const RowsLayout& layout) {
  return std::make_unique<CopyRowsStep>(input, output, layout);
}

}  // namespace lastbit
