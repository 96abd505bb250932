#include "lastbit/runtime/suppression.h"

#include <algorithm>

#include "lastbit/base/text.h"
#include "lastbit/detect/suppress.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"

// NonMaxSuppression. The result holds integers as floats.

namespace lastbit {
namespace {

constexpr std::size_t kColumns = 3;
constexpr std::int64_t kMostIndices = std::int64_t{1} << 24U;  // a float tells them apart

// All of it is one unit: where a class's rows begin depends on those before.
class SuppressionStep final : public Step {
 public:
  SuppressionStep(const StepRequest& request, const SuppressionLimits& limits)
      : limits_(limits),
        centred_(int_attribute(*request.node, "center_point_box", 0) != 0),
        boxes_slot_(request.inputs[0].slot),
        scores_slot_(request.inputs[1].slot),
        output_(request.output.slot),
        batch_(static_cast<std::size_t>(request.inputs[1].shape[0])),
        classes_(static_cast<std::size_t>(request.inputs[1].shape[1])),
        count_(static_cast<std::size_t>(request.inputs[1].shape[2])),
        rows_(static_cast<std::size_t>(request.output.shape[0])) {}

  std::size_t units() const noexcept override { return 1; }
  double work() const noexcept override {
    return kMove * static_cast<double>(batch_ * classes_) * static_cast<double>(count_);
  }
  std::size_t scratch_floats() const noexcept override {
    return count_ * (sizeof(Box) + sizeof(std::int32_t)) / sizeof(float);
  }

  void run(const Frame& frame,
           std::size_t /*begin*/,
           std::size_t /*end*/,
           int worker) const noexcept override {
    const std::span boxes(reinterpret_cast<Box*>(frame.scratch_of(worker)), count_);
    const std::span order(reinterpret_cast<std::int32_t*>(boxes.data() + count_), count_);
    float* to = frame.write(output_);
    float* const end = to + rows_ * kColumns;
    for (std::size_t b = 0; b < batch_; ++b) {
      read_boxes(frame.read(boxes_slot_) + 4 * b * count_, boxes);
      for (std::size_t c = 0; c < classes_; ++c) {
        const std::span scores(frame.read(scores_slot_) + (b * classes_ + c) * count_, count_);
        const std::size_t kept = suppress(boxes, scores, limits_, order);
        for (std::size_t i = 0; i < kept; ++i) {
          *to++ = static_cast<float>(b);
          *to++ = static_cast<float>(c);
          *to++ = static_cast<float>(order[i]);
        }
      }
    }
    std::fill(to, end, -1.0F);
  }

 private:
  // [y, x, y, x] of two opposite corners, or [x, y, width, height] around a middle.
  void read_boxes(const float* from, std::span<Box> boxes) const noexcept {
    for (Box& box : boxes) {
      if (centred_) {
        const float x = from[2] / 2.0F;
        const float y = from[3] / 2.0F;
        box = {from[0] - x, from[1] - y, from[0] + x, from[1] + y};
      } else {
        box = {std::min(from[1], from[3]),
               std::min(from[0], from[2]),
               std::max(from[1], from[3]),
               std::max(from[0], from[2])};
      }
      from += 4;
    }
  }

  SuppressionLimits limits_;
  bool centred_;
  int boxes_slot_;
  int scores_slot_;
  int output_;
  std::size_t batch_;
  std::size_t classes_;
  std::size_t count_;  // of boxes
  std::size_t rows_;   // that the result has room for
};

float number(const StepRequest& request, std::size_t i, float fallback) {
  const Operand& operand = request.inputs[i];
  if (!operand.present()) return fallback;
  if (operand.constant == nullptr) {
    refuse(*request.node,
           cat("value '", request.node->inputs[i], "' is computed, expected a constant"));
  }
  return decode(*operand.constant).as_floats()[0];
}

}  // namespace

std::size_t selected_rows(std::span<const float> rows) noexcept {
  std::size_t count = 0;
  while (count < rows.size() / kColumns && rows[count * kColumns] >= 0.0F) ++count;
  return count;
}

void make_suppression(const StepRequest& request) {
  SuppressionLimits limits;
  limits.max_iou = number(request, 3, 0.0F);
  limits.min_score = number(request, 4, limits.min_score);
  const Shape& scores = request.inputs[1].shape;
  limits.most = static_cast<std::size_t>(request.output.shape[0] / (scores[0] * scores[1]));
  if (std::ranges::any_of(scores, [](std::int64_t size) { return size > kMostIndices; })) {
    refuse(*request.node,
           cat("scores have shape ", to_string(scores), ", expected at most ", kMostIndices));
  }
  request.plan->add_step(std::make_unique<SuppressionStep>(request, limits),
                         {request.inputs[0].slot, request.inputs[1].slot, request.output.slot});
}

}  // namespace lastbit
