#include <algorithm>
#include <utility>

#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/weights.h"

// Gemm and MatMul.

namespace lastbit {
namespace {

struct LinearOptions {
  std::size_t rows = 0;          // of the input and the result
  bool transpose_input = false;  // the input lies as [depth, rows]
  float alpha = 1.0F;
  int bias_slot = -1;
  float beta = 1.0F;
  std::size_t bias_row_stride = 0;
  std::size_t bias_column_stride = 0;
  Activation activation;
};

// result[i, j] = activation(alpha * sum over k of input[i, k] * weights[j, k] + beta * bias[i, j])
class LinearStep final : public Step {
 public:
  LinearStep(const StepRequest& request, WeightRows weights, std::size_t columns, LinearOptions o)
      : weights_(std::move(weights)),
        columns_(columns),
        options_(o),
        input_(request.inputs[0].slot),
        output_(request.output.slot) {}

  std::size_t units() const noexcept override { return (columns_ + kDotRows - 1) / kDotRows; }
  double work() const noexcept override {
    return static_cast<double>(options_.rows) * static_cast<double>(columns_) *
           static_cast<double>(weights_.depth());
  }
  std::size_t scratch_floats() const noexcept override {
    return weights_.dot_buffer_floats(options_.rows) +
           (options_.transpose_input ? options_.rows * weights_.depth() : 0);
  }
  std::size_t weight_bytes() const noexcept override { return weights_.bytes(); }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int worker) const noexcept override {
    float* scratch = frame.scratch_of(worker);
    const std::size_t depth = weights_.depth();
    const float* input = frame.read(input_);
    if (options_.transpose_input) {
      float* rows = scratch + weights_.dot_buffer_floats(options_.rows);
      for (std::size_t i = 0; i < options_.rows; ++i) {
        for (std::size_t k = 0; k < depth; ++k) rows[i * depth + k] = input[k * options_.rows + i];
      }
      input = rows;
    }
    float* output = frame.write(output_);
    for (std::size_t unit = begin; unit < end; ++unit) {
      const std::size_t first = unit * kDotRows;
      const std::size_t count = std::min(kDotRows, columns_ - first);
      weights_.dot(
          *frame.kernels, input, options_.rows, first, count, scratch, output + first, columns_);
      finish(frame, output, first, count);
    }
  }

 private:
  void finish(const Frame& frame,
              float* output,
              std::size_t first,
              std::size_t count) const noexcept {
    float factors[kDotRows];
    for (std::size_t j = 0; j < count; ++j) factors[j] = options_.alpha * weights_.scale(first + j);
    const float* bias = options_.bias_slot < 0 ? nullptr : frame.read(options_.bias_slot);
    for (std::size_t i = 0; i < options_.rows; ++i) {
      float* row = output + i * columns_ + first;
      for (std::size_t j = 0; j < count; ++j) row[j] *= factors[j];
      if (bias != nullptr) {
        const float* from = bias + i * options_.bias_row_stride;
        for (std::size_t j = 0; j < count; ++j) {
          row[j] += options_.beta * from[(first + j) * options_.bias_column_stride];
        }
      }
      frame.kernels->activate(options_.activation, row, count);
    }
  }

  WeightRows weights_;
  std::size_t columns_;
  LinearOptions options_;
  int input_;
  int output_;
};

// The product of two computed matrices, in batches that are broadcast as numpy.matmul does.
class MatMulStep final : public Step {
 public:
  explicit MatMulStep(const StepRequest& request)
      : a_(request.inputs[0].slot), b_(request.inputs[1].slot), output_(request.output.slot) {
    Shape a = request.inputs[0].shape;
    Shape b = request.inputs[1].shape;
    if (a.size() == 1) a.insert(a.begin(), 1);
    if (b.size() == 1) b.push_back(1);
    rows_ = static_cast<std::size_t>(a[a.size() - 2]);
    depth_ = static_cast<std::size_t>(a.back());
    columns_ = static_cast<std::size_t>(b.back());
    const std::size_t rank = std::max(a.size(), b.size());
    a.insert(a.begin(), rank - a.size(), 1);
    b.insert(b.begin(), rank - b.size(), 1);
    std::size_t batches = 1;
    for (std::size_t axis = 0; axis + 2 < rank; ++axis) {
      batches *= static_cast<std::size_t>(std::max(a[axis], b[axis]));
    }
    for (std::size_t batch = 0; batch < batches; ++batch) pairs_.push_back(pair_of(batch, a, b));
  }

