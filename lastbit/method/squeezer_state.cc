#include <stdexcept>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/method/squeezer.h"
#include "lastbit/method/state_parts.h"

// What a Squeezer saves, and how it goes on.

namespace lastbit {

State Squeezer::state() const {
  const torch::NoGradGuard no_gradient;
  State result;
  add(result, "method.", method_->state());
  // Those of the run first, by which another run's state is known.
  result["place"] = integers({weights_.size(),
                              options_.steps,
                              options_.round_steps,
                              options_.epoch_steps,
                              at_.step,
                              at_.epoch,
                              at_.round,
                              in_round_ ? 1 : 0,
                              finished_ ? 1 : 0});
  result["rates"] = reals({at_.learning_rate, at_.step_size});
  if (loss_.defined()) result["loss"] = reals({loss_.item<double>()});
  if (residuals_) result["residuals"] = figures_of(*residuals_);
  return result;
}

void Squeezer::load(const State& state) {
  const torch::NoGradGuard no_gradient;
  const torch::Tensor place = part(state, "place", torch::kInt64, 9).contiguous();
  const torch::Tensor rates = part(state, "rates", torch::kFloat64, 2).contiguous();
  const auto* const at = place.data_ptr<std::int64_t>();
  const bool same_run = at[0] == weights_.size() && at[1] == options_.steps &&
                        at[2] == options_.round_steps && at[3] == options_.epoch_steps;
  const bool within = at[4] >= 0 && at[4] <= at[1] && at[5] >= 0 && at[6] >= 0;
  if (!same_run || !within) {
    throw FormatError(cat("[squeezer] the state is of another run: ",
                          at[0],
                          " weights, ",
                          at[1],
                          " steps in rounds of ",
                          at[2],
                          " and epochs of ",
                          at[3],
                          ", this one has ",
                          weights_.size(),
                          ", ",
                          options_.steps,
                          ", ",
                          options_.round_steps,
                          " and ",
                          options_.epoch_steps));
  }
  take_back_moved();
  try {
    method_->load(below(state, "method."));
  } catch (const std::out_of_range&) {
    throw FormatError(cat("[squeezer] the state is not one of the method '",
                          method_->name(),
                          "' on these parameters"));
  }
  at_.step = at[4];
  at_.epoch = at[5];
  at_.round = at[6];
  in_round_ = at[7] != 0;
  finished_ = at[8] != 0;
  at_.learning_rate = rates[0].item<double>();
  at_.step_size = rates[1].item<double>();
  loss_ = state.contains("loss") ? part(state, "loss", torch::kFloat64, 1).clone().squeeze()
                                 : torch::Tensor();
  residuals_ = residuals_in(state, "residuals");
}

// As reading a module's archive does, which gives each parameter the memory that was read.
void Squeezer::take_back_moved() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    torch::Tensor& parameter = parameters_[i].value;
    const torch::Tensor slice =
        weights_.value.narrow(0, weights_.layers[i].offset, parameter.numel())
            .view(parameter.sizes());
    if (parameter.data_ptr() == slice.data_ptr()) continue;
    slice.copy_(parameter);
    parameter.set_data(slice);
  }
}

}  // namespace lastbit
