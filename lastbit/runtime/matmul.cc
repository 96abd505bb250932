#include <algorithm>
#include <utility>

#include "lastbit/base/vectorize.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"

namespace lastbit {
namespace {

LASTBIT_VECTORIZE void add_multiple(const float* __restrict from,
                                    float factor,
                                    std::size_t count,
                                    float* __restrict to) noexcept {
  for (std::size_t i = 0; i < count; ++i) to[i] += factor * from[i];
}

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
        add_multiple(b + k * columns_, a[k], columns_, out);
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

void make_computed_matmul(const StepRequest& request) {
  request.plan->add_step(std::make_unique<MatMulStep>(request),
                         {request.inputs[0].slot, request.inputs[1].slot, request.output.slot});
}

}  // namespace lastbit
