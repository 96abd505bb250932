#include <utility>

#include <ATen/Context.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/method/state_parts.h"
#include "lastbit/train/trainer.h"

// What a Trainer saves, and how it goes on. The order of samples is a pure function of seed and
// epoch.

namespace lastbit {
namespace {

at::Generator generator_of(torch::Device device) {
  return at::globalContext().defaultGenerator(device);
}

torch::Tensor random_state(torch::Device device) {
  at::Generator generator = generator_of(device);
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return generator.get_state();
}

void set_random_state(torch::Device device, const torch::Tensor& state) {
  at::Generator generator = generator_of(device);
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_state(state);
}

}  // namespace

State Trainer::state() const {
  const torch::NoGradGuard no_gradient;
  State result;
  add(result, "network.", network_.state());
  add(result, "optimizer.", optimizer_->state());
  if (method_ != nullptr) add(result, "method.", method_->state());
  add(result, "task.", task_.state());
  // Those of the run first, by which another run's state is known.
  result["place"] = integers({train_.size(),
                              options_.batch,
                              at_.total_steps,
                              at_.total_rounds,
                              at_.step,
                              at_.epoch,
                              at_.round,
                              samples_,
                              feasible_ ? 1 : 0});
  result["precision"] = integers({static_cast<std::int64_t>(options_.precision)});
  result["sums"] = reals({loss_sum_.item<double>(), seconds_, at_.learning_rate, at_.step_size});
  result["misses"] = reals({miss_sum_.item<double>()});
  if (residuals_) result["residuals"] = figures_of(*residuals_);
  result["random.cpu"] = random_state(torch::kCPU);
  if (network_.device().is_cuda()) result["random.cuda"] = random_state(network_.device());
  return result;
}

void Trainer::load(const State& state) {
  const torch::NoGradGuard no_gradient;
  const torch::Tensor place = part(state, "place", torch::kInt64, 9);
  const auto* const at = place.data_ptr<std::int64_t>();
  const bool same_run = at[0] == train_.size() && at[1] == options_.batch &&
                        at[2] == at_.total_steps && at[3] == at_.total_rounds;
  const bool within = at[4] >= 0 && at[4] <= at[2] && at[5] >= 0 && at[5] < options_.epochs &&
                      at[6] >= 0 && at[7] >= 0 && at[7] <= at[0];
  if (!same_run || !within) {
    throw FormatError(cat("[train] the state is of another run: ",
                          at[0],
                          " samples in batches of ",
                          at[1],
                          ", ",
                          at[2],
                          " steps and ",
                          at[3],
                          " rounds, this one has ",
                          train_.size(),
                          ", ",
                          options_.batch,
                          ", ",
                          at_.total_steps,
                          " and ",
                          at_.total_rounds));
  }
  // Runs saved before there was a choice were in float32.
  const auto precision = state.contains("precision")
                             ? part(state, "precision", torch::kInt64, 1).item<std::int64_t>()
                             : static_cast<std::int64_t>(Precision::kFloat32);
  if (precision != static_cast<std::int64_t>(options_.precision)) {
    throw FormatError("[train] the state is of a run in another precision");
  }
  network_.load(below(state, "network."));
  optimizer_->load(below(state, "optimizer."));
  if (method_ != nullptr) method_->load(below(state, "method."));
  start_epoch(at[5]);
  // What the other workers carried was not saved: they go on as at the start of an epoch.
  if (parallel_.rank() == 0) task_.load(below(state, "task."));
  at_.step = at[4];
  at_.round = at[6];
  at_.round_steps = rounds_.steps(at_.round);
  samples_ = at[7];
  feasible_ = at[8] != 0;
  const torch::Tensor sums = part(state, "sums", torch::kFloat64, 4);
  loss_sum_.fill_(sums[0].item<double>());
  seconds_ = sums[1].item<double>();
  at_.learning_rate = sums[2].item<double>();
  at_.step_size = sums[3].item<double>();
  miss_sum_.fill_(part(state, "misses", torch::kFloat64, 1).item<double>());
  if (auto last = residuals_in(state, "residuals")) residuals_ = std::move(last);
  if (parallel_.rank() != 0) {
    // Worker 0's random state was saved; the others' dropout goes on with other numbers.
    torch::manual_seed(
        worker_seed(options_.seed + static_cast<std::uint64_t>(at_.step), parallel_.rank()));
    return;
  }
  set_random_state(torch::kCPU, part(state, "random.cpu", torch::kUInt8, -1));
  if (network_.device().is_cuda()) {
    set_random_state(network_.device(), part(state, "random.cuda", torch::kUInt8, -1));
  }
}

}  // namespace lastbit
