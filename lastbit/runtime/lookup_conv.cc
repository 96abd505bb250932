#include <algorithm>
#include <utility>

#include "lastbit/runtime/affine.h"
#include "lastbit/runtime/conv_shape.h"
#include "lastbit/runtime/lookup_strips.h"
#include "lastbit/runtime/lookup_weights.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"

// Convolutions of floats by lookup (kernels/lookup.h).

namespace lastbit {
namespace {

std::size_t size_of(std::ptrdiff_t size) { return static_cast<std::size_t>(size); }

// Those of one window at most.
constexpr double kWindowBytes = 4 << 20;
class LookupConvStep final : public Step {
 public:
  LookupConvStep(const StepRequest& request,
                 const ConvShape& shape,
                 std::size_t inputs,
                 std::vector<LookupWeights> weights)
      : weights_(std::move(weights)),
        affine_(scales(), constant_floats(request.inputs[2]), request.fused),
        activation_(request.fused.activation),
        input_(request.inputs[0].slot),
        residual_(request.fused.residual.slot),
        output_(request.output.slot),
        shape_(shape),
        inputs_(inputs),
        pixel_tables_(tables_of(shape.group_inputs(), inputs)),
        strips_(shape,
                weights_.front().blocks(),
                kLookupRows,
                pixel_floats() * sizeof(float),
                static_cast<std::size_t>(request.plan->options().threads)),
        lookups_(size_of(shape.y.kernel * shape.x.kernel) * pixel_tables_) {}

  std::size_t units() const noexcept override { return strips_.units(); }
  double work() const noexcept override { return products(); }
  double products() const noexcept override {
    const double window = static_cast<double>(shape_.y.kernel * shape_.x.kernel) *
                          static_cast<double>(shape_.group_inputs());
    return window * static_cast<double>(shape_.batch * shape_.pixels()) *
           static_cast<double>(shape_.out_channels);
  }
  std::size_t weight_bytes() const noexcept override {
    std::size_t bytes = 0;
    for (const LookupWeights& weights : weights_) bytes += weights.bytes();
    return bytes;
  }
  std::size_t scratch_floats() const noexcept override {
    return ring_floats() + strips_.results() * kLookupOutputs + lookups_ + strips_.ring();
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int worker) const noexcept override {
    Rows rows;
    rows.tables = frame.scratch_of(worker);
    rows.sums = rows.tables + ring_floats();
    rows.offsets = reinterpret_cast<std::int32_t*>(rows.sums + strips_.results() * kLookupOutputs);
    rows.made = rows.offsets + lookups_;
    for (std::size_t unit = begin; unit < end; ++unit) {
      const Place at = strips_.place(unit);
      if (unit == begin || at.row == 0) std::fill_n(rows.made, strips_.ring(), -1);
      make_rows(frame, at, rows);
      multiply(frame, at, rows);
    }
  }

 private:
  using Place = LookupStrips::Place;

  // What a worker keeps from row to row.
  struct Rows {
    float* tables;          // (ring, columns, tables of a pixel, sums of a table)
    float* sums;            // (results, kLookupOutputs)
    std::int32_t* offsets;  // (lookups)
    std::int32_t* made;     // (ring): the row whose tables it holds, counted from the border's
  };

  std::vector<float> scales() const {
    std::vector<float> result;
    for (const LookupWeights& weights : weights_) {
      result.insert(result.end(), weights.scales().begin(), weights.scales().end());
    }
    return result;
  }

  std::size_t pixel_floats() const noexcept { return pixel_tables_ * kTableSums; }
  std::size_t row_floats() const noexcept {
    return strips_.pixels(strips_.results()) * pixel_floats();
  }
  std::size_t ring_floats() const noexcept { return strips_.ring() * row_floats(); }

  // Makes the tables of all rows that the window touches and that are not there yet, and finds
  // where they lie.
  void make_rows(const Frame& frame, const Place& at, const Rows& rows) const noexcept {
    std::int32_t* offset = rows.offsets;
    for (std::ptrdiff_t ky = 0; ky < shape_.y.kernel; ++ky) {
      const std::size_t row =
          at.row * size_of(shape_.y.stride) + size_of(ky * shape_.y.dilation);  // of the window
      const std::size_t place = row % strips_.ring();
      float* const tables = rows.tables + place * row_floats();
      if (rows.made[place] != static_cast<std::int32_t>(row)) {
        make_row(frame, at, static_cast<std::ptrdiff_t>(row) - shape_.y.pad_begin, tables);
        rows.made[place] = static_cast<std::int32_t>(row);
      }
      for (std::ptrdiff_t kx = 0; kx < shape_.x.kernel; ++kx) {
        const std::size_t tap =
            place * row_floats() + size_of(kx * shape_.x.dilation) * pixel_floats();
        for (std::size_t t = 0; t < pixel_tables_; ++t) {
          *offset++ = static_cast<std::int32_t>(tap + t * kTableSums);
        }
      }
    }
  }

