#include <algorithm>
#include <utility>

#include "lastbit/base/vectorize.h"
#include "lastbit/runtime/affine.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"
#include "lastbit/runtime/prepare.h"
#include "lastbit/runtime/product_weights.h"

// Gemm, and MatMul with a constant matrix.

namespace lastbit {
namespace {

// Up to so many rows are multiplied one by one: a tile of fewer takes as long for each weight.
constexpr std::size_t kVectorRows = 2;

// Blocks that a kernel of vectors takes at once, to have enough sums under way.
constexpr std::size_t kVectorRun = 8;

// A summand that is no bias: computed, or different in each row.
struct Addend {
  int slot = -1;
  float factor = 1.0F;
  std::size_t row_stride = 0;
  std::size_t column_stride = 0;
};

// to = factor * from + offset, where sums fit in 32 bits although parts of them may not.
LASTBIT_VECTORIZE void scale_sums(const std::int32_t* __restrict from,
                                  std::size_t count,
                                  std::uint32_t factor,
                                  std::uint32_t offset,
                                  std::int32_t* __restrict to) {
  for (std::size_t i = 0; i < count; ++i) {
    to[i] = static_cast<std::int32_t>(factor * static_cast<std::uint32_t>(from[i]) + offset);
  }
}

struct LinearInput {
  int slot = -1;
  int scales = -1;  // of an InputScale a row; below 0 for floats
  RowsLayout layout;
};

// result[i, j] = activation(sum over k of input[i, k] * weights[j, k] + bias[j]). A unit is a
// block of columns, for all rows.
class LinearStep final : public Step {
 public:
  LinearStep(const StepRequest& request,
             ProductWeights weights,
             OutputAffine affine,
             const LinearInput& input,
             const Addend& addend)
      : weights_(std::move(weights)),
        affine_(std::move(affine)),
        activation_(request.fused.activation),
        addend_(addend),
        input_(input),
        residual_(request.fused.residual.slot),
        output_(request.output.slot) {
    for (std::size_t g = 0; g < weights_.groups(); ++g) {
      offsets_.push_back(static_cast<std::int32_t>(g * kGroupInputs));
    }
    const std::int8_t* levels = weights_.levels();
    const std::int32_t codes = weights_.integers() ? weights_.codes() : 0;
    if (weights_.bits() > 4 || codes == 0) return;
    const std::int8_t lowest = *std::min_element(levels, levels + codes);
    lowest_ = lowest;
    for (std::int32_t code = 0; code < 16; ++code) {
      values_[code] = static_cast<std::uint8_t>(levels[code] - lowest_);
      values_are_codes_ = values_are_codes_ && (code >= codes || values_[code] == code);
    }
  }

  std::size_t units() const noexcept override { return weights_.blocks(); }
  double work() const noexcept override {
    return static_cast<double>(input_.layout.rows) * static_cast<double>(weights_.outputs()) *
           static_cast<double>(input_.layout.depth);
  }
  double products() const noexcept override { return work(); }
  std::size_t weight_bytes() const noexcept override { return weights_.bytes(); }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    for (std::size_t block = begin; block < end;) {
      std::size_t blocks = 1;
      if (by_vectors()) {
        while (block + blocks < end && blocks < kVectorRun &&
               weights_.block(block + blocks).width == weights_.block(block).width) {
          ++blocks;
        }
        for (std::size_t row = 0; row < input_.layout.rows; ++row) {
          multiply_vector(frame, block, blocks, row);
        }
      } else {
        for (std::size_t row = 0; row < input_.layout.rows; row += kTileRows) {
          multiply_tile(frame, block, row, std::min(kTileRows, input_.layout.rows - row));
        }
      }
      block += blocks;
    }
  }

 private:
  bool by_vectors() const noexcept {
    return input_.scales < 0 ? input_.layout.rows <= kVectorRows : input_.layout.as_signed;
  }

  Finish finish_of(const Frame& frame,
                   std::size_t block,
                   std::size_t row,
                   std::size_t count) const noexcept {
    const std::size_t columns = weights_.outputs();
    const std::size_t column = block * kBlockOutputs;
    Finish finish{
        .count = count,
        .outputs = weights_.outputs_of(block),
        .sums_stride = static_cast<std::size_t>(weights_.block(block).width) * kWordOutputs,
        .scale = affine_.scale.data() + column,
        .bias = affine_.shift.data() + column,
        .stride = columns,
        .activation = addend_.slot < 0 ? activation_ : Activation{},
        .out = frame.write(output_) + row * columns + column};
    if (residual_ >= 0) finish.residual = frame.read(residual_) + row * columns + column;
    return finish;
  }

