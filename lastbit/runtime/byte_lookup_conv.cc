#include <algorithm>
#include <cfloat>
#include <limits>
#include <utility>
#include <vector>

#include "lastbit/runtime/affine.h"
#include "lastbit/runtime/byte_lookup_weights.h"
#include "lastbit/runtime/conv_shape.h"
#include "lastbit/runtime/lookup_strips.h"
#include "lastbit/runtime/lookup_weights.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/preparations.h"

// Convolutions of 8-bit integers and binary weights by lookup (kernels/byte_lookup.h).

namespace lastbit {
namespace {

std::size_t size_of(std::ptrdiff_t size) { return static_cast<std::size_t>(size); }

// Those of one window at most.
constexpr double kWindowBytes = 4 << 20;
class ByteLookupConvStep final : public Step {
 public:
  ByteLookupConvStep(const StepRequest& request,
                     const ConvShape& shape,
                     float unit,
                     ByteLookupWeights weights,
                     std::vector<std::int32_t> offsets,
                     const Prepared& input)
      : weights_(std::move(weights)),
        offsets_(std::move(offsets)),
        affine_(weights_.scales(), constant_floats(request.inputs[2]), request.fused),
        unit_(unit),
        activation_(request.fused.activation),
        input_(input.slot),
        input_scale_(input.scale),
        plane_(input.plane),
        residual_(request.fused.residual.slot),
        output_(request.output.slot),
        products_(static_cast<double>(element_count(request.inputs[1].shape)) *
                  static_cast<double>(shape.batch * shape.pixels())),
        shape_(shape),
        pixel_size_(byte_tables(shape.group_inputs()) * kSubsetSums),
        strips_(shape,
                weights_.blocks(),
                kByteRows,
                pixel_size_ * sizeof(std::uint16_t),
                static_cast<std::size_t>(request.plan->options().threads)),
        row_pixels_(strips_.pixels(strips_.results())),
        stride_(weights_.blocks() * kByteOutputs) {}

  std::size_t units() const noexcept override { return strips_.units(); }
  double work() const noexcept override { return products_; }
  double products() const noexcept override { return products_; }
  std::size_t weight_bytes() const noexcept override {
    return weights_.bytes() + offsets_.size() * sizeof(std::int32_t);
  }
  std::size_t scratch_floats() const noexcept override {
    return ring_sums() / 2 + (strips_.results() + 1) * stride_ + strips_.results() + lookups() +
           strips_.ring() * row_pixels_ + strips_.ring();
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int worker) const noexcept override {
    float* const scratch = frame.scratch_of(worker);
    Rows rows;
    rows.tables = reinterpret_cast<std::uint16_t*>(scratch);
    rows.sums = reinterpret_cast<std::int32_t*>(scratch + ring_sums() / 2);
    rows.zeros = rows.sums + strips_.results() * stride_;
    rows.starts = rows.zeros + stride_;
    rows.offsets = rows.starts + strips_.results();
    rows.pixel_sums = rows.offsets + lookups();
    rows.made = rows.pixel_sums + strips_.ring() * row_pixels_;
    // The last turn may go beyond the lookups, to the subset without inputs of any table.
    std::fill_n(rows.offsets, lookups(), 0);
    for (std::size_t unit = begin; unit < end; ++unit) {
      const Place at = strips_.place(unit);
      if (unit == begin || at.row == 0) {
        std::fill_n(rows.made, strips_.ring(), -1);
        const auto sums = weights_.level_sums().subspan(at.group * weights_.outputs());
        const std::int32_t zero = frame.read_as<InputScale>(input_scale_)[at.sample].zero;
        for (std::size_t o = 0; o < weights_.outputs(); ++o) rows.zeros[o] = zero * sums[o];
      }
      make_rows(frame, at, rows);
      multiply(frame, at, rows);
    }
  }

 private:
  using Place = LookupStrips::Place;

  // What a worker keeps from row to row.
  struct Rows {
    std::uint16_t* tables;     // (ring, pixels, tables of a pixel, sums of a table)
    std::int32_t* sums;        // (results, outputs of all blocks)
    std::int32_t* zeros;       // (outputs): what the zeros of the inputs come to
    std::int32_t* starts;      // (results): of the sums
    std::int32_t* offsets;     // (lookups)
    std::int32_t* pixel_sums;  // (ring, pixels): of the inputs
    std::int32_t* made;        // (ring): the row whose tables it holds, counted from the border's
  };

  std::size_t lookups() const noexcept { return weights_.turns() * kTurnTables; }
  std::size_t ring_sums() const noexcept { return strips_.ring() * row_pixels_ * pixel_size_; }

