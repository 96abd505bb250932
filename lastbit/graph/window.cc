#include "lastbit/graph/window.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "lastbit/base/text.h"
#include "lastbit/graph/misfit.h"
#include "lastbit/graph/tensor.h"

namespace lastbit {
namespace {

// Small enough that no sum or product below overflows, together with sizes of at most 2^60.
constexpr std::int64_t kMostStep = (std::int64_t{1} << 30) - 1;

std::vector<std::int64_t> steps(const Node& node,
                                std::string_view name,
                                std::vector<std::int64_t> fallback,
                                std::int64_t low) {
  const std::size_t size = fallback.size();
  std::vector<std::int64_t> values = ints_attribute(node, name, std::move(fallback));
  if (values.size() != size) {
    fail_at(node, "attribute '", name, "' has ", values.size(), " values, expected ", size);
  }
  for (const std::int64_t value : values) {
    if (value < low || value > kMostStep) {
      fail_at(node,
              "attribute '",
              name,
              "' is [",
              join(values),
              "], expected values from ",
              low,
              " to ",
              kMostStep);
    }
  }
  return values;
}

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

}  // namespace

Window window_of(const Node& node,
                 std::span<const std::int64_t> input_shape,
                 std::span<const std::int64_t> kernel) {
  const std::size_t rank = input_shape.size() - 2;
  const std::vector<std::int64_t> ones(rank, 1);
  Window w;
  // Neither kind of node may leave its kernel open: 0 is out of range.
  w.kernel = steps(node,
                   "kernel_shape",
                   kernel.empty() ? std::vector<std::int64_t>(rank, 0)
                                  : std::vector<std::int64_t>(kernel.begin(), kernel.end()),
                   1);
  if (!kernel.empty() && !std::ranges::equal(w.kernel, kernel)) {
    fail_at(node,
            "attribute 'kernel_shape' is [",
            join(w.kernel),
            "], the weights' kernel is [",
            join(kernel),
            "]");
  }
  w.strides = steps(node, "strides", ones, 1);
  w.dilations = steps(node, "dilations", ones, 1);
  const auto pads = steps(node, "pads", std::vector<std::int64_t>(2 * rank, 0), 0);
  const std::string auto_pad = string_attribute(node, "auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!same && auto_pad != "NOTSET" && auto_pad != "VALID") {
    fail_at(node,
            "attribute 'auto_pad' is '",
            auto_pad,
            "', expected NOTSET, SAME_UPPER, SAME_LOWER or VALID");
  }
  if (auto_pad != "NOTSET" && std::ranges::any_of(pads, [](auto pad) { return pad != 0; })) {
    fail_at(node, "attributes 'pads' and 'auto_pad' exclude each other");
  }
  const bool up = int_attribute(node, "ceil_mode", 0) != 0;

  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t size = input_shape[axis + 2];
    const std::int64_t stride = w.strides[axis];
    const std::int64_t reach = w.dilations[axis] * (w.kernel[axis] - 1) + 1;
    std::int64_t begin = pads[axis];
    std::int64_t end = pads[axis + rank];
    std::int64_t output = 0;
    if (same) {
      output = divide_up(size, stride);
      const std::int64_t pad = std::max<std::int64_t>((output - 1) * stride + reach - size, 0);
      begin = auto_pad == "SAME_UPPER" ? pad / 2 : pad - pad / 2;
      end = pad - begin;
    } else {
      const std::int64_t room = size + begin + end - reach;
      if (size == 0 || room < 0) {
        fail_at(node,
                "a window of ",
                reach,
                " does not fit in size ",
                size,
                " with padding ",
                begin,
                " + ",
                end,
                " (input ",
                to_string(input_shape),
                ", kernel [",
                join(w.kernel),
                "])");
      }
      output = (up ? divide_up(room, stride) : room / stride) + 1;
      // A window that would begin in the padding after the input has nothing to look at.
      if (up && (output - 1) * stride >= size + begin) --output;
    }
    w.pads_begin.push_back(begin);
    w.pads_end.push_back(end);
    w.output.push_back(output);
  }
  return w;
}

}  // namespace lastbit
