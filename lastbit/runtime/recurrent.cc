#include "lastbit/graph/recurrent.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lastbit/base/text.h"
#include "lastbit/runtime/matrix_product.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"

// LSTM and GRU. What the inputs come to is one product for all steps of time, made before; here the
// state goes from step to step.

namespace lastbit {
namespace {

using Kind = Activation::Kind;

// Where values lie; slots below 0 are not there.
struct RecurrentSlots {
  std::vector<int> inputs =
      {};                // (directions): what the inputs come to, [steps, batch, gates * hidden]
  int hidden = -1;       // initial_h
  int cell = -1;         // initial_c
  int all = -1;          // Y
  int last_hidden = -1;  // Y_h
  int last_cell = -1;    // Y_c
};

// A unit is a direction of up to kTileRows sequences of the batch, for all steps of time.
class RecurrentStep final : public Step {
 public:
  /// @param products  of the state, for each direction one; for a GRU two, of which the second is
  ///     that of the hidden gate.
  RecurrentStep(const Recurrent& shape, std::vector<MatrixProduct> products, RecurrentSlots slots)
      : shape_(shape),
        hidden_(static_cast<std::size_t>(shape.hidden)),
        batch_(static_cast<std::size_t>(shape.batch)),
        columns_(static_cast<std::size_t>(shape.gates) * hidden_),
        products_(std::move(products)),
        slots_(std::move(slots)),
        constants_(2 * hidden_, 0.0F) {
    std::fill_n(constants_.begin() + static_cast<std::ptrdiff_t>(hidden_), hidden_, -1.0F);
    const std::size_t rows = std::min(batch_, kTileRows);
    stored_ = products_.front().stored();
    // Kernels read whole vectors, and so beyond the last value.
    const auto take = [&](std::size_t floats) {
      return std::exchange(scratch_, scratch_ + (floats + 2 * kVector - 1) / kVector * kVector);
    };
    take(rows * stored_);  // of the state, at 0
    reset_at_ = take(rows * stored_);
    cell_at_ = take(rows * hidden_);
    gates_at_ = take(rows * columns_);
    bytes_at_ = take(rows * stored_ / sizeof(float));
    scales_at_ = take(rows * sizeof(InputScale) / sizeof(float));
  }

  std::size_t units() const noexcept override {
    return static_cast<std::size_t>(shape_.directions) * blocks();
  }
  double work() const noexcept override {
    return static_cast<double>(shape_.steps * shape_.directions) * static_cast<double>(batch_) *
           static_cast<double>(columns_) * static_cast<double>(hidden_);
  }
  double products() const noexcept override { return work(); }
  std::size_t scratch_floats() const noexcept override { return scratch_; }
  std::size_t weight_bytes() const noexcept override {
    std::size_t bytes = 0;
    for (const MatrixProduct& product : products_) bytes += product.weight_bytes();
    return bytes;
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int worker) const noexcept override {
    for (std::size_t unit = begin; unit < end; ++unit) {
      const std::size_t first = unit % blocks() * kTileRows;
      const Part part{.direction = unit / blocks(),
                      .first = first,
                      .rows = std::min(kTileRows, batch_ - first),
                      .state = frame.scratch_of(worker)};
      run_part(frame, part);
    }
  }

 private:
  static constexpr std::size_t kVector = 16;  // floats of the widest vector

  struct Part {
    std::size_t direction;
    std::size_t first;  // sequence
    std::size_t rows;
    float* state;  // (rows, stored): h; the scratch begins with it
  };

  std::size_t blocks() const noexcept { return (batch_ + kTileRows - 1) / kTileRows; }

  void run_part(const Frame& frame, const Part& part) const noexcept {
    // What goes beyond a row's values stays 0.
    std::fill_n(part.state, scratch_, 0.0F);
    const std::size_t at = (part.direction * batch_ + part.first) * hidden_;
    float* cell = part.state + cell_at_;
    if (slots_.hidden >= 0) {
      copy_rows(frame.read(slots_.hidden) + at, hidden_, part.state, stored_, part.rows);
    }
    if (slots_.cell >= 0) std::copy_n(frame.read(slots_.cell) + at, part.rows * hidden_, cell);
    const auto steps = static_cast<std::size_t>(shape_.steps);
    const bool backward = shape_.backward(static_cast<std::int64_t>(part.direction));
    for (std::size_t i = 0; i < steps; ++i) {
      const std::size_t step = backward ? steps - 1 - i : i;
      const float* inputs =
          frame.read(slots_.inputs[part.direction]) + (step * batch_ + part.first) * columns_;
      advance(*frame.kernels, part, inputs);
      if (slots_.all < 0) continue;
      const auto directions = static_cast<std::size_t>(shape_.directions);
      float* to = frame.write(slots_.all) +
                  ((step * directions + part.direction) * batch_ + part.first) * hidden_;
      copy_rows(part.state, stored_, to, hidden_, part.rows);
    }
    if (slots_.last_hidden >= 0) {
      copy_rows(part.state, stored_, frame.write(slots_.last_hidden) + at, hidden_, part.rows);
    }
    if (slots_.last_cell >= 0) {
      std::copy_n(cell, part.rows * hidden_, frame.write(slots_.last_cell) + at);
    }
  }

