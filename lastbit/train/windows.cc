#include "lastbit/train/windows.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include <ATen/ATen.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/window.h"

namespace lastbit {
namespace {

using Sizes = std::vector<std::int64_t>;

// `input` with `value` around it, up to where the last window ends; what no window reads is cut
// off.
torch::Tensor fit(const torch::Tensor& input, const Window& w, double value) {
  Sizes order;  // LibTorch: last dimension first, both ends side by side
  for (std::size_t i = w.kernel.size(); i-- > 0;) {
    const std::int64_t end =
        (w.output[i] - 1) * w.strides[i] + w.dilations[i] * (w.kernel[i] - 1) + 1;
    const std::int64_t size = input.size(static_cast<std::int64_t>(i) + 2);
    order.push_back(w.pads_begin[i]);
    order.push_back(end - w.pads_begin[i] - size);
  }
  return at::constant_pad_nd(input, order, value);
}

// Whether LibTorch's pools take this window as it is: padding alike at both ends, at most half of
// the kernel, and no window beyond it.
bool is_simple(const Window& w, bool ceil_mode) {
  for (std::size_t i = 0; i < w.kernel.size(); ++i) {
    if (w.pads_begin[i] != w.pads_end[i] || 2 * w.pads_begin[i] > w.kernel[i]) return false;
  }
  return !ceil_mode;
}

torch::Tensor max_pool(const torch::Tensor& input, const Window& w, const Sizes& padding) {
  return w.kernel.size() == 1 ? at::max_pool1d(input, w.kernel, w.strides, padding, w.dilations)
                              : at::max_pool2d(input, w.kernel, w.strides, padding, w.dilations);
}

torch::Tensor average_pool(const torch::Tensor& input,
                           const Window& w,
                           const Sizes& padding,
                           bool count_padding) {
  constexpr bool kCeilMode = false;
  return w.kernel.size() == 1
             ? at::avg_pool1d(input, w.kernel, w.strides, padding, kCeilMode, count_padding)
             : at::avg_pool2d(input, w.kernel, w.strides, padding, kCeilMode, count_padding);
}

// Refuses at once what the calls above cannot do.
void check_pool(const Node& node) {
  const auto rank = ints_attribute(node, "kernel_shape", {}).size();
  if (rank > 2) {
    throw InputError(cat("[train] node ",
                         describe(node),
                         ": pooling in ",
                         rank,
                         " dimensions is not supported, expected 1 or 2"));
  }
}

}  // namespace

OperatorCall compile_conv(const Node& node, const ForwardMode* mode) {
  const auto groups = int_attribute(node, "group", 1);
  return [node, groups, mode](std::span<const torch::Tensor> in) {
    const torch::Tensor input = as_factor(in[0], *mode);
    const torch::Tensor weight = as_factor(in[1], *mode);
    const torch::Tensor bias = in.size() > 2 ? as_factor(in[2], *mode) : torch::Tensor();
    const Window w = window_of(node, input.sizes(), weight.sizes().slice(2));
    // ONNX pads each end on its own, LibTorch's call both alike.
    const bool alike = w.pads_begin == w.pads_end;
    const Sizes none(w.kernel.size(), 0);
    return at::convolution(alike ? input : fit(input, w, 0.0),
                           weight,
                           bias,
                           w.strides,
                           alike ? w.pads_begin : none,
                           w.dilations,
                           /*transposed=*/false,
                           none,
                           groups);
  };
}

OperatorCall compile_max_pool(const Node& node) {
  check_pool(node);
  const bool ceil_mode = int_attribute(node, "ceil_mode", 0) != 0;
  return [node, ceil_mode](std::span<const torch::Tensor> in) {
    const Window w = window_of(node, in[0].sizes());
    if (is_simple(w, ceil_mode)) return max_pool(in[0], w, w.pads_begin);
    const torch::Tensor fitted = fit(in[0], w, -std::numeric_limits<double>::infinity());
    return max_pool(fitted, w, Sizes(w.kernel.size(), 0));
  };
}

OperatorCall compile_average_pool(const Node& node) {
  check_pool(node);
  const bool ceil_mode = int_attribute(node, "ceil_mode", 0) != 0;
  const bool count_padding = int_attribute(node, "count_include_pad", 0) != 0;
  const Sizes dilations = ints_attribute(node, "dilations", {});
  if (std::any_of(dilations.begin(), dilations.end(), [](auto d) { return d != 1; })) {
    throw InputError(
        cat("[train] node ", describe(node), ": dilated average pooling is not supported"));
  }
  return [=](std::span<const torch::Tensor> in) {
    const Window w = window_of(node, in[0].sizes());
    if (is_simple(w, ceil_mode)) return average_pool(in[0], w, w.pads_begin, count_padding);
    // The mean over a window's whole size, over the share of the window that counts: ones on the
    // input, on the padding if it counts, and never beyond.
    const Sizes none(w.kernel.size(), 0);
    Sizes shape = in[0].sizes().vec();
    shape[0] = shape[1] = 1;
    Window counted = w;
    if (count_padding) {
      for (std::size_t i = 0; i < w.kernel.size(); ++i) {
        shape[i + 2] += w.pads_begin[i] + w.pads_end[i];
        counted.pads_begin[i] = 0;
      }
    }
    const torch::Tensor ones = at::ones(shape, in[0].options().requires_grad(false));
    return average_pool(fit(in[0], w, 0.0), w, none, true) /
           average_pool(fit(ones, counted, 0.0), w, none, true);
  };
}

}  // namespace lastbit