  void multiply_vector(const Frame& frame,
                       std::size_t block,
                       std::size_t blocks,
                       std::size_t row) const noexcept {
    alignas(64) float floats[kVectorRun * kBlockOutputs];
    alignas(64) std::int32_t integers[kVectorRun * kBlockOutputs];
    const WeightBlock words = weights_.block(block);
    if (input_.scales < 0) {
      const float* x = frame.read(input_.slot) + row * input_.layout.stored;
      frame.kernels->vector_float(x, offsets_.size(), words, blocks, floats);
    } else {
      const auto* x = frame.read_as<std::int8_t>(input_.slot) + row * input_.layout.stored;
      frame.kernels->vector_int8(
          x, offsets_.size(), words, blocks, values_are_codes_ ? nullptr : values_, integers);
    }
    for (std::size_t i = 0; i < blocks; ++i) {
      const Finish finish = finish_of(frame, block + i, row, 1);
      if (input_.scales < 0) {
        frame.kernels->finish_float(floats + i * finish.sums_stride, finish);
      } else {
        finish_signed(frame, integers + i * finish.sums_stride, block + i, row, finish);
      }
      if (addend_.slot >= 0) add(frame, row, (block + i) * kBlockOutputs, finish);
    }
  }

  void multiply_tile(const Frame& frame,
                     std::size_t block,
                     std::size_t row,
                     std::size_t count) const noexcept {
    const WeightBlock words = weights_.block(block);
    const Finish finish = finish_of(frame, block, row, count);
    const std::size_t column = block * kBlockOutputs;
    if (input_.scales < 0) {
      multiply_floats(frame, words, row, finish);
    } else {
      multiply_integers(frame, words, row, column, finish);
    }
    if (addend_.slot >= 0) add(frame, row, column, finish);
  }

  void multiply_floats(const Frame& frame,
                       const WeightBlock& words,
                       std::size_t row,
                       const Finish& finish) const noexcept {
    alignas(64) float sums[kTileRows * kBlockOutputs];
    const float* rows[kTileRows];
    for (std::size_t r = 0; r < finish.count; ++r) {
      rows[r] = frame.read(input_.slot) + (row + r) * input_.layout.stored;
    }
    frame.kernels->tile_float({rows, finish.count, offsets_.data(), offsets_.size()}, words, sums);
    frame.kernels->finish_float(sums, finish);
  }

  // sum of level * (x - zero) = sum of level * x - zero * (sum of levels)
  void multiply_integers(const Frame& frame,
                         const WeightBlock& words,
                         std::size_t row,
                         std::size_t column,
                         Finish finish) const noexcept {
    alignas(64) std::int32_t sums[kTileRows * kBlockOutputs];
    const std::uint8_t* rows[kTileRows];
    for (std::size_t r = 0; r < finish.count; ++r) {
      rows[r] = frame.read_as<std::uint8_t>(input_.slot) + (row + r) * input_.layout.stored;
    }
    frame.kernels->tile_int8({rows, finish.count, offsets_.data(), offsets_.size()}, words, sums);
    const std::size_t count = std::exchange(finish.count, 1);
    for (std::size_t r = 0; r < count; ++r) {
      const InputScale& scale = frame.read_as<InputScale>(input_.scales)[row + r];
      std::int32_t zeros[kBlockOutputs];
      scale_sums(weights_.level_sums().data() + column,
                 finish.outputs,
                 static_cast<std::uint32_t>(scale.zero),
                 0,
                 zeros);
      frame.kernels->finish_int8(
          sums + r * finish.sums_stride, zeros, scale.scale * weights_.unit(), finish);
      finish.out += finish.stride;
      if (finish.residual != nullptr) finish.residual += finish.stride;
    }
  }

  // With level = value + lowest, and x as x - 128:
  // sum of level * (x - zero) = sum of value * (x - 128) + (128 - zero) * (sum of values)
  //                             + lowest * sum of (x - zero)
  void finish_signed(const Frame& frame,
                     const std::int32_t* sums,
                     std::size_t block,
                     std::size_t row,
                     const Finish& finish) const noexcept {
    const InputScale& scale = frame.read_as<InputScale>(input_.scales)[row];
    std::int32_t zeros[kBlockOutputs];
    const auto factor = static_cast<std::uint32_t>(scale.zero - 128);
    const std::uint32_t inputs = factor * static_cast<std::uint32_t>(input_.layout.stored) +
                                 static_cast<std::uint32_t>(scale.sum);
    scale_sums(weights_.level_sums().data() + block * kBlockOutputs,
               finish.outputs,
               factor,
               static_cast<std::uint32_t>(-lowest_) * inputs,
               zeros);
    frame.kernels->finish_int8(sums, zeros, scale.scale * weights_.unit(), finish);
  }

  void add(const Frame& frame,
           std::size_t row,
           std::size_t column,
           const Finish& finish) const noexcept {
    const float* from = frame.read(addend_.slot);
    for (std::size_t r = 0; r < finish.count; ++r) {
      float* to = finish.out + r * finish.stride;
      for (std::size_t o = 0; o < finish.outputs; ++o) {
        to[o] += addend_.factor *
                 from[(row + r) * addend_.row_stride + (column + o) * addend_.column_stride];
      }
      frame.kernels->activate(activation_, to, finish.outputs);
    }
  }

