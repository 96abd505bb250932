#include <utility>

#include "lastbit/runtime/matrix_product.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"

// Gemm, and MatMul with a constant matrix.

namespace lastbit {
namespace {

struct LinearInput {
  int slot = -1;
  int scales = -1;  // of an InputScale a row; below 0 for floats
};

// A unit is a block of columns, for all rows.
class LinearStep final : public Step {
 public:
  LinearStep(const StepRequest& request, MatrixProduct product, const LinearInput& input, int added)
      : product_(std::move(product)),
        input_(input),
        added_(added),
        residual_(request.fused.residual.slot),
        output_(request.output.slot) {}

  std::size_t units() const noexcept override { return product_.blocks(); }
  double work() const noexcept override {
    return static_cast<double>(product_.layout().rows) * static_cast<double>(product_.outputs()) *
           static_cast<double>(product_.layout().depth);
  }
  double products() const noexcept override { return work(); }
  std::size_t weight_bytes() const noexcept override { return product_.weight_bytes(); }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    ProductRows rows{.values = frame.read(input_.slot),
                     .count = product_.layout().rows,
                     .out = frame.write(output_),
                     .stride = product_.outputs()};
    if (input_.scales >= 0) rows.scales = frame.read_as<InputScale>(input_.scales);
    if (residual_ >= 0) rows.residual = frame.read(residual_);
    if (added_ >= 0) rows.added = frame.read(added_);
    product_.run(*frame.kernels, rows, begin, end);
  }

 private:
  MatrixProduct product_;
  LinearInput input_;
  int added_;  // below 0 for none, as the residual
  int residual_;
  int output_;
};

// The input in the form that the product reads.
LinearInput prepare_rows(const StepRequest& request, const RowsLayout& layout, bool integers) {
  PlanBuilder& plan = *request.plan;
  const int from = request.inputs[0].slot;
  LinearInput input{.slot = from};
  if (integers) {
    input.slot = plan.add_buffer(layout.rows * layout.stored);
    input.scales = plan.add_buffer(layout.rows * sizeof(InputScale));
    plan.add_step(make_quantize_rows(from, input.slot, input.scales, layout),
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
  const bool integers = int8 && weights.integers();
  layout.stored = order.inputs.size();
  layout = product_layout(weights, layout, integers);
  const LinearInput input = prepare_rows(request, layout, integers);
  OutputAffine affine(weights.scales(alpha), bias, request.fused);
  MatrixProduct product(
      std::move(weights), std::move(affine), request.fused.activation, layout, integers, addend);
  request.plan->add_step(
      std::make_unique<LinearStep>(request, std::move(product), input, addend.slot),
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

void add_rows_product(const StepRequest& request,
                      const WeightOrder& order,
                      const RowsLayout& layout,
                      std::span<const float> bias) {
  add_product(request, order, layout, 1.0F, bias, {});
}

}  // namespace lastbit
