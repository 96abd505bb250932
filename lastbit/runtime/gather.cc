#include <algorithm>
#include <string>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/quant/digits.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"
#include "lastbit/runtime/product_weights.h"

// Gather. Indices are whole floats; rows of a low-bit matrix are decoded as they are asked for.

namespace lastbit {
namespace {

constexpr std::size_t kMostCodes = 256;

// A unit is a run of `inner` values that one index picks.
class GatherStep final : public Step {
 public:
  GatherStep(const StepRequest& request, int data, std::size_t axis, const LowBitTensor* table)
      : name_(describe(*request.node)),
        data_(data),
        indices_(request.inputs[1].slot),
        output_(request.output.slot) {
    const Shape& shape = request.inputs[0].shape;
    const std::span<const std::int64_t> sizes(shape);
    size_ = static_cast<std::size_t>(sizes[axis]);
    outer_ = static_cast<std::size_t>(element_count(sizes.first(axis)));
    inner_ = static_cast<std::size_t>(element_count(sizes.subspan(axis + 1)));
    count_ = static_cast<std::size_t>(element_count(request.inputs[1].shape));
    if (table != nullptr) {
      check_lowbit(*table);
      packed_.assign(table->packed.begin(), table->packed.end());
      scales_ = table->scales;
      const std::span<const float> levels = table->codebook.levels();
      levels_.assign(levels.begin(), levels.end());
    }
  }

  std::size_t units() const noexcept override { return outer_ * count_; }
  double work() const noexcept override {
    return kMove * static_cast<double>(units()) * static_cast<double>(inner_);
  }
  std::size_t scratch_floats() const noexcept override {
    return data_ >= 0 ? 0 : (inner_ + sizeof(float) - 1) / sizeof(float);
  }
  std::size_t weight_bytes() const noexcept override {
    return data_ >= 0 ? 0 : packed_.size() + scales_.size() * sizeof(float);
  }

  void check(const Frame& frame) const override {
    const auto size = static_cast<float>(size_);
    for (std::size_t i = 0; i < count_; ++i) {
      const float index = frame.read(indices_)[i];
      if (index >= -size && index < size) continue;
      throw InputError(cat("[runtime] node ",
                           name_,
                           ": index ",
                           i,
                           " is ",
                           index,
                           ", expected ",
                           -size,
                           " to ",
                           size - 1));
    }
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int worker) const noexcept override {
    for (std::size_t unit = begin; unit < end; ++unit) {
      const auto index = static_cast<std::int64_t>(frame.read(indices_)[unit % count_]);
      const std::size_t row = static_cast<std::size_t>(index) + (index < 0 ? size_ : 0);
      const std::size_t at = (unit / count_ * size_ + row) * inner_;
      float* to = frame.write(output_) + unit * inner_;
      if (data_ >= 0) {
        std::copy_n(frame.read(data_) + at, inner_, to);
      } else {
        decode_row(row, at, reinterpret_cast<Code*>(frame.scratch_of(worker)), to);
      }
    }
  }

 private:
  void decode_row(std::size_t row, std::size_t at, Code* codes, float* to) const noexcept {
    const float scale = scales_[scales_.size() == 1 ? 0 : row];
    float values[kMostCodes];
    for (std::size_t i = 0; i < levels_.size(); ++i) values[i] = levels_[i] * scale;
    unpack(packed_, static_cast<int>(levels_.size()), at, {codes, inner_});
    for (std::size_t i = 0; i < inner_; ++i) to[i] = values[codes[i]];
  }

  std::string name_;
  // Of a low-bit table, where there is no slot of data.
  std::vector<std::uint8_t> packed_;
  std::vector<float> scales_;
  std::vector<float> levels_;
  int data_;  // below 0 for a low-bit table
  int indices_;
  int output_;
  std::size_t size_ = 0;   // of the axis
  std::size_t outer_ = 0;  // values before it
  std::size_t inner_ = 0;  // and after
  std::size_t count_ = 0;  // of indices
};

}  // namespace

void make_gather(const StepRequest& request) {
  const Operand& data = request.inputs[0];
  std::int64_t axis = int_attribute(*request.node, "axis", 0);
  if (axis < 0) axis += static_cast<std::int64_t>(data.shape.size());
  const auto at = static_cast<std::size_t>(axis);
  if (data.shape[at] > kLargestInteger) {
    refuse(*request.node,
           cat("axis ",
               axis,
               " has ",
               data.shape[at],
               " entries, expected ",
               kLargestInteger,
               " at most"));
  }
  const LowBitTensor* table = nullptr;
  int slot = data.slot;
  if (slot < 0) {
    table = std::get_if<LowBitTensor>(data.constant);
    WeightOrder rows;
    rows.outputs = static_cast<std::size_t>(data.shape[at]);
    rows.output_step = static_cast<std::size_t>(element_count(data.shape)) / rows.outputs;
    if (table != nullptr && (at > 0 || table->group != 0 || !scales_outputs(*table, rows)))
      table = nullptr;
    if (table == nullptr) slot = request.plan->slot_of(data);
  }
  request.plan->add_step(std::make_unique<GatherStep>(request, slot, at, table),
                         {slot, request.inputs[1].slot, request.output.slot});
}

}  // namespace lastbit
