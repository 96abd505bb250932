#include "lastbit/train/recurrent_steps.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace lastbit {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using Tensors = std::vector<torch::Tensor>;

// The steps of time in the order in which a direction takes them.
class Times {
 public:
  Times(std::int64_t steps, bool backward) : steps_(steps), backward_(backward) {}

  std::int64_t size() const noexcept { return steps_; }
  std::int64_t operator[](std::int64_t i) const noexcept { return backward_ ? steps_ - 1 - i : i; }

  // What `y` was one step earlier, `first` at the first.
  torch::Tensor before(const torch::Tensor& y, const torch::Tensor& first) const {
    const torch::Tensor one = first.unsqueeze(0);
    return backward_ ? at::cat({y.narrow(0, 1, steps_ - 1), one})
                     : at::cat({one, y.narrow(0, 0, steps_ - 1)});
  }
  torch::Tensor last(const torch::Tensor& y) const { return y[(*this)[steps_ - 1]]; }

 private:
  std::int64_t steps_;
  bool backward_;
};

// The gates of rows.
Tensors columns(const torch::Tensor& rows, std::int64_t width) {
  return at::split(rows, width, /*dim=*/-1);
}

torch::Tensor flat(const torch::Tensor& tensor) { return tensor.reshape({-1, tensor.size(-1)}); }

torch::Tensor or_zeros(const torch::Tensor& gradient, const torch::Tensor& like) {
  return gradient.defined() ? gradient : at::zeros_like(like);
}

struct LstmSteps : Function<LstmSteps> {
  static Tensors forward(AutogradContext* context,
                         const torch::Tensor& x,
                         const torch::Tensor& w,
                         const torch::Tensor& r,
                         const torch::Tensor& bias,
                         const torch::Tensor& hidden,
                         const torch::Tensor& cell,
                         bool backward) {
    const Times times(x.size(0), backward);
    const std::int64_t width = r.size(1);
    const torch::Tensor turned = r.t();
    torch::Tensor gates = at::linear(x, w, bias);
    torch::Tensor y = at::empty({x.size(0), x.size(1), width}, x.options());
    torch::Tensor cells = at::empty_like(y);
    torch::Tensor bent = at::empty_like(y);  // tanh of the cells
    torch::Tensor h = hidden;
    torch::Tensor c = cell;
    for (std::int64_t i = 0; i < times.size(); ++i) {
      const std::int64_t t = times[i];
      torch::Tensor now = gates[t];
      now.addmm_(h, turned);
      now.narrow(1, 0, 3 * width).sigmoid_();
      now.narrow(1, 3 * width, width).tanh_();
      const Tensors gate = columns(now, width);  // input, output, forget, cell
      torch::Tensor next = cells[t];
      at::mul_out(next, gate[2], c);
      c = next.addcmul_(gate[0], gate[3]);
      torch::Tensor bent_now = bent[t];
      at::tanh_out(bent_now, c);
      h = y[t];
      at::mul_out(h, gate[1], bent_now);
    }
    context->save_for_backward({x, w, r, hidden, cell, gates, y, cells, bent});
    context->saved_data["backward"] = backward;
    return {y, times.last(y).clone(), times.last(cells).clone()};
  }

  static Tensors backward(AutogradContext* context, const Tensors& gradients) {
    const Tensors saved = context->get_saved_variables();
    const torch::Tensor& x = saved[0];
    const torch::Tensor& w = saved[1];
    const torch::Tensor& r = saved[2];
    const torch::Tensor& hidden = saved[3];
    const torch::Tensor& cell = saved[4];
    const torch::Tensor& gates = saved[5];
    const torch::Tensor& y = saved[6];
    const torch::Tensor& cells = saved[7];
    const torch::Tensor& bent = saved[8];
    const Times times(x.size(0), context->saved_data["backward"].toBool());
    const std::int64_t width = r.size(1);
    torch::Tensor slopes = at::empty_like(gates);
    torch::Tensor dh = or_zeros(gradients[1], hidden);
    torch::Tensor dc = or_zeros(gradients[2], cell);
    for (std::int64_t i = times.size() - 1; i >= 0; --i) {
      const std::int64_t t = times[i];
      const Tensors gate = columns(gates[t], width);
      Tensors slope = columns(slopes[t], width);
      if (gradients[0].defined()) dh = dh + gradients[0][t];
      dc = dc + at::tanh_backward(dh * gate[1], bent[t]);
      at::sigmoid_backward_out(slope[0], dc * gate[3], gate[0]);
      at::sigmoid_backward_out(slope[1], dh * bent[t], gate[1]);
      at::sigmoid_backward_out(slope[2], dc * (i == 0 ? cell : cells[times[i - 1]]), gate[2]);
      at::tanh_backward_out(slope[3], dc * gate[0], gate[3]);
      dc = dc * gate[2];
      dh = at::mm(slopes[t], r);
    }
    const torch::Tensor all = flat(slopes);
    return {at::matmul(slopes, w),
            at::mm(all.t(), flat(x)),
            at::mm(all.t(), flat(times.before(y, hidden))),
            all.sum(0),
            dh,
            dc,
            torch::Tensor()};
  }
};

