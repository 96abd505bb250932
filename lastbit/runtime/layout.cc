#include <algorithm>
#include <numeric>

#include "lastbit/base/vectorize.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"

// Operators that move values and compute nothing: Transpose and Concat.

namespace lastbit {
namespace {

// A unit is a row of the result.
class TransposeStep final : public Step {
 public:
  explicit TransposeStep(const StepRequest& request)
      : input_(request.inputs[0].slot), output_(request.output.slot) {
    const Shape& from = request.inputs[0].shape;
    std::vector<std::int64_t> order(from.size());
    std::iota(order.rbegin(), order.rend(), std::int64_t{0});
    order = ints_attribute(*request.node, "perm", order);
    std::vector<std::size_t> strides(from.size(), 1);
    for (std::size_t i = from.size(); i-- > 1;) {
      strides[i - 1] = strides[i] * static_cast<std::size_t>(from[i]);
    }
    for (const std::int64_t axis : order) {
      sizes_.push_back(static_cast<std::size_t>(from[static_cast<std::size_t>(axis)]));
      strides_.push_back(strides[static_cast<std::size_t>(axis)]);
    }
    if (sizes_.empty()) {
      sizes_ = {1};
      strides_ = {1};
    }
    for (std::size_t i = 0; i + 1 < sizes_.size(); ++i) units_ *= sizes_[i];
  }

  std::size_t units() const noexcept override { return units_; }
  double work() const noexcept override {
    return 2.0 * kMove * static_cast<double>(units_) * static_cast<double>(sizes_.back());
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    const std::size_t length = sizes_.back();
    const std::size_t stride = strides_.back();
    for (std::size_t unit = begin; unit < end; ++unit) {
      const float* from = frame.read(input_);
      std::size_t rest = unit;
      for (std::size_t i = sizes_.size() - 1; i-- > 0;) {
        from += rest % sizes_[i] * strides_[i];
        rest /= sizes_[i];
      }
      float* to = frame.write(output_) + unit * length;
      for (std::size_t i = 0; i < length; ++i) to[i] = from[i * stride];
    }
  }

 private:
  int input_;
  int output_;
  std::vector<std::size_t> sizes_;    // of the result's axes
  std::vector<std::size_t> strides_;  // in the input, for the result's axes
  std::size_t units_ = 1;
};

// A unit is the part of the result that one index of the axes before the joined one picks.
class ConcatStep final : public Step {
 public:
  explicit ConcatStep(const StepRequest& request) : output_(request.output.slot) {
    const Shape shape = shape_in_memory(request.output);
    const auto rank = static_cast<std::int64_t>(shape.size());
    const std::int64_t axis = int_attribute(*request.node, "axis", 0);
    auto at = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
    if (request.output.channels_last && at > 0) at = at == 1 ? shape.size() - 1 : at - 1;
    for (std::size_t i = 0; i < at; ++i) units_ *= static_cast<std::size_t>(shape[i]);
    for (const Operand& input : request.inputs) {
      if (!input.present()) continue;
      const auto length = static_cast<std::size_t>(element_count(input.shape)) / units_;
      parts_.push_back({input.slot, length});
      length_ += length;
    }
  }

  std::size_t units() const noexcept override { return units_; }
  double work() const noexcept override { return kMove * static_cast<double>(units_ * length_); }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    for (std::size_t unit = begin; unit < end; ++unit) {
      float* to = frame.write(output_) + unit * length_;
      for (const Part& part : parts_) {
        to = std::copy_n(frame.read(part.slot) + unit * part.length, part.length, to);
      }
    }
  }

 private:
  struct Part {
    int slot;
    std::size_t length;  // values in a unit
  };

  int output_;
  std::vector<Part> parts_;
  std::size_t units_ = 1;
  std::size_t length_ = 0;
};

// The usual three channels of an image, side by side.
LASTBIT_VECTORIZE void join_three(const float* __restrict a,
                                  const float* __restrict b,
                                  const float* __restrict c,
                                  std::size_t count,
                                  float* __restrict to) {
  for (std::size_t i = 0; i < count; ++i) {
    to[3 * i] = a[i];
    to[3 * i + 1] = b[i];
    to[3 * i + 2] = c[i];
  }
}

// Turns [batch, rows, columns] into [batch, columns, rows]. A unit is a run of columns of a sample.
class RelayoutStep final : public Step {
 public:
  RelayoutStep(int input, int output, std::size_t batch, std::size_t rows, std::size_t columns)
      : input_(input),
        output_(output),
        batch_(batch),
        rows_(rows),
        columns_(columns),
        run_(rows == 3 ? kLongRun : kRun),
        runs_((columns + run_ - 1) / run_) {}

  std::size_t units() const noexcept override { return batch_ * runs_; }
  double work() const noexcept override {
    return 2.0 * kMove * static_cast<double>(batch_ * rows_ * columns_);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    for (std::size_t unit = begin; unit < end; ++unit) {
      const std::size_t sample = unit / runs_ * rows_ * columns_;
      const std::size_t first = unit % runs_ * run_;
      const std::size_t last = std::min(columns_, first + run_);
      const float* from = frame.read(input_) + sample;
      float* to = frame.write(output_) + sample;
      if (rows_ == 3) {
        const float* a = from + first;
        join_three(a, a + columns_, a + 2 * columns_, last - first, to + 3 * first);
        continue;
      }
      for (std::size_t row = 0; row < rows_; row += kRun) {
        const std::size_t stop = std::min(rows_, row + kRun);
        for (std::size_t column = first; column < last; ++column) {
          for (std::size_t r = row; r < stop; ++r) {
            to[column * rows_ + r] = from[r * columns_ + column];
          }
        }
      }
    }
  }

 private:
  static constexpr std::size_t kRun = 16;  // a square of so many rows and columns stays in cache
  static constexpr std::size_t kLongRun = 2048;

  int input_;
  int output_;
  std::size_t batch_;
  std::size_t rows_;
  std::size_t columns_;
  std::size_t run_;
  std::size_t runs_;
};

}  // namespace

Shape shape_in_memory(const Operand& operand) {
  Shape shape = operand.shape;
  if (operand.channels_last) std::rotate(shape.begin() + 1, shape.begin() + 2, shape.end());
  return shape;
}

void make_transpose(const StepRequest& request) {
  request.plan->add_step(std::make_unique<TransposeStep>(request),
                         {request.inputs[0].slot, request.output.slot});
}

void make_concat(const StepRequest& request) {
  request.plan->add_step(std::make_unique<ConcatStep>(request), {request.output.slot});
  // The step before this line reads all inputs, however many.
  for (const Operand& input : request.inputs) request.plan->use_in_last_step(input.slot);
}

void add_relayout(PlanBuilder& plan, const Operand& from, int to) {
  const auto batch = static_cast<std::size_t>(from.shape[0]);
  const auto channels = static_cast<std::size_t>(from.shape[1]);
  const std::size_t area = static_cast<std::size_t>(element_count(from.shape)) / batch / channels;
  plan.add_step(std::make_unique<RelayoutStep>(from.slot,
                                               to,
                                               batch,
                                               from.channels_last ? area : channels,
                                               from.channels_last ? channels : area),
                {from.slot, to},
                "relayout");
}

}  // namespace lastbit
