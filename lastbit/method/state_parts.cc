#include "lastbit/method/state_parts.h"

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

torch::Tensor integers(const std::vector<std::int64_t>& values) {
  return torch::tensor(values, torch::kInt64);
}

// A list, although torch::tensor of one number in braces would be one.
torch::Tensor reals(const std::vector<double>& values) {
  return torch::tensor(values, torch::kFloat64);
}

const torch::Tensor& part(const State& state,
                          const std::string& name,
                          torch::ScalarType type,
                          std::int64_t size) {
  const auto found = state.find(name);
  if (found == state.end() || found->second.scalar_type() != type ||
      (size >= 0 && found->second.numel() != size)) {
    throw FormatError(cat("[state] there is no '", name, "', or one of another kind"));
  }
  return found->second;
}

void add(State& state, const std::string& prefix, const State& part) {
  for (const auto& [name, tensor] : part) {
    state[prefix + name] = tensor.detach().to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true);
  }
}

State below(const State& state, const std::string& prefix) {
  State result;
  for (auto at = state.lower_bound(prefix); at != state.end() && at->first.starts_with(prefix);
       ++at) {
    result[at->first.substr(prefix.size())] = at->second;
  }
  return result;
}

torch::Tensor figures_of(const Residuals& residuals) {
  return reals({residuals.primal, residuals.dual, residuals.flipped, residuals.penalty});
}

std::optional<Residuals> residuals_in(const State& state, const std::string& name) {
  if (!state.contains(name)) return std::nullopt;
  const torch::Tensor figures = part(state, name, torch::kFloat64, 4);
  const auto* const figure = figures.data_ptr<double>();
  return Residuals{
      .primal = figure[0], .dual = figure[1], .flipped = figure[2], .penalty = figure[3]};
}

}  // namespace lastbit