  // Makes the tables of all rows that the window touches and that are not there yet, and finds
  // where they lie.
  void make_rows(const Frame& frame, const Place& at, const Rows& rows) const noexcept {
    std::int32_t* offset = rows.offsets;
    for (std::size_t ky = 0; ky < size_of(shape_.y.kernel); ++ky) {
      const std::size_t row = window_row(at, ky);
      const std::size_t place = row % strips_.ring();
      if (rows.made[place] != static_cast<std::int32_t>(row)) {
        make_row(frame, at, row, rows);
        rows.made[place] = static_cast<std::int32_t>(row);
      }
      const auto tables = static_cast<std::int32_t>(place * row_pixels_ * pixel_size_);
      for (const std::int32_t in_row : offsets_) *offset++ = tables + in_row;
    }
  }

  // Counted from the row in which the first window begins.
  std::size_t window_row(const Place& at, std::size_t ky) const noexcept {
    return at.row * size_of(shape_.y.stride) + ky * size_of(shape_.y.dilation);
  }

  void make_row(const Frame& frame,
                const Place& at,
                std::size_t row,
                const Rows& rows) const noexcept {
    const std::size_t place = row % strips_.ring() * row_pixels_;
    const std::size_t y = row + plane_.top - size_of(shape_.y.pad_begin);
    const std::size_t x =
        at.first * size_of(shape_.x.stride) + plane_.left - size_of(shape_.x.pad_begin);
    frame.kernels->make_byte_tables({.x = frame.read_as<std::uint8_t>(input_) +
                                          plane_.at(at.sample, y, x) +
                                          at.group * shape_.group_inputs(),
                                     .pixels = strips_.pixels(at.end - at.first),
                                     .stride = strips_.column_step() * plane_.stored,
                                     .count = shape_.group_inputs(),
                                     .tables = rows.tables + place * pixel_size_,
                                     .sums = rows.pixel_sums + place});
  }

  // A sum starts from that of the window's inputs, negated.
  void find_starts(const Place& at, const Rows& rows) const noexcept {
    const std::size_t results = at.end - at.first;
    std::fill_n(rows.starts, results, 0);
    for (std::size_t ky = 0; ky < size_of(shape_.y.kernel); ++ky) {
      const std::int32_t* const in_row =
          rows.pixel_sums + window_row(at, ky) % strips_.ring() * row_pixels_;
      for (std::size_t kx = 0; kx < size_of(shape_.x.kernel); ++kx) {
        const std::int32_t* pixel = in_row + kx * size_of(shape_.x.dilation);
        for (std::size_t r = 0; r < results; ++r, pixel += strips_.result_step())
          rows.starts[r] -= *pixel;
      }
    }
  }

  // The chunks run slowest and the blocks fastest, so that the weights of a chunk and the tables of
  // a tile stay in the nearest cache.
  void multiply(const Frame& frame, const Place& at, const Rows& rows) const noexcept {
    const std::size_t begin = weights_.blocks() * at.part / strips_.parts();
    const std::size_t end = weights_.blocks() * (at.part + 1) / strips_.parts();
    const std::size_t results = at.end - at.first;
    const std::size_t tiles = (results + kByteRows - 1) / kByteRows;
    // Tiles of sizes that differ by one at most.
    const std::size_t least = results / tiles;
    const std::size_t longer = results % tiles;
    const std::size_t chunks = weights_.chunks();
    find_starts(at, rows);
    for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
      const std::int32_t* const offsets = rows.offsets + chunk * kMostTurns * kTurnTables;
      const std::size_t count = weights_.turns_of(chunk) * kTurnTables;
      std::size_t first = 0;
      for (std::size_t tile = 0; tile < tiles; ++tile) {
        const std::uint16_t* tables[kByteRows];
        const std::size_t size = least + (tile < longer ? 1 : 0);
        for (std::size_t r = 0; r < size; ++r) {
          tables[r] = rows.tables + (first + r) * strips_.result_step() * pixel_size_;
        }
        for (std::size_t block = begin; block < end; ++block) {
          frame.kernels->look_up_bytes({tables, size, offsets, count},
                                       weights_.words(at.group, chunk, block),
                                       chunk == 0 ? rows.starts + first : nullptr,
                                       stride_,
                                       rows.sums + first * stride_ + block * kByteOutputs);
        }
        first += size;
      }
    }
    const std::size_t output = begin * kByteOutputs;
    const std::size_t channel = at.group * shape_.group_outputs() + output;
    const std::size_t pixel =
        (at.sample * strips_.rows() + at.row) * size_of(shape_.x.output) + at.first;
    const std::size_t out = pixel * shape_.out_channels + channel;
    Finish finish{.count = results,
                  .outputs = std::min(weights_.outputs(), end * kByteOutputs) - output,
                  .sums_stride = stride_,
                  .scale = affine_.scale.data() + channel,
                  .bias = affine_.shift.data() + channel,
                  .stride = shape_.out_channels,
                  .activation = activation_,
                  .out = frame.write(output_) + out};
    if (residual_ >= 0) finish.residual = frame.read(residual_) + out;
    const float scale = frame.read_as<InputScale>(input_scale_)[at.sample].scale;
    frame.kernels->finish_int8(rows.sums + output, rows.zeros + output, scale * unit_, finish);
  }

