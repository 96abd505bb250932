#include "lastbit/train/windows.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include <ATen/ATen.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

using Sizes = std::vector<std::int64_t>;

// How a node's window moves. ONNX pads each end on its own; LibTorch's calls pad both alike, so
// what is unequal is padded beforehand.
struct Window {
  explicit Window(const Node& node, std::size_t rank)
      : strides(ints_attribute(node, "strides", Sizes(rank, 1))),
        dilations(ints_attribute(node, "dilations", Sizes(rank, 1))),
        pads(ints_attribute(node, "pads", Sizes(2 * rank, 0))),
        auto_pad(string_attribute(node, "auto_pad", "NOTSET")) {}

  // Padding at the beginnings, then the ends, for an input of spatial sizes `space`.
  Sizes padding(const Sizes& space, const Sizes& kernel) const {
    if (auto_pad == "NOTSET") return pads;
    Sizes result(2 * space.size(), 0);
    if (auto_pad == "VALID") return result;
    for (std::size_t i = 0; i < space.size(); ++i) {
      const auto steps = (space[i] + strides[i] - 1) / strides[i];
      const auto reach = (steps - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1;
      const auto total = std::max<std::int64_t>(0, reach - space[i]);
      const auto small = total / 2;
      result[i] = auto_pad == "SAME_UPPER" ? small : total - small;
      result[i + space.size()] = total - result[i];
    }
    return result;
  }

  Sizes strides;
  Sizes dilations;
  Sizes pads;
  std::string auto_pad;
};

Sizes space_of(const torch::Tensor& input) {
  return {input.sizes().begin() + 2, input.sizes().end()};
}

bool is_symmetric(const Sizes& padding) {
  return std::equal(padding.begin(),
                    padding.begin() + static_cast<std::ptrdiff_t>(padding.size() / 2),
                    padding.begin() + static_cast<std::ptrdiff_t>(padding.size() / 2));
}

Sizes beginnings(const Sizes& padding) {
  return {padding.begin(), padding.begin() + static_cast<std::ptrdiff_t>(padding.size() / 2)};
}

torch::Tensor pad(const torch::Tensor& input, const Sizes& padding, double value) {
  Sizes order;  // LibTorch: last dimension first, both ends side by side
  const std::size_t rank = padding.size() / 2;
  for (std::size_t i = rank; i-- > 0;) {
    order.push_back(padding[i]);
    order.push_back(padding[i + rank]);
  }
  return at::constant_pad_nd(input, order, value);
}

}  // namespace

OperatorCall compile_conv(const Node& node) {
  const auto groups = int_attribute(node, "group", 1);
  return [node, groups](std::span<const torch::Tensor> in) {
    const torch::Tensor& weight = in[1];
    const torch::Tensor bias = in.size() > 2 ? in[2] : torch::Tensor();
    const Window window(node, static_cast<std::size_t>(weight.dim() - 2));
    const Sizes padding = window.padding(space_of(in[0]), space_of(weight));
    const bool symmetric = is_symmetric(padding);
    const torch::Tensor input = symmetric ? in[0] : pad(in[0], padding, 0.0);
    const Sizes both = symmetric ? beginnings(padding) : Sizes(padding.size() / 2, 0);
    const Sizes none(both.size(), 0);
    return at::convolution(input,
                           weight,
                           bias,
                           window.strides,
                           both,
                           window.dilations,
                           /*transposed=*/false,
                           none,
                           groups);
  };
}

OperatorCall compile_max_pool(const Node& node) {
  const Sizes kernel = ints_attribute(node, "kernel_shape", {});
  const bool ceil_mode = int_attribute(node, "ceil_mode", 0) != 0;
  const Window window(node, kernel.size());
  return [=](std::span<const torch::Tensor> in) {
    const Sizes padding = window.padding(space_of(in[0]), kernel);
    const bool symmetric = is_symmetric(padding);
    const torch::Tensor input =
        symmetric ? in[0] : pad(in[0], padding, -std::numeric_limits<double>::infinity());
    const Sizes both = symmetric ? beginnings(padding) : Sizes(kernel.size(), 0);
    return kernel.size() == 1
               ? at::max_pool1d(input, kernel, window.strides, both, window.dilations, ceil_mode)
               : at::max_pool2d(input, kernel, window.strides, both, window.dilations, ceil_mode);
  };
}

OperatorCall compile_average_pool(const Node& node) {
  const Sizes kernel = ints_attribute(node, "kernel_shape", {});
  const bool ceil_mode = int_attribute(node, "ceil_mode", 0) != 0;
  const bool count_padding = int_attribute(node, "count_include_pad", 0) != 0;
  const Window window(node, kernel.size());
  if (std::any_of(
          window.dilations.begin(), window.dilations.end(), [](auto d) { return d != 1; })) {
    throw InputError(
        cat("[train] node ", describe(node), ": dilated average pooling is not supported"));
  }
  return [=](std::span<const torch::Tensor> in) {
    const Sizes padding = window.padding(space_of(in[0]), kernel);
    const bool symmetric = is_symmetric(padding);
    if (!symmetric && !count_padding) {
      throw InputError(cat("[train] node ",
                           describe(node),
                           ": unequal padding [",
                           join(padding),
                           "] that does not count is not supported"));
    }
    const torch::Tensor input = symmetric ? in[0] : pad(in[0], padding, 0.0);
    const Sizes both = symmetric ? beginnings(padding) : Sizes(kernel.size(), 0);
    return kernel.size() == 1
               ? at::avg_pool1d(input, kernel, window.strides, both, ceil_mode, count_padding)
               : at::avg_pool2d(input, kernel, window.strides, both, ceil_mode, count_padding);
  };
}

}  // namespace lastbit