struct GruSteps : Function<GruSteps> {
  static Tensors forward(AutogradContext* context,
                         const torch::Tensor& x,
                         const torch::Tensor& w,
                         const torch::Tensor& r,
                         const torch::Tensor& w_bias,
                         const torch::Tensor& r_bias,
                         const torch::Tensor& hidden,
                         bool backward,
                         bool reset_after) {
    const Times times(x.size(0), backward);
    const std::int64_t width = r.size(1);
    const torch::Tensor turned = r.t();
    const Tensors turned_parts = at::split_with_sizes(turned, {2 * width, width}, 1);
    torch::Tensor gates = at::linear(x, w, w_bias);
    torch::Tensor y = at::empty({x.size(0), x.size(1), width}, x.options());
    // What the reset gate multiplies, or what comes of that.
    torch::Tensor past = at::empty_like(y);
    torch::Tensor h = hidden;
    for (std::int64_t i = 0; i < times.size(); ++i) {
      const std::int64_t t = times[i];
      const Tensors gate = columns(gates[t], width);  // update, reset, hidden
      torch::Tensor both = gates[t].narrow(1, 0, 2 * width);
      torch::Tensor fresh = gate[2];
      torch::Tensor reset = past[t];
      if (reset_after) {
        const torch::Tensor product = at::addmm(r_bias, h, turned);
        both.add_(product.narrow(1, 0, 2 * width)).sigmoid_();
        reset.copy_(product.narrow(1, 2 * width, width));
        fresh.addcmul_(gate[1], reset).tanh_();
      } else {
        both.addmm_(h, turned_parts[0]).sigmoid_();
        at::mul_out(reset, gate[1], h);
        fresh.addmm_(reset, turned_parts[1]).tanh_();
      }
      torch::Tensor next = y[t];
      at::lerp_out(next, fresh, h, gate[0]);
      h = next;
    }
    context->save_for_backward({x, w, r, hidden, gates, y, past});
    context->saved_data["backward"] = backward;
    context->saved_data["reset_after"] = reset_after;
    return {y, times.last(y).clone()};
  }

  static Tensors backward(AutogradContext* context, const Tensors& gradients) {
    const Tensors saved = context->get_saved_variables();
    const torch::Tensor& x = saved[0];
    const torch::Tensor& w = saved[1];
    const torch::Tensor& r = saved[2];
    const torch::Tensor& hidden = saved[3];
    const torch::Tensor& gates = saved[4];
    const torch::Tensor& y = saved[5];
    const torch::Tensor& past = saved[6];
    const Times times(x.size(0), context->saved_data["backward"].toBool());
    const bool reset_after = context->saved_data["reset_after"].toBool();
    const std::int64_t width = r.size(1);
    const Tensors parts = at::split_with_sizes(r, {2 * width, width});
    const torch::Tensor before = times.before(y, hidden);
    torch::Tensor slopes = at::empty_like(gates);
    // Those of R's product, where that is not what is added to w's.
    torch::Tensor product_slopes = reset_after ? at::empty_like(gates) : slopes;
    torch::Tensor dh = or_zeros(gradients[1], hidden);
    for (std::int64_t i = times.size() - 1; i >= 0; --i) {
      const std::int64_t t = times[i];
      const torch::Tensor h = before[t];
      const Tensors gate = columns(gates[t], width);
      Tensors slope = columns(slopes[t], width);
      if (gradients[0].defined()) dh = dh + gradients[0][t];
      at::sigmoid_backward_out(slope[0], dh * (h - gate[2]), gate[0]);
      at::tanh_backward_out(slope[2], dh - dh * gate[0], gate[2]);
      if (reset_after) {
        at::sigmoid_backward_out(slope[1], slope[2] * past[t], gate[1]);
        torch::Tensor of_product = product_slopes[t];
        of_product.narrow(1, 0, 2 * width).copy_(slopes[t].narrow(1, 0, 2 * width));
        torch::Tensor last = of_product.narrow(1, 2 * width, width);
        at::mul_out(last, slope[2], gate[1]);
        dh = at::addmm(dh * gate[0], of_product, r);
      } else {
        const torch::Tensor of_reset = at::mm(slope[2], parts[1]);
        at::sigmoid_backward_out(slope[1], of_reset * h, gate[1]);
        dh = at::addmm(dh * gate[0], slopes[t].narrow(1, 0, 2 * width), parts[0])
                 .addcmul_(of_reset, gate[1]);
      }
    }
    const torch::Tensor all = flat(slopes);
    const torch::Tensor of_product = flat(product_slopes);
    torch::Tensor dr;
    if (reset_after) {
      dr = at::mm(of_product.t(), flat(before));
    } else {
      const Tensors split = at::split_with_sizes(all, {2 * width, width}, 1);
      dr = at::cat({at::mm(split[0].t(), flat(before)), at::mm(split[1].t(), flat(past))});
    }
    return {at::matmul(slopes, w),
            at::mm(all.t(), flat(x)),
            dr,
            all.sum(0),
            reset_after ? of_product.sum(0) : torch::Tensor(),
            dh,
            torch::Tensor(),
            torch::Tensor()};
  }
};

}  // namespace

std::vector<torch::Tensor> lstm_steps(const torch::Tensor& x,
                                      const torch::Tensor& w,
                                      const torch::Tensor& r,
                                      const torch::Tensor& bias,
                                      const torch::Tensor& hidden,
                                      const torch::Tensor& cell,
                                      bool backward) {
  return LstmSteps::apply(x, w, r, bias, hidden, cell, backward);
}

std::vector<torch::Tensor> gru_steps(const torch::Tensor& x,
                                     const torch::Tensor& w,
                                     const torch::Tensor& r,
                                     const torch::Tensor& w_bias,
                                     const torch::Tensor& r_bias,
                                     const torch::Tensor& hidden,
                                     bool backward,
                                     bool reset_after) {
  const torch::Tensor bias = reset_after ? w_bias : w_bias + r_bias;
  return GruSteps::apply(x, w, r, bias, r_bias, hidden, backward, reset_after);
}

}  // namespace lastbit
