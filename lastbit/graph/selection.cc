#include "lastbit/graph/selection.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <optional>

#include "lastbit/graph/misfit.h"

namespace lastbit {
namespace {

constexpr std::int64_t kMostPadding = std::int64_t{1} << 40;  // sums of sizes cannot overflow

using Integers = std::vector<std::int64_t>;

class Selector {
 public:
  Selector(const Node& node,
           std::span<const std::int64_t> shape,
           const std::vector<Integers>& parameters)
      : node_(node), parameters_(parameters) {
    for (const std::int64_t size : shape) axes_.push_back({.input = size, .output = size});
  }

  std::vector<SelectedAxis> slice() {
    const Integers& starts = parameter(0);
    const Integers& ends = parameter(1);
    const Integers axes = axes_or_all(2, starts.size());
    const Integers& steps = parameter(3);
    if (ends.size() != starts.size() || axes.size() != starts.size() ||
        (!steps.empty() && steps.size() != starts.size())) {
      fail("lists of ",
           starts.size(),
           " starts, ",
           ends.size(),
           " ends, ",
           axes.size(),
           " axes and ",
           steps.size(),
           " steps, expected equal lengths");
    }
    for (std::size_t i = 0; i < starts.size(); ++i) {
      slice_axis(axis(axes[i]), starts[i], ends[i], steps.empty() ? 1 : steps[i]);
    }
    return axes_;
  }

  std::vector<SelectedAxis> pad() {
    const Border border = border_of(string_attribute(node_, "mode", "constant"));
    const Integers& pads = parameter(0);
    const Integers axes = axes_or_all(2, axes_.size());
    if (pads.size() != 2 * axes.size()) {
      fail(pads.size(), " pads for ", axes.size(), " axes, expected two for each");
    }
    for (std::size_t i = 0; i < axes.size(); ++i) {
      pad_axis(axis(axes[i]), pads[i], pads[i + axes.size()], border);
    }
    return axes_;
  }

 private:
  template <typename... Texts>
  [[noreturn, gnu::always_inline]] void fail(const Texts&... texts) const {
    fail_at(node_, texts...);
  }

  const Integers& parameter(std::size_t i) const {
    static const Integers kNone;
    return i < parameters_.size() ? parameters_[i] : kNone;
  }

  // An omitted list names the first `count` axes.
  Integers axes_or_all(std::size_t i, std::size_t count) const {
    if (!parameter(i).empty()) return parameter(i);
    Integers all(count);
    std::iota(all.begin(), all.end(), std::int64_t{0});
    return all;
  }

  SelectedAxis& axis(std::int64_t given) {
    const auto rank = static_cast<std::int64_t>(axes_.size());
    const std::int64_t resolved = given < 0 ? given + rank : given;
    if (resolved < 0 || resolved >= rank) fail("axis ", given, " of a tensor of rank ", rank);
    if (std::ranges::count(seen_, resolved) > 0) fail("axis ", given, " is named twice");
    seen_.push_back(resolved);
    return axes_[static_cast<std::size_t>(resolved)];
  }

  void slice_axis(SelectedAxis& axis,
                  std::int64_t start,
                  std::int64_t end,
                  std::int64_t step) const {
    if (step == 0) fail("a step of 0");
    // -2^63 has no opposite; any such step takes one element.
    step = std::max(step, -std::numeric_limits<std::int64_t>::max());
    const bool forward = step > 0;
    const std::int64_t low = forward ? 0 : -1;
    const std::int64_t high = forward ? axis.input : axis.input - 1;
    if (start < 0) start += axis.input;
    if (end < 0) end += axis.input;
    start = std::clamp(start, std::int64_t{0}, std::max(high, std::int64_t{0}));
    end = std::clamp(end, low, std::max(high, low));
    const std::int64_t reach = forward ? end - start : start - end;
    axis.start = start;
    axis.step = step;
    axis.output = reach <= 0 || axis.input == 0 ? 0 : (reach - 1) / (forward ? step : -step) + 1;
  }

  void pad_axis(SelectedAxis& axis, std::int64_t before, std::int64_t after, Border border) const {
    for (const std::int64_t pad : {before, after}) {
      if (pad < -kMostPadding || pad > kMostPadding) fail("a pad of ", pad);
    }
    axis.output = axis.input + before + after;
    axis.start = -before;
    axis.border = border;
    if (axis.output < 0) {
      fail("pads of ",
           before,
           " and ",
           after,
           " take more than the ",
           axis.input,
           " elements of an axis");
    }
    const std::int64_t most = std::max(before, after);
    if (border == Border::kValue || (before == 0 && after == 0)) return;
    const bool has_enough = border == Border::kEdge ? axis.input > 0 : most < axis.input;
    if (!has_enough || std::min(before, after) < -axis.input) {
      fail("pads of ",
           before,
           " and ",
           after,
           " cannot be taken from an axis of ",
           axis.input,
           " elements");
    }
  }

  Border border_of(std::string_view mode) const {
    if (mode == "constant") return Border::kValue;
    if (mode == "edge") return Border::kEdge;
    if (mode == "reflect") return Border::kReflect;
    fail("mode '", mode, "', expected constant, edge or reflect");
  }

  const Node& node_;
  const std::vector<Integers>& parameters_;
  std::vector<SelectedAxis> axes_;
  Integers seen_;
};

}  // namespace

std::int64_t SelectedAxis::position(std::int64_t i) const noexcept {
  const std::int64_t at = start + i * step;
  if (at >= 0 && at < input) return at;
  switch (border) {
    case Border::kValue:
      return -1;
    case Border::kEdge:
      return at < 0 ? 0 : input - 1;
    case Border::kReflect:
      return at < 0 ? -at : 2 * (input - 1) - at;
  }
  return -1;
}

std::vector<SelectedAxis> selected_axes(const Node& node,
                                        std::span<const std::int64_t> shape,
                                        const std::vector<std::vector<std::int64_t>>& parameters) {
  Selector selector(node, shape, parameters);
  return node.op == "Slice" ? selector.slice() : selector.pad();
}

}  // namespace lastbit
