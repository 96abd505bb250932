#include "lastbit/train/selection.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "lastbit/graph/selection.h"
#include "lastbit/method/sent.h"

namespace lastbit {
namespace {

// Along one axis, what needs more than a slice: steps backward, and borders of the input's own.
torch::Tensor gather(const torch::Tensor& input, std::int64_t axis, const SelectedAxis& selected) {
  std::vector<std::int64_t> positions;
  for (std::int64_t i = 0; i < selected.output; ++i) positions.push_back(selected.position(i));
  return at::index_select(
      input, axis, sent_to(input.device(), torch::tensor(positions, torch::kInt64)));
}

torch::Tensor select(torch::Tensor value, const std::vector<SelectedAxis>& axes, double border) {
  std::vector<std::int64_t> pads;  // from the last axis on, as LibTorch takes them
  for (std::size_t i = axes.size(); i-- > 0;) {
    const SelectedAxis& axis = axes[i];
    const auto at = static_cast<std::int64_t>(i);
    if (axis.step < 0 || axis.border != Border::kValue) {
      value = gather(value, at, axis);
    } else if (axis.step > 1 || (axis.start >= 0 && axis.start + axis.output <= axis.input)) {
      // One step may reach beyond all sizes, and then there is one element.
      const std::int64_t step = std::min(axis.step, std::max<std::int64_t>(1, axis.input));
      value = value.slice(at, axis.start, axis.start + (axis.output - 1) * step + 1, step);
    } else {
      pads.resize(2 * (axes.size() - i));
      pads[pads.size() - 2] = -axis.start;
      pads[pads.size() - 1] = axis.start + axis.output - axis.input;
    }
  }
  if (pads.empty()) return value;
  return at::constant_pad_nd(value, pads, border);
}

}  // namespace

OperatorCall compile_selection(const Node& node,
                               std::vector<std::vector<std::int64_t>> parameters,
                               double border) {
  return [node, parameters = std::move(parameters), border](std::span<const torch::Tensor> in) {
    return select(in[0], selected_axes(node, in[0].sizes(), parameters), border);
  };
}

}  // namespace lastbit