  ByteLookupWeights weights_;
  // Where the tables of a row of the window lie, counted from its first pixel.
  std::vector<std::int32_t> offsets_;
  OutputAffine affine_;
  float unit_;
  Activation activation_;
  int input_;
  int input_scale_;
  Plane plane_;
  int residual_;  // below 0 for none
  int output_;
  double products_;
  ConvShape shape_;
  std::size_t pixel_size_;  // sums of a pixel's tables
  LookupStrips strips_;
  std::size_t row_pixels_;  // of a row of the widest strip that have tables
  std::size_t stride_;      // outputs of all blocks
};

// Whether lookup takes less time than products. In cycles for a window: a table takes five to be
// made, for all windows that it is part of, and three to be looked up for a block of outputs; the
// products of four inputs with 16 outputs take 0.55.
bool pays(const ConvShape& shape) {
  const std::size_t tables = byte_tables(shape.group_inputs());
  const std::size_t taps = size_of(shape.y.kernel * shape.x.kernel);
  const std::size_t lookups = (tables * taps + kTurnTables - 1) / kTurnTables * kTurnTables;
  const std::size_t blocks = (shape.group_outputs() + kByteOutputs - 1) / kByteOutputs;
  const std::size_t groups = (shape.group_inputs() + kGroupInputs - 1) / kGroupInputs * taps;
  const std::size_t words = (shape.group_outputs() + kWordOutputs - 1) / kWordOutputs;
  // Pixels that have tables, for each window.
  std::size_t pixels = 1;
  if (shape.x.kernel > 1) pixels *= size_of(shape.x.stride);
  if (shape.y.kernel > 1) pixels *= size_of(shape.y.stride);
  return 100 * (3 * lookups * blocks + 5 * tables * pixels) < 55 * groups * words;
}

// Of the tables of one window, and of what lies between its elements.
double window_bytes(const ConvShape& shape) {
  const std::ptrdiff_t height = (shape.y.kernel - 1) * shape.y.dilation + 1;
  const std::ptrdiff_t width = (shape.x.kernel - 1) * shape.x.dilation + 1;
  return static_cast<double>(height) * static_cast<double>(width) *
         static_cast<double>(byte_tables(shape.group_inputs()) * kSubsetSums *
                             sizeof(std::uint16_t));
}

}  // namespace

bool make_byte_lookup_conv(const StepRequest& request, const ConvShape& shape) {
  PlanBuilder& plan = *request.plan;
  if (plan.kernels().look_up_bytes == nullptr) return false;
  const Operand& operand = request.inputs[1];
  WeightOrder order{
      .outputs = shape.group_outputs(),
      .output_step = static_cast<std::size_t>(element_count(operand.shape) / operand.shape[0]),
      .inputs = {}};
  if (lookup_inputs(*operand.constant, order) != kBinaryInputs || !pays(shape) ||
      window_bytes(shape) > kWindowBytes) {
    return false;
  }
  const auto& tensor = std::get<LowBitTensor>(*operand.constant);
  const float unit = tensor.codebook.levels().back();
  // As for products of integers (product_weights.cc).
  if (unit < FLT_MIN || 255 * order.output_step >
                            static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    return false;
  }

  // Tables are looked up row by row of the window; of a row, those of as many inputs as a call of
  // the kernel takes, for one column after the other: neighbouring results share them.
  const std::size_t columns = size_of(shape.x.kernel);
  const std::size_t tables = byte_tables(shape.group_inputs());
  const std::size_t slab = std::max<std::size_t>(1, kMostTurns * kTurnTables / columns);
  const std::size_t rows = size_of(shape.y.kernel);
  std::vector<std::int32_t> offsets;
  std::vector<std::uint32_t> places(tables * rows * columns);
  for (std::size_t first = 0; first < tables; first += slab) {
    for (std::size_t kx = 0; kx < columns; ++kx) {
      for (std::size_t t = first; t < std::min(tables, first + slab); ++t) {
        for (std::size_t ky = 0; ky < rows; ++ky) {
          places[(t * rows + ky) * columns + kx] =
              static_cast<std::uint32_t>(ky * columns * tables + offsets.size());
        }
        offsets.push_back(
            static_cast<std::int32_t>((kx * size_of(shape.x.dilation) * tables + t) * kSubsetSums));
      }
    }
  }
  ByteLookupWeights weights(tensor, order, shape.groups, shape.group_inputs(), places);
  const Prepared input = request.preparations->plane(
      request.node->inputs[0], request.inputs[0].slot, shape.plane(), true);
  plan.add_step(std::make_unique<ByteLookupConvStep>(
                    request, shape, unit, std::move(weights), std::move(offsets), input),
                {input.slot, input.scale, request.fused.residual.slot, request.output.slot});
  return true;
}

}  // namespace lastbit