  std::size_t units() const noexcept override { return pairs_.size() * rows_; }
  double work() const noexcept override {
    return static_cast<double>(units()) * static_cast<double>(depth_ * columns_);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    for (std::size_t unit = begin; unit < end; ++unit) {
      const auto [a_batch, b_batch] = pairs_[unit / rows_];
      const float* a = frame.read(a_) + (a_batch * rows_ + unit % rows_) * depth_;
      const float* b = frame.read(b_) + b_batch * depth_ * columns_;
      float* out = frame.write(output_) + unit * columns_;
      std::fill_n(out, columns_, 0.0F);
      for (std::size_t k = 0; k < depth_; ++k) {
        for (std::size_t j = 0; j < columns_; ++j) out[j] += a[k] * b[k * columns_ + j];
      }
    }
  }

 private:
  static std::pair<std::size_t, std::size_t> pair_of(std::size_t batch,
                                                     const Shape& a,
                                                     const Shape& b) {
    std::size_t a_batch = 0;
    std::size_t b_batch = 0;
    std::size_t a_stride = 1;
    std::size_t b_stride = 1;
    for (std::size_t axis = a.size() - 2; axis-- > 0;) {
      const auto a_size = static_cast<std::size_t>(a[axis]);
      const auto b_size = static_cast<std::size_t>(b[axis]);
      const std::size_t index = batch % std::max(a_size, b_size);
      batch /= std::max(a_size, b_size);
      if (a_size > 1) a_batch += index * a_stride;
      if (b_size > 1) b_batch += index * b_stride;
      a_stride *= a_size;
      b_stride *= b_size;
    }
    return {a_batch, b_batch};
  }

  int a_;
  int b_;
  int output_;
  std::size_t rows_ = 1;
  std::size_t depth_ = 1;
  std::size_t columns_ = 1;
  std::vector<std::pair<std::size_t, std::size_t>> pairs_;  // matrices of a and b for each result
};

}  // namespace

std::unique_ptr<const Step> make_gemm(const StepRequest& request) {
  const Node& node = *request.node;
  const Shape& weights = request.inputs[1].shape;
  const bool by_rows = int_attribute(node, "transB", 0) != 0;
  const auto columns = static_cast<std::size_t>(weights[by_rows ? 0 : 1]);
  const auto depth = static_cast<std::size_t>(weights[by_rows ? 1 : 0]);
  LinearOptions options{.rows = static_cast<std::size_t>(request.output.shape[0]),
                        .transpose_input = int_attribute(node, "transA", 0) != 0,
                        .alpha = float_attribute(node, "alpha", 1.0F),
                        .beta = float_attribute(node, "beta", 1.0F),
                        .activation = request.activation};
  // ONNX leaves out the term for a beta of 0, whatever the bias holds.
  if (request.inputs[2].present() && options.beta != 0.0F) {
    Shape bias = request.inputs[2].shape;
    bias.insert(bias.begin(), 2 - bias.size(), 1);
    options.bias_slot = request.inputs[2].slot;
    options.bias_row_stride = bias[0] == 1 ? 0 : static_cast<std::size_t>(bias[1]);
    options.bias_column_stride = bias[1] == 1 ? 0 : 1;
  }
  return std::make_unique<LinearStep>(
      request, WeightRows(request.inputs[1], columns, depth, !by_rows), columns, options);
}

std::unique_ptr<const Step> make_matmul(const StepRequest& request) {
  const Operand& right = request.inputs[1];
  if (right.slot >= 0) return std::make_unique<MatMulStep>(request);
  const auto depth = static_cast<std::size_t>(right.shape.front());
  const std::size_t columns =
      right.shape.size() == 1 ? 1 : static_cast<std::size_t>(right.shape.back());
  LinearOptions options{
      .rows = static_cast<std::size_t>(element_count(request.inputs[0].shape)) / depth,
      .activation = request.activation};
  if (request.bias.present()) {
    options.bias_slot = request.bias.slot;
    options.bias_column_stride = 1;
  }
  return std::make_unique<LinearStep>(
      request, WeightRows(right, columns, depth, right.shape.size() == 2), columns, options);
}

}  // namespace lastbit
