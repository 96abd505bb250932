#include <tuple>

#include <ATen/ATen.h>
#include <torch/library.h>

// The steps of recurrent layers that LibTorch has for CUDA alone, for the processor that computes
// in the pretended device's place. Gates come one after another, (batch, gates * units).

namespace lastbit::pretend {
namespace {

using OptionalTensor = c10::optional<at::Tensor>;

at::Tensor with_bias(const at::Tensor& gates, const OptionalTensor& bias) {
  return bias.has_value() && bias->defined() ? gates + *bias : gates;
}

at::Tensor or_zeros(const OptionalTensor& gradient, const at::Tensor& like) {
  return gradient.has_value() && gradient->defined() ? *gradient : at::zeros_like(like);
}

at::Tensor slope_of_sigmoid(const at::Tensor& y) { return y * (1 - y); }
at::Tensor slope_of_tanh(const at::Tensor& y) { return 1 - y * y; }

std::tuple<at::Tensor, at::Tensor, at::Tensor> lstm(const at::Tensor& input_gates,
                                                    const at::Tensor& hidden_gates,
                                                    const at::Tensor& cx,
                                                    const OptionalTensor& input_bias,
                                                    const OptionalTensor& hidden_bias) {
  const std::vector<at::Tensor> gates =
      (with_bias(input_gates, input_bias) + with_bias(hidden_gates, hidden_bias)).chunk(4, 1);
  const at::Tensor i = gates[0].sigmoid();
  const at::Tensor f = gates[1].sigmoid();
  const at::Tensor g = gates[2].tanh();
  const at::Tensor o = gates[3].sigmoid();
  const at::Tensor cy = f * cx + i * g;
  return {o * cy.tanh(), cy, at::cat({i, f, g, o}, 1)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> lstm_backward(const OptionalTensor& grad_hy,
                                                             const OptionalTensor& grad_cy,
                                                             const at::Tensor& cx,
                                                             const at::Tensor& cy,
                                                             const at::Tensor& workspace,
                                                             bool has_bias) {
  const std::vector<at::Tensor> gates = workspace.chunk(4, 1);
  const at::Tensor& i = gates[0];
  const at::Tensor& f = gates[1];
  const at::Tensor& g = gates[2];
  const at::Tensor& o = gates[3];
  const at::Tensor gh = or_zeros(grad_hy, cx);
  const at::Tensor squashed = cy.tanh();
  const at::Tensor gc = or_zeros(grad_cy, cx) + gh * o * slope_of_tanh(squashed);
  const at::Tensor grad = at::cat({gc * g * slope_of_sigmoid(i),
                                   gc * cx * slope_of_sigmoid(f),
                                   gc * i * slope_of_tanh(g),
                                   gh * squashed * slope_of_sigmoid(o)},
                                  1);
  return {grad, gc * f, has_bias ? grad.sum(0) : at::Tensor()};
}

std::tuple<at::Tensor, at::Tensor> gru(const at::Tensor& input_gates,
                                       const at::Tensor& hidden_gates,
                                       const at::Tensor& hx,
                                       const OptionalTensor& input_bias,
                                       const OptionalTensor& hidden_bias) {
  const std::vector<at::Tensor> x = with_bias(input_gates, input_bias).chunk(3, 1);
  const std::vector<at::Tensor> h = with_bias(hidden_gates, hidden_bias).chunk(3, 1);
  const at::Tensor r = (x[0] + h[0]).sigmoid();
  const at::Tensor z = (x[1] + h[1]).sigmoid();
  const at::Tensor n = (x[2] + r * h[2]).tanh();
  return {n + z * (hx - n), at::cat({r, z, n, hx, h[2]}, 1)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> gru_backward(
    const at::Tensor& grad_hy, const at::Tensor& workspace, bool has_bias) {
  const std::vector<at::Tensor> saved = workspace.chunk(5, 1);
  const at::Tensor& r = saved[0];
  const at::Tensor& z = saved[1];
  const at::Tensor& n = saved[2];
  const at::Tensor gn = grad_hy * (1 - z) * slope_of_tanh(n);
  const at::Tensor gr = gn * saved[4] * slope_of_sigmoid(r);
  const at::Tensor gz = grad_hy * (saved[3] - n) * slope_of_sigmoid(z);
  const at::Tensor gx = at::cat({gr, gz, gn}, 1);
  const at::Tensor gh = at::cat({gr, gz, gn * r}, 1);
  return {gx,
          gh,
          grad_hy * z,
          has_bias ? gx.sum(0) : at::Tensor(),
          has_bias ? gh.sum(0) : at::Tensor()};
}

}  // namespace

TORCH_LIBRARY_IMPL(aten, CPU, m) {
  m.impl("_thnn_fused_lstm_cell", &lstm);
  m.impl("_thnn_fused_lstm_cell_backward_impl", &lstm_backward);
  m.impl("_thnn_fused_gru_cell", &gru);
  m.impl("_thnn_fused_gru_cell_backward", &gru_backward);
}

}  // namespace lastbit::pretend
