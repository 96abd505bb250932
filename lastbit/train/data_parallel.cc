#include "lastbit/train/data_parallel.h"

#include "lastbit/base/random.h"
#include "lastbit/base/text.h"

namespace lastbit {

DataParallel::DataParallel(Communicator* workers, Network& network)
    : workers_(workers), network_(network) {
  if (alone()) return;
  broadcast(*workers_, network_);
  gradient_.emplace(*workers_, network_);
  statistics_ = network_.statistics();
}

void DataParallel::begin_step() {
  if (alone() || rank() != 0) return;  // worker 0 saves the run
  const torch::NoGradGuard no_gradient;
  std::vector<torch::Tensor> now = statistics_;
  now.push_back(network_.parameters());
  saved_.resize(now.size());
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (saved_[i].defined()) {
      saved_[i].copy_(now[i]);
    } else {
      saved_[i] = now[i].clone();
    }
  }
}

void DataParallel::restore() {
  if (saved_.empty()) return;
  const torch::NoGradGuard no_gradient;
  torch::Tensor parameters = network_.parameters();
  parameters.copy_(saved_.back());
  for (std::size_t i = 0; i < statistics_.size(); ++i) statistics_[i].copy_(saved_[i]);
}

void DataParallel::begin_backward() {
  if (!alone()) gradient_->begin();
}

DataParallel::Sums DataParallel::reduce(const Sums& own, double share) {
  gradient_->start_rest();
  // As one tensor on the network's device: loss, misses and stop, then the statistics.
  constexpr std::int64_t kFirst = 3;
  const torch::Tensor stop = torch::full_like(own.loss, own.stop ? 1.0 : 0.0);
  torch::Tensor all = torch::stack({own.loss, own.misses, stop});
  if (!statistics_.empty()) {
    std::vector<torch::Tensor> flat;
    for (const torch::Tensor& statistic : statistics_) flat.push_back(statistic.flatten());
    all = torch::cat({all, torch::cat(flat).to(torch::kFloat64).mul_(share)});
  }
  workers_->sum(all);
  std::int64_t at = kFirst;
  for (torch::Tensor& statistic : statistics_) {
    statistic.copy_(all.narrow(0, at, statistic.numel()).view(statistic.sizes()));
    at += statistic.numel();
  }
  const Sums sums{.loss = all[0], .misses = all[1], .stop = all[2].item<double>() > 0.0};
  workers_->finish_sums();
  return sums;
}

void DataParallel::require_same(const std::string& where) const {
  if (!alone()) lastbit::require_same(*workers_, network_.parameters(), where);
}

std::uint64_t worker_seed(std::uint64_t seed, int rank) noexcept {
  return rank == 0 ? seed : Random(seed, static_cast<std::uint64_t>(rank)).next();
}

}  // namespace lastbit