  ProductWeights weights_;
  OutputAffine affine_;
  Activation activation_;
  Addend addend_;
  LinearInput input_;
  int residual_;
  int output_;
  std::vector<std::int32_t> offsets_;
  std::uint8_t values_[16] = {};  // of each code: its integer level less the lowest
  bool values_are_codes_ = true;
  std::int32_t lowest_ = 0;
};

// Elements of the matrix [outputs, depth], which may lie as [depth, outputs].
WeightOrder matrix_order(std::size_t outputs, std::size_t depth, bool transposed) {
  WeightOrder order;
  order.outputs = outputs;
  order.output_step = transposed ? 1 : depth;
  const std::size_t stored = (depth + kGroupInputs - 1) / kGroupInputs * kGroupInputs;
  for (std::size_t k = 0; k < stored; ++k) {
    order.inputs.push_back(k >= depth ? -1
                                      : static_cast<std::int64_t>(transposed ? k * outputs : k));
  }
  return order;
}

// The input in the form that the product reads.
LinearInput prepare_rows(const StepRequest& request,
                         const ProductWeights& weights,
                         RowsLayout layout,
                         bool integers) {
  PlanBuilder& plan = *request.plan;
  const int from = request.inputs[0].slot;
  LinearInput input{.slot = from, .layout = layout};
  if (integers) {
    input.layout.as_signed =
        layout.rows <= kVectorRows && weights.bits() <= 4 && weights.groups() <= kVectorGroups;
    input.slot = plan.add_buffer(layout.rows * layout.stored);
    input.scales = plan.add_buffer(layout.rows * sizeof(InputScale));
    plan.add_step(make_quantize_rows(from, input.slot, input.scales, input.layout),
                  {from, input.slot, input.scales},
                  "quantize");
  } else if (layout.transposed || layout.stored != layout.depth) {
    input.slot = plan.add_buffer(layout.rows * layout.stored * sizeof(float));
    plan.add_step(make_copy_rows(from, input.slot, layout), {from, input.slot}, "pad");
  }
  return input;
}

void add_product(const StepRequest& request,
                 const WeightOrder& order,
                 RowsLayout layout,
                 float alpha,
                 std::span<const float> bias,
                 const Addend& addend) {
  const bool int8 = request.plan->options().activations == Activations::kInt8;
  if (!int8 && addend.slot < 0 && make_lookup_product(request, order, layout, alpha, bias)) return;
  ProductWeights weights(*request.inputs[1].constant, order, int8);
  layout.stored = order.inputs.size();
  const LinearInput input = prepare_rows(request, weights, layout, int8 && weights.integers());
  std::vector<float> scales;
  for (std::size_t o = 0; o < order.outputs; ++o) scales.push_back(alpha * weights.scale(o));
  OutputAffine affine(std::move(scales), bias, request.fused);
  request.plan->add_step(
      std::make_unique<LinearStep>(request, std::move(weights), std::move(affine), input, addend),
      {input.slot, input.scales, addend.slot, request.fused.residual.slot, request.output.slot});
}

}  // namespace

void make_gemm(const StepRequest& request) {
  const Node& node = *request.node;
  const Shape& weights = request.inputs[1].shape;
  const bool by_rows = int_attribute(node, "transB", 0) != 0;
  const auto columns = static_cast<std::size_t>(weights[by_rows ? 0 : 1]);
  const auto depth = static_cast<std::size_t>(weights[by_rows ? 1 : 0]);
  const RowsLayout layout{.rows = static_cast<std::size_t>(request.output.shape[0]),
                          .depth = depth,
                          .transposed = int_attribute(node, "transA", 0) != 0};
  // ONNX leaves out the term for a beta of 0, whatever the bias holds.
  const float beta = float_attribute(node, "beta", 1.0F);
  std::vector<float> bias;
  Addend addend;
  if (request.inputs[2].present() && beta != 0.0F) {
    Shape shape = request.inputs[2].shape;
    shape.insert(shape.begin(), 2 - shape.size(), 1);
    if (request.inputs[2].constant != nullptr && shape[0] == 1) {
      bias = constant_floats(request.inputs[2]);
      if (bias.size() == 1) bias.assign(columns, float{bias.front()});
      for (float& value : bias) value *= beta;
    } else {
      addend = {.slot = request.plan->slot_of(request.inputs[2]),
                .factor = beta,
                .row_stride = shape[0] == 1 ? 0 : static_cast<std::size_t>(shape[1]),
                .column_stride = shape[1] == 1 ? std::size_t{0} : std::size_t{1}};
    }
  }
  add_product(request,
              matrix_order(columns, depth, !by_rows),
              layout,
              float_attribute(node, "alpha", 1.0F),
              bias,
              addend);
}

void make_matmul(const StepRequest& request) {
  const Operand& right = request.inputs[1];
  if (right.slot >= 0) return make_computed_matmul(request);
  const auto depth = static_cast<std::size_t>(right.shape.front());
  const std::size_t columns =
      right.shape.size() == 1 ? 1 : static_cast<std::size_t>(right.shape.back());
  const RowsLayout layout{
      .rows = static_cast<std::size_t>(element_count(request.inputs[0].shape)) / depth,
      .depth = depth};
  add_product(request, matrix_order(columns, depth, right.shape.size() == 2), layout, 1.0F, {}, {});
}

}  // namespace lastbit
