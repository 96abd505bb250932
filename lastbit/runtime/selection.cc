#include "lastbit/graph/selection.h"

#include <algorithm>

#include "lastbit/base/text.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"

// Operators that take a part of a tensor or put a border around it: Slice and Pad.

namespace lastbit {
namespace {

// A unit is a row of the result: all that differs in the last axis alone.
class SelectionStep final : public Step {
 public:
  SelectionStep(int input, const Operand& output, std::vector<SelectedAxis> axes, float value)
      : input_(input), output_(output.slot), axes_(std::move(axes)), value_(value) {
    if (axes_.empty()) axes_.emplace_back();
    row_ = axes_.back();
    axes_.pop_back();
    for (const SelectedAxis& axis : axes_) units_ *= static_cast<std::size_t>(axis.output);
    if (row_.step != 1 || row_.border != Border::kValue) return;
    // What is copied as it lies: [begin_, end_) of a row.
    begin_ = std::clamp<std::int64_t>(-row_.start, 0, row_.output);
    end_ = std::clamp<std::int64_t>(row_.input - row_.start, begin_, row_.output);
  }

  std::size_t units() const noexcept override { return units_; }
  double work() const noexcept override {
    return kMove * static_cast<double>(units_) * static_cast<double>(row_.output);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    const auto length = static_cast<std::size_t>(row_.output);
    for (std::size_t unit = begin; unit < end; ++unit) {
      float* to = frame.write(output_) + unit * length;
      const std::int64_t at = row_of(unit);
      if (at < 0) {
        std::fill_n(to, length, value_);
      } else {
        fill_row(frame.read(input_) + at * row_.input, to);
      }
    }
  }

 private:
  // The row of the input that row `unit` of the result is taken from; -1 where it is border.
  std::int64_t row_of(std::size_t unit) const noexcept {
    std::int64_t row = 0;
    std::int64_t rows = 1;
    for (std::size_t i = axes_.size(); i-- > 0;) {
      const auto size = static_cast<std::size_t>(axes_[i].output);
      const std::int64_t position = axes_[i].position(static_cast<std::int64_t>(unit % size));
      if (position < 0) return -1;
      row += position * rows;
      rows *= axes_[i].input;
      unit /= size;
    }
    return row;
  }

  void fill_row(const float* from, float* to) const noexcept {
    std::fill(to, to + begin_, value_);
    if (end_ > begin_) std::copy_n(from + row_.start + begin_, end_ - begin_, to + begin_);
    for (std::int64_t i = end_; i < row_.output; ++i) {
      const std::int64_t position = row_.position(i);
      to[i] = position < 0 ? value_ : from[position];
    }
  }

  int input_;
  int output_;
  std::vector<SelectedAxis> axes_;  // all but the last
  SelectedAxis row_;
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  float value_;
  std::size_t units_ = 1;
};

std::vector<std::int64_t> integers_of(const Operand& operand) {
  const auto* tensor =
      operand.constant == nullptr ? nullptr : std::get_if<Tensor>(operand.constant);
  if (tensor == nullptr || tensor->type() != DType::kInt64) return {};
  return {tensor->as_int64s().begin(), tensor->as_int64s().end()};
}

float border_value(const StepRequest& request) {
  if (request.node->op != "Pad" || !request.inputs[2].present()) return 0.0F;
  if (request.inputs[2].constant == nullptr) {
    refuse(*request.node,
           cat("value '", request.node->inputs[2], "' is computed, expected a constant"));
  }
  return decode(*request.inputs[2].constant).as_floats()[0];
}

}  // namespace

void make_selection(const StepRequest& request) {
  std::vector<std::vector<std::int64_t>> parameters;
  for (std::size_t i = 1; i < request.inputs.size(); ++i) {
    parameters.push_back(integers_of(request.inputs[i]));
  }
  std::vector<SelectedAxis> axes =
      selected_axes(*request.node, request.inputs[0].shape, parameters);
  if (request.output.channels_last) std::rotate(axes.begin() + 1, axes.begin() + 2, axes.end());
  request.plan->add_step(
      std::make_unique<SelectionStep>(
          request.inputs[0].slot, request.output, std::move(axes), border_value(request)),
      {request.inputs[0].slot, request.output.slot});
}

}  // namespace lastbit
