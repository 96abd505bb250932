#include "lastbit/train/recurrent.h"

#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "lastbit/graph/recurrent.h"
#include "lastbit/train/recurrent_steps.h"

namespace lastbit {
namespace {

using Tensors = std::vector<torch::Tensor>;

// The parameters of one direction, with gates in ONNX's order. Biases may be undefined.
struct Parameters {
  torch::Tensor w;       // [gates * hidden, inputs]
  torch::Tensor r;       // [gates * hidden, hidden]
  torch::Tensor w_bias;  // [gates * hidden]
  torch::Tensor r_bias;
};

Tensors per_direction(const torch::Tensor& tensor, const Recurrent& r) {
  return r.directions == 1 ? Tensors{tensor[0]} : tensor.unbind(0);
}

// Gates from ONNX's order to LibTorch's: input, output, forget, cell to input, forget, cell, output
// for LSTM; update, reset, hidden to reset, update, hidden for GRU.
torch::Tensor reordered(const torch::Tensor& rows, const Recurrent& r) {
  const Tensors gates = rows.chunk(r.gates);
  return r.lstm() ? at::cat({gates[0], gates[2], gates[3], gates[1]})
                  : at::cat({gates[1], gates[0], gates[2]});
}

// What cuDNN takes without copying it once more: all matrices, then all biases, in one piece.
Tensors in_one_piece(const Tensors& parts) {
  Tensors flat;
  std::vector<std::int64_t> sizes;
  for (const std::size_t kind : {std::size_t{0}, std::size_t{2}}) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i % 4 / 2 * 2 != kind) continue;
      flat.push_back(parts[i].reshape({-1}));
      sizes.push_back(parts[i].numel());
    }
  }
  const Tensors pieces = at::cat(flat).split_with_sizes(sizes);
  Tensors result(parts.size());
  std::size_t at = 0;
  for (const std::size_t kind : {std::size_t{0}, std::size_t{2}}) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i % 4 / 2 * 2 == kind) result[i] = pieces[at++].view(parts[i].sizes());
    }
  }
  return result;
}

// The inputs of a node, in one type, and what comes of them.
class Layer {
 public:
  Layer(const Node& node, std::span<const torch::Tensor> in, const ForwardMode& mode)
      : r_(recurrent_of(node, in[0].sizes(), in[1].sizes(), in[2].sizes())) {
    const bool half = mode.precision == Precision::kBf16 && in[0].is_cuda();
    type_ = half ? torch::kBFloat16 : in[1].scalar_type();
    x_ = in[0].to(type_);
    const Tensors w = per_direction(in[1].to(type_), r_);
    const Tensors recurrence = per_direction(in[2].to(type_), r_);
    Tensors biases;
    if (const torch::Tensor bias = input(in, kRecurrentBias); bias.defined()) {
      require_shape(node, "B", bias.sizes(), {r_.directions, 2 * r_.gates * r_.hidden});
      biases = per_direction(bias.to(type_), r_);
    }
    for (std::size_t d = 0; d < w.size(); ++d) {
      parameters_.push_back({w[d], recurrence[d], {}, {}});
      if (biases.empty()) continue;
      const Tensors halves = biases[d].chunk(2);
      parameters_.back().w_bias = halves[0];
      parameters_.back().r_bias = halves[1];
    }
    hidden_ = state(node, input(in, kRecurrentHidden), "initial_h");
    if (r_.lstm()) cell_ = state(node, input(in, kRecurrentCell), "initial_c");
  }

  Tensors run() const {
    return x_.is_cuda() && (r_.lstm() || r_.reset_after) ? by_libtorch() : step_by_step();
  }

 private:
  static torch::Tensor input(std::span<const torch::Tensor> in, std::size_t index) {
    return index < in.size() ? in[index] : torch::Tensor();
  }

  torch::Tensor state(const Node& node, const torch::Tensor& given, std::string_view name) const {
    if (!given.defined()) return at::zeros({r_.directions, r_.batch, r_.hidden}, x_.options());
    require_shape(node, name, given.sizes(), {r_.directions, r_.batch, r_.hidden});
    return given.to(type_);
  }

  Tensors by_libtorch() const {
    Tensors parts;
    for (const Parameters& direction : parameters_) {
      parts.push_back(reordered(direction.w, r_));
      parts.push_back(reordered(direction.r, r_));
      if (!direction.w_bias.defined()) continue;
      parts.push_back(reordered(direction.w_bias, r_));
      parts.push_back(reordered(direction.r_bias, r_));
    }
    const bool has_biases = parameters_.front().w_bias.defined();
    if (has_biases) parts = in_one_piece(parts);
    const torch::Tensor x = r_.reverse ? x_.flip(0) : x_;
    // cuDNN keeps what backward needs only in training.
    const bool train = at::GradMode::is_enabled();
    const bool both = r_.directions == 2;
    Tensors results;
    if (r_.lstm()) {
      const auto [y, h, c] =
          at::lstm(x, {hidden_, cell_}, parts, has_biases, 1, 0.0, train, both, false);
      results = {y, h, c};
    } else {
      const auto [y, h] = at::gru(x, hidden_, parts, has_biases, 1, 0.0, train, both, false);
      results = {y, h};
    }
    // [steps, batch, directions * hidden] to [steps, directions, batch, hidden]
    torch::Tensor& y = results.front();
    if (r_.reverse) y = y.flip(0);
    y = both ? y.view({r_.steps, r_.batch, 2, r_.hidden}).transpose(1, 2) : y.unsqueeze(1);
    return results;
  }

  Tensors step_by_step() const {
    std::vector<Tensors> results(r_.lstm() ? 3 : 2);  // of each output, by direction
    for (std::size_t d = 0; d < parameters_.size(); ++d) {
      const Parameters& p = parameters_[d];
      const auto direction = static_cast<std::int64_t>(d);
      const bool backward = r_.backward(direction);
      const torch::Tensor none = at::zeros({p.w.size(0)}, x_.options());
      const torch::Tensor w_bias = p.w_bias.defined() ? p.w_bias : none;
      const torch::Tensor r_bias = p.r_bias.defined() ? p.r_bias : none;
      const Tensors found =
          r_.lstm()
              ? lstm_steps(
                    x_, p.w, p.r, w_bias + r_bias, hidden_[direction], cell_[direction], backward)
              : gru_steps(
                    x_, p.w, p.r, w_bias, r_bias, hidden_[direction], backward, r_.reset_after);
      for (std::size_t i = 0; i < found.size(); ++i) results[i].push_back(found[i]);
    }
    Tensors outputs;
    for (const Tensors& parts : results) {
      const std::int64_t axis = outputs.empty() ? 1 : 0;  // [steps, directions, batch, hidden]
      outputs.push_back(parts.size() == 1 ? parts[0].unsqueeze(axis) : at::stack(parts, axis));
    }
    return outputs;
  }

  Recurrent r_;
  torch::ScalarType type_ = torch::kFloat32;
  torch::Tensor x_;
  std::vector<Parameters> parameters_;
  torch::Tensor hidden_;
  torch::Tensor cell_;
};

}  // namespace

NodeCall compile_recurrent(const Node& node, const ForwardMode* mode) {
  return {[node, mode](std::span<const torch::Tensor> in) { return Layer(node, in, *mode).run(); },
          node.op == "LSTM" ? std::size_t{3} : std::size_t{2}};
}

}  // namespace lastbit
