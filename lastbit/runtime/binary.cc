#include <algorithm>
#include <functional>
#include <string_view>

#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"

// Add, Sub, Mul and Div with numpy's broadcasting.

namespace lastbit {
namespace {

// An axis of the result, with the distance of neighbours in each operand: 0 where it is broadcast.
struct BroadcastAxis {
  std::size_t size = 1;
  std::size_t a_stride = 0;
  std::size_t b_stride = 0;
};

// The axes of the result, outermost first, those of size 1 left out and neighbours that both
// operands walk alike made one. Always has a last axis.
std::vector<BroadcastAxis> broadcast_axes(const Shape& a, const Shape& b, const Shape& result) {
  const auto size_at = [&](const Shape& shape, std::size_t from_end) {
    return from_end < shape.size() ? static_cast<std::size_t>(shape[shape.size() - 1 - from_end])
                                   : std::size_t{1};
  };
  std::vector<BroadcastAxis> axes;  // innermost first
  std::size_t a_step = 1;
  std::size_t b_step = 1;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::size_t size = size_at(result, i);
    const std::size_t a_size = size_at(a, i);
    const std::size_t b_size = size_at(b, i);
    const BroadcastAxis axis{
        .size = size, .a_stride = a_size == 1 ? 0 : a_step, .b_stride = b_size == 1 ? 0 : b_step};
    a_step *= a_size;
    b_step *= b_size;
    if (size == 1) continue;
    if (!axes.empty() && axis.a_stride == axes.back().a_stride * axes.back().size &&
        axis.b_stride == axes.back().b_stride * axes.back().size) {
      axes.back().size *= size;
    } else {
      axes.push_back(axis);
    }
  }
  if (axes.empty()) axes.emplace_back();
  std::reverse(axes.begin(), axes.end());
  return axes;
}

// The strides of an innermost axis are 0 or 1; the compiler makes a loop of vectors for each case.
template <typename Operation>
void combine(const float* a,
             std::size_t a_stride,
             const float* b,
             std::size_t b_stride,
             std::size_t count,
             float* out) noexcept {
  constexpr Operation operation;
  if (a_stride == b_stride) {
    for (std::size_t i = 0; i < count; ++i) out[i] = operation(a[i], b[i]);
  } else if (b_stride == 0) {
    for (std::size_t i = 0; i < count; ++i) out[i] = operation(a[i], b[0]);
  } else {
    for (std::size_t i = 0; i < count; ++i) out[i] = operation(a[0], b[i]);
  }
}

using Combine = decltype(&combine<std::plus<>>);

class BinaryStep final : public Step {
 public:
  BinaryStep(const StepRequest& request, Combine combine)
      : combine_(combine),
        axes_(broadcast_axes(shape_in_memory(request.inputs[0]),
                             shape_in_memory(request.inputs[1]),
                             shape_in_memory(request.output))),
        a_(request.inputs[0].slot),
        b_(request.inputs[1].slot),
        output_(request.output.slot) {
    for (std::size_t i = 0; i + 1 < axes_.size(); ++i) units_ *= axes_[i].size;
  }

  std::size_t units() const noexcept override { return units_; }
  double work() const noexcept override {
    return kMove * static_cast<double>(units_) * static_cast<double>(axes_.back().size);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    const BroadcastAxis& inner = axes_.back();
    for (std::size_t unit = begin; unit < end; ++unit) {
      std::size_t a = 0;
      std::size_t b = 0;
      std::size_t rest = unit;
      for (std::size_t i = axes_.size() - 1; i-- > 0;) {
        const std::size_t index = rest % axes_[i].size;
        rest /= axes_[i].size;
        a += index * axes_[i].a_stride;
        b += index * axes_[i].b_stride;
      }
      combine_(frame.read(a_) + a,
               inner.a_stride,
               frame.read(b_) + b,
               inner.b_stride,
               inner.size,
               frame.write(output_) + unit * inner.size);
    }
  }

 private:
  Combine combine_;
  std::vector<BroadcastAxis> axes_;
  int a_;
  int b_;
  int output_;
  std::size_t units_ = 1;
};

Combine combine_of(std::string_view op) noexcept {
  if (op == "Add") return combine<std::plus<>>;
  if (op == "Sub") return combine<std::minus<>>;
  if (op == "Mul") return combine<std::multiplies<>>;
  return combine<std::divides<>>;
}

}  // namespace

void make_binary(const StepRequest& request) {
  request.plan->add_step(std::make_unique<BinaryStep>(request, combine_of(request.node->op)),
                         {request.inputs[0].slot, request.inputs[1].slot, request.output.slot});
}

}  // namespace lastbit