  // The tables of row `y` of the input, zeros where it is beyond the border.
  void make_row(const Frame& frame,
                const Place& at,
                std::ptrdiff_t y,
                float* tables) const noexcept {
    const auto count = static_cast<std::ptrdiff_t>(strips_.pixels(at.end - at.first));
    const auto step = static_cast<std::ptrdiff_t>(strips_.column_step());
    const std::ptrdiff_t x = shape_.x.position(static_cast<std::ptrdiff_t>(at.first), 0);
    // Columns [begin, end) of those with tables lie in the input.
    std::ptrdiff_t begin = x >= 0 ? 0 : std::min(count, (step - 1 - x) / step);
    std::ptrdiff_t end =
        x >= shape_.x.input ? begin : std::min(count, (shape_.x.input - x + step - 1) / step);
    if (y < 0 || y >= shape_.y.input) begin = end = 0;
    end = std::max(begin, end);
    std::fill_n(tables, size_of(begin) * pixel_floats(), 0.0F);
    std::fill_n(
        tables + size_of(end) * pixel_floats(), size_of(count - end) * pixel_floats(), 0.0F);
    if (begin == end) return;
    const std::size_t pixel =
        (at.sample * size_of(shape_.y.input) + size_of(y)) * size_of(shape_.x.input) +
        size_of(x + begin * step);
    frame.kernels->make_tables(
        {.x = frame.read(input_) + pixel * shape_.in_channels + at.group * shape_.group_inputs(),
         .pixels = size_of(end - begin),
         .stride = size_of(step) * shape_.in_channels,
         .count = shape_.group_inputs(),
         .inputs = inputs_,
         .tables = tables + size_of(begin) * pixel_floats()});
  }

  void multiply(const Frame& frame, const Place& at, const Rows& rows) const noexcept {
    const LookupWeights& weights = weights_[at.group];
    const std::size_t pixel =
        (at.sample * strips_.rows() + at.row) * size_of(shape_.x.output) + at.first;
    const std::size_t results = at.end - at.first;
    const std::size_t tiles = (results + kLookupRows - 1) / kLookupRows;
    const std::size_t block_end = weights.blocks() * (at.part + 1) / strips_.parts();
    for (std::size_t block = weights.blocks() * at.part / strips_.parts(); block < block_end;
         ++block) {
      const std::size_t channel = at.group * shape_.group_outputs() + block * kLookupOutputs;
      const LookupBlock words = weights.block(block);
      for (std::size_t tile = 0; tile < tiles; ++tile) {
        const float* tables[kLookupRows];
        const std::size_t first = results * tile / tiles;
        const std::size_t count = results * (tile + 1) / tiles - first;
        for (std::size_t r = 0; r < count; ++r) {
          tables[r] = rows.tables + (first + r) * strips_.result_step() * pixel_floats();
        }
        frame.kernels->look_up({tables, count, rows.offsets, lookups_},
                               words,
                               rows.sums + first * words.width * kWordOutputs);
      }
      const std::size_t out = pixel * shape_.out_channels + channel;
      Finish finish{.count = results,
                    .outputs = weights.outputs_of(block),
                    .sums_stride = words.width * kWordOutputs,
                    .scale = affine_.scale.data() + channel,
                    .bias = affine_.shift.data() + channel,
                    .stride = shape_.out_channels,
                    .activation = activation_,
                    .out = frame.write(output_) + out};
      if (residual_ >= 0) finish.residual = frame.read(residual_) + out;
      frame.kernels->finish_float(rows.sums, finish);
    }
  }

  std::vector<LookupWeights> weights_;  // (groups)
  OutputAffine affine_;
  Activation activation_;
  int input_;
  int residual_;  // below 0 for none
  int output_;
  ConvShape shape_;
  std::size_t inputs_;  // of a table
  std::size_t pixel_tables_;
  LookupStrips strips_;
  std::size_t lookups_;  // of a result
};

// Of the tables of one window, and of what lies between its elements.
double window_bytes(const ConvShape& shape, std::size_t inputs) {
  const std::ptrdiff_t height = (shape.y.kernel - 1) * shape.y.dilation + 1;
  const std::ptrdiff_t width = (shape.x.kernel - 1) * shape.x.dilation + 1;
  return static_cast<double>(height) * static_cast<double>(width) *
         static_cast<double>(tables_of(shape.group_inputs(), inputs) * kTableSums * sizeof(float));
}

// Windows that a table is part of, about.
double windows_of(const ConvShape& shape) {
  auto windows = static_cast<double>(shape.y.kernel * shape.x.kernel);
  if (shape.x.kernel > 1) windows /= static_cast<double>(shape.x.stride);
  if (shape.y.kernel > 1) windows /= static_cast<double>(shape.y.stride);
  return windows;
}

}  // namespace

bool make_lookup_conv(const StepRequest& request, const ConvShape& shape) {
  PlanBuilder& plan = *request.plan;
  if (plan.kernels().look_up == nullptr) return false;
  const Operand& operand = request.inputs[1];
  WeightOrder order{
      .outputs = shape.group_outputs(),
      .output_step = static_cast<std::size_t>(element_count(operand.shape) / operand.shape[0]),
      .inputs = {}};
  const std::size_t inputs = lookup_inputs(*operand.constant, order);
  if (inputs == 0 ||
      !lookup_pays(shape.group_inputs(), inputs, shape.group_outputs(), windows_of(shape)) ||
      window_bytes(shape, inputs) > kWindowBytes) {
    return false;
  }

  const std::size_t taps = size_of(shape.y.kernel * shape.x.kernel);
  for (std::size_t tap = 0; tap < taps; ++tap) {
    for (std::size_t c = 0; c < tables_of(shape.group_inputs(), inputs) * inputs; ++c) {
      order.inputs.push_back(c < shape.group_inputs() ? static_cast<std::int64_t>(c * taps + tap)
                                                      : -1);
    }
  }
  std::vector<LookupWeights> weights;
  for (std::size_t group = 0; group < shape.groups; ++group) {
    order.first = group * shape.group_outputs() * order.output_step;
    weights.emplace_back(std::get<LowBitTensor>(*operand.constant), order);
  }
  plan.add_step(std::make_unique<LookupConvStep>(request, shape, inputs, std::move(weights)),
                {request.inputs[0].slot, request.fused.residual.slot, request.output.slot});
  return true;
}

}  // namespace lastbit