  void copy_rows(const float* from,
                 std::size_t from_stride,
                 float* to,
                 std::size_t to_stride,
                 std::size_t rows) const noexcept {
    for (std::size_t r = 0; r < rows; ++r) {
      std::copy_n(from + r * from_stride, hidden_, to + r * to_stride);
    }
  }

  // One step of time. @param inputs  (rows, columns)
  void advance(const KernelSet& kernels, const Part& part, const float* inputs) const noexcept {
    float* const gates = part.state + gates_at_;
    const MatrixProduct* products =
        products_.data() + part.direction * products_.size() / slots_.inputs.size();
    multiply_rows(kernels, part, products[0], part.state, inputs, gates);
    if (!shape_.lstm()) return finish_gru(kernels, part, products[1], inputs);
    for (std::size_t r = 0; r < part.rows; ++r) {
      finish_lstm(kernels,
                  gates + r * columns_,
                  part.state + cell_at_ + r * hidden_,
                  part.state + r * stored_);
    }
  }

  // The gates lie as input, output, forget, cell.
  void finish_lstm(const KernelSet& kernels,
                   float* gates,
                   float* cell,
                   float* state) const noexcept {
    float* const fresh = gates + 3 * hidden_;
    kernels.activate({.kind = Kind::kSigmoid}, gates, 3 * hidden_);
    kernels.activate({.kind = Kind::kTanh}, fresh, hidden_);
    multiply_add(kernels, gates, fresh, zeros(), fresh);
    multiply_add(kernels, gates + 2 * hidden_, cell, fresh, cell);
    std::copy_n(cell, hidden_, fresh);
    kernels.activate({.kind = Kind::kTanh}, fresh, hidden_);
    multiply_add(kernels, gates + hidden_, fresh, zeros(), state);
  }

  // The gates lie as update, reset, hidden; the first two are done.
  void finish_gru(const KernelSet& kernels,
                  const Part& part,
                  const MatrixProduct& product,
                  const float* inputs) const noexcept {
    float* const gates = part.state + gates_at_;
    float* const reset = part.state + reset_at_;
    const float* from = part.state;
    if (!shape_.reset_after) {
      for (std::size_t r = 0; r < part.rows; ++r) {
        multiply_add(kernels,
                     gates + r * columns_ + hidden_,
                     part.state + r * stored_,
                     zeros(),
                     reset + r * stored_);
      }
      from = reset;
    }
    const float* added = inputs + 2 * hidden_;
    multiply_rows(
        kernels, part, product, from, shape_.reset_after ? nullptr : added, gates + 2 * hidden_);
    for (std::size_t r = 0; r < part.rows; ++r) {
      float* update = gates + r * columns_;
      float* rest = update + hidden_;
      float* fresh = rest + hidden_;
      float* state = part.state + r * stored_;
      if (shape_.reset_after) multiply_add(kernels, rest, fresh, added + r * columns_, fresh);
      kernels.activate({.kind = Kind::kTanh}, fresh, hidden_);
      // fresh + update * (state - fresh)
      multiply_add(kernels, minus_ones(), fresh, state, rest);
      multiply_add(kernels, update, rest, fresh, state);
    }
  }

  // out = a * b + c, of `hidden` values; `out` may be one of them.
  void multiply_add(const KernelSet& kernels,
                    const float* a,
                    const float* b,
                    const float* c,
                    float* out) const noexcept {
    kernels.finish_float(
        b, {.count = 1, .outputs = hidden_, .scale = a, .bias = c, .stride = hidden_, .out = out});
  }
  const float* zeros() const noexcept { return constants_.data(); }
  const float* minus_ones() const noexcept { return constants_.data() + hidden_; }

  void multiply_rows(const KernelSet& kernels,
                     const Part& part,
                     const MatrixProduct& product,
                     const float* from,
                     const float* added,
                     float* to) const noexcept {
    ProductRows rows{
        .values = from, .count = part.rows, .out = to, .stride = columns_, .residual = added};
    if (product.integers()) {
      auto* bytes = reinterpret_cast<std::uint8_t*>(part.state + bytes_at_);
      auto* scales = reinterpret_cast<InputScale*>(part.state + scales_at_);
      for (std::size_t r = 0; r < part.rows; ++r) {
        scales[r] =
            quantize_row(kernels, from + r * stored_, product.layout(), bytes + r * stored_);
      }
      rows.values = bytes;
      rows.scales = scales;
    }
    product.run(kernels, rows, 0, product.blocks());
  }

