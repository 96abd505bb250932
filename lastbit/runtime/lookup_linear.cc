#include <algorithm>
#include <utility>

#include "lastbit/runtime/affine.h"
#include "lastbit/runtime/lookup_weights.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"
#include "lastbit/runtime/prepare.h"

// Gemm, and MatMul with a constant matrix, of floats by lookup (kernels/lookup.h).

namespace lastbit {
namespace {

// Of the tables of rows that are multiplied by all weights in turn, which then stay in the
// second-level cache; and of all rows: for more the memory would grow too much.
constexpr std::size_t kNearBytes = std::size_t{448} << 10U;
constexpr std::size_t kMostBytes = std::size_t{4} << 20U;

// Makes the tables of rows of `depth` inputs.
class TablesStep final : public Step {
 public:
  TablesStep(int input, int tables, std::size_t rows, std::size_t depth, std::size_t inputs)
      : input_(input), tables_(tables), rows_(rows), depth_(depth), inputs_(inputs) {}

  std::size_t units() const noexcept override { return rows_; }
  double work() const noexcept override { return kMove * static_cast<double>(rows_ * depth_); }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    frame.kernels->make_tables(
        {.x = frame.read(input_) + begin * depth_,
         .pixels = end - begin,
         .stride = depth_,
         .count = depth_,
         .inputs = inputs_,
         .tables = frame.write(tables_) + begin * tables_of(depth_, inputs_) * kTableSums});
  }

 private:
  int input_;
  int tables_;
  std::size_t rows_;
  std::size_t depth_;
  std::size_t inputs_;
};

// A unit is a few rows, and as many blocks of columns as a kernel of vectors takes.
class LookupLinearStep final : public Step {
 public:
  LookupLinearStep(const StepRequest& request,
                   LookupWeights weights,
                   OutputAffine affine,
                   RowsLayout layout,
                   std::size_t tables,
                   int tables_slot)
      : weights_(std::move(weights)),
        affine_(std::move(affine)),
        activation_(request.fused.activation),
        layout_(layout),
        tables_(tables_slot),
        residual_(request.fused.residual.slot),
        output_(request.output.slot),
        row_floats_(tables * kTableSums),
        near_rows_(std::max(kLookupRows, kNearBytes / (row_floats_ * sizeof(float)))) {
    for (std::size_t t = 0; t < tables; ++t) {
      offsets_.push_back(static_cast<std::int32_t>(t * kTableSums));
    }
  }

  std::size_t units() const noexcept override {
    return (layout_.rows + near_rows_ - 1) / near_rows_ * runs();
  }
  double work() const noexcept override { return products(); }
  double products() const noexcept override {
    return static_cast<double>(layout_.rows) * static_cast<double>(weights_.outputs()) *
           static_cast<double>(layout_.depth);
  }
  std::size_t weight_bytes() const noexcept override { return weights_.bytes(); }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    for (std::size_t unit = begin; unit < end; ++unit) {
      const std::size_t row = unit / runs() * near_rows_;
      const std::size_t row_end = std::min(layout_.rows, row + near_rows_);
      const std::size_t block = unit % runs() * kVectorBlocks;
      const std::size_t block_end = std::min(weights_.blocks(), block + kVectorBlocks);
      if (layout_.rows == 1 && block_end - block == kVectorBlocks &&
          weights_.block(block_end - 1).width == kLookupWords) {
        multiply_vector(frame, block);
        continue;
      }
      for (std::size_t b = block; b < block_end; ++b) multiply_rows(frame, b, row, row_end);
    }
  }

 private:
  std::size_t runs() const noexcept {
    return (weights_.blocks() + kVectorBlocks - 1) / kVectorBlocks;
  }

  void finish(const Frame& frame,
              const float* sums,
              std::size_t block,
              std::size_t row,
              std::size_t count) const noexcept {
    const std::size_t column = block * kLookupOutputs;
    const std::size_t out = row * weights_.outputs() + column;
    Finish finish{.count = count,
                  .outputs = weights_.outputs_of(block),
                  .sums_stride = weights_.block(block).width * kWordOutputs,
                  .scale = affine_.scale.data() + column,
                  .bias = affine_.shift.data() + column,
                  .stride = weights_.outputs(),
                  .activation = activation_,
                  .out = frame.write(output_) + out};
    if (residual_ >= 0) finish.residual = frame.read(residual_) + out;
    frame.kernels->finish_float(sums, finish);
  }

  void multiply_vector(const Frame& frame, std::size_t block) const noexcept {
    alignas(64) float sums[kVectorBlocks * kLookupOutputs];
    frame.kernels->look_up_vector(
        frame.read(tables_), offsets_.size(), weights_.block(block).words, sums);
    for (std::size_t b = 0; b < kVectorBlocks; ++b) {
      finish(frame, sums + b * kLookupOutputs, block + b, 0, 1);
    }
  }

  void multiply_rows(const Frame& frame,
                     std::size_t block,
                     std::size_t row,
                     std::size_t end) const noexcept {
    alignas(64) float sums[kLookupRows * kLookupOutputs];
    const float* tables[kLookupRows];
    for (; row < end; row += kLookupRows) {
      const std::size_t count = std::min(kLookupRows, end - row);
      for (std::size_t r = 0; r < count; ++r) {
        tables[r] = frame.read(tables_) + (row + r) * row_floats_;
      }
      frame.kernels->look_up(
          {tables, count, offsets_.data(), offsets_.size()}, weights_.block(block), sums);
      finish(frame, sums, block, row, count);
    }
  }

  LookupWeights weights_;
  OutputAffine affine_;
  Activation activation_;
  RowsLayout layout_;
  int tables_;
  int residual_;  // below 0 for none
  int output_;
  std::size_t row_floats_;             // of a row's tables
  std::size_t near_rows_;              // multiplied by all weights in turn
  std::vector<std::int32_t> offsets_;  // (tables of a row)
};

}  // namespace

bool make_lookup_product(const StepRequest& request,
                         const WeightOrder& matrix,
                         const RowsLayout& layout,
                         float alpha,
                         std::span<const float> bias) {
  PlanBuilder& plan = *request.plan;
  if (plan.kernels().look_up == nullptr || layout.transposed) return false;
  const Initializer& constant = *request.inputs[1].constant;
  const std::size_t inputs = lookup_inputs(constant, matrix);
  if (inputs == 0 || !lookup_pays(layout.depth, inputs, matrix.outputs, 1.0)) return false;
  const std::size_t tables = tables_of(layout.depth, inputs);
  const std::size_t bytes = layout.rows * tables * kTableSums * sizeof(float);
  if (bytes > kMostBytes) return false;

  WeightOrder order = matrix;
  order.inputs.resize(layout.depth);
  order.inputs.resize(tables * inputs, -1);
  LookupWeights weights(std::get<LowBitTensor>(constant), order);
  std::vector<float> scales;
  for (const float scale : weights.scales()) scales.push_back(alpha * scale);
  OutputAffine affine(std::move(scales), bias, request.fused);
  const int input = request.inputs[0].slot;
  const int slot = plan.add_buffer(bytes);
  plan.add_step(std::make_unique<TablesStep>(input, slot, layout.rows, layout.depth, inputs),
                {input, slot},
                "tables");
  plan.add_step(std::make_unique<LookupLinearStep>(
                    request, std::move(weights), std::move(affine), layout, tables, slot),
                {slot, request.fused.residual.slot, request.output.slot});
  return true;
}

}  // namespace lastbit
