#include "lastbit/train/data_parallel.h"

#include "lastbit/base/random.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr std::int64_t kSums = 3;  // the members of Sums

// Calls use(statistic, its place in the tail) for each.
template <typename Use>
void for_each_place(const std::vector<torch::Tensor>& statistics,
                    const torch::Tensor& tail,
                    Use use) {
  std::int64_t at = kSums;
  for (const torch::Tensor& statistic : statistics) {
    use(statistic, tail.narrow(0, at, statistic.numel()).view(statistic.sizes()));
    at += statistic.numel();
  }
}

}  // namespace

DataParallel::DataParallel(Communicator* workers, Network& network)
    : workers_(workers), network_(network) {
  if (alone()) return;
  broadcast(*workers_, network_);
  gradient_.emplace(*workers_, network_);
  statistics_ = network_.statistics();
  std::int64_t total = kSums;
  for (const torch::Tensor& statistic : statistics_) total += statistic.numel();
  tail_ = torch::zeros({total}, torch::kFloat64);
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
  auto* const tail = tail_.data_ptr<double>();
  tail[0] = own.loss;
  tail[1] = own.misses;
  tail[2] = own.stop ? 1.0 : 0.0;
  for_each_place(statistics_, tail_, [&](const torch::Tensor& statistic, torch::Tensor place) {
    place.copy_(statistic);
    place.mul_(share);
  });
  workers_->sum(tail_);
  for_each_place(statistics_, tail_, [](torch::Tensor statistic, const torch::Tensor& place) {
    statistic.copy_(place);
  });
  const Sums sums{.loss = tail[0], .misses = tail[1], .stop = tail[2] > 0.0};
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