  Recurrent shape_;
  std::size_t hidden_;
  std::size_t batch_;
  std::size_t columns_;  // gates * hidden
  std::size_t stored_ = 0;
  std::vector<MatrixProduct> products_;
  RecurrentSlots slots_;
  std::vector<float> constants_;  // (2, hidden): of 0 and -1
  // Places in the scratch of a unit, and its size.
  std::size_t scratch_ = 0;
  std::size_t reset_at_ = 0;   // (rows, stored)
  std::size_t cell_at_ = 0;    // (rows, hidden)
  std::size_t gates_at_ = 0;   // (rows, columns)
  std::size_t bytes_at_ = 0;   // (rows, stored)
  std::size_t scales_at_ = 0;  // (rows)
};

const Initializer& constant_of(const StepRequest& request, std::size_t i) {
  const Initializer* constant = request.inputs[i].constant;
  if (constant == nullptr) {
    refuse(*request.node,
           cat("input '", request.node->inputs[i], "' is computed, expected a constant"));
  }
  return *constant;
}

// Biases of one direction, (2, gates * hidden): those added to what the inputs come to, those of R
// too where that will do, and those added to the state's product.
std::vector<float> biases_of(const StepRequest& request,
                             const Recurrent& r,
                             std::size_t direction) {
  const auto columns = static_cast<std::size_t>(r.gates * r.hidden);
  std::vector<float> result(2 * columns);
  if (!request.inputs[kRecurrentBias].present()) return result;
  constant_of(request, kRecurrentBias);
  const std::vector<float> values = constant_floats(request.inputs[kRecurrentBias]);
  std::copy_n(values.data() + 2 * columns * direction, 2 * columns, result.data());
  // What the reset gate multiplies cannot be added before.
  const std::size_t shared = r.reset_after ? columns / 3 * 2 : columns;
  for (std::size_t i = 0; i < shared; ++i) {
    result[i] += std::exchange(result[columns + i], 0.0F);
  }
  return result;
}

// The product of the state with `outputs` rows of R from row `first` on.
MatrixProduct state_product(const StepRequest& request,
                            const Recurrent& r,
                            std::size_t outputs,
                            std::size_t first,
                            const float* bias,
                            Activation activation) {
  const bool int8 = request.plan->options().activations == Activations::kInt8;
  RowsLayout layout{.rows = static_cast<std::size_t>(r.batch),
                    .depth = static_cast<std::size_t>(r.hidden)};
  const WeightOrder order = matrix_order(outputs, layout.depth, false, first * layout.depth);
  ProductWeights weights(constant_of(request, 2), order, int8);
  const bool integers = int8 && weights.integers();
  layout.stored = order.inputs.size();
  layout = product_layout(weights, layout, integers);
  OutputAffine affine(weights.scales(1.0F), {bias, outputs}, {});
  return {std::move(weights), std::move(affine), activation, layout, integers};
}

// Adds the product of the inputs for all steps of time, and returns where it lies.
int add_inputs(const StepRequest& request,
               const Recurrent& r,
               std::size_t direction,
               std::span<const float> bias) {
  const auto columns = static_cast<std::size_t>(r.gates * r.hidden);
  const RowsLayout layout{.rows = static_cast<std::size_t>(r.steps * r.batch),
                          .depth = static_cast<std::size_t>(r.inputs)};
  request.plan->check_memory(cat("what the inputs of node ", describe(*request.node), " come to,"),
                             std::vector<std::size_t>{layout.rows, columns});
  StepRequest product;
  product.node = request.node;
  product.inputs = {request.inputs[0], request.inputs[1], {}};
  product.output.slot = request.plan->add_buffer(layout.rows * columns * sizeof(float));
  product.plan = request.plan;
  product.preparations = request.preparations;
  constant_of(request, 1);
  add_rows_product(product,
                   matrix_order(columns, layout.depth, false, direction * columns * layout.depth),
                   layout,
                   bias);
  return product.output.slot;
}

}  // namespace

void make_recurrent(const StepRequest& request) {
  const Recurrent r = recurrent_of(
      *request.node, request.inputs[0].shape, request.inputs[1].shape, request.inputs[2].shape);
  RecurrentSlots slots{.hidden = request.inputs[kRecurrentHidden].slot,
                       .cell = request.inputs[kRecurrentCell].slot,
                       .all = request.results[0].slot,
                       .last_hidden = request.results[1].slot,
                       .last_cell = request.results[2].slot};
  std::vector<MatrixProduct> products;
  const auto hidden = static_cast<std::size_t>(r.hidden);
  const std::size_t columns = static_cast<std::size_t>(r.gates) * hidden;
  const std::size_t together = r.lstm() ? columns : 2 * hidden;
  for (std::size_t d = 0; d < static_cast<std::size_t>(r.directions); ++d) {
    const std::vector<float> biases = biases_of(request, r, d);
    slots.inputs.push_back(add_inputs(request, r, d, {biases.data(), columns}));
    for (std::size_t at = 0; at < columns;) {
      const std::size_t outputs = at == 0 ? together : hidden;
      products.push_back(
          state_product(request,
                        r,
                        outputs,
                        d * columns + at,
                        biases.data() + columns + at,
                        {.kind = r.lstm() || at > 0 ? Kind::kNone : Kind::kSigmoid}));
      at += outputs;
    }
  }
  const RecurrentSlots used = slots;
  request.plan->add_step(std::make_unique<RecurrentStep>(r, std::move(products), std::move(slots)),
                         {used.hidden, used.cell, used.all, used.last_hidden, used.last_cell});
  for (const int slot : used.inputs) request.plan->use_in_last_step(slot);
}

}  // namespace lastbit
