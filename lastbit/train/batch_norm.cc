#include "lastbit/train/batch_norm.h"

#include <algorithm>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

std::int64_t reestimate_batch_norm(Network& network,
                                   const Batches& data,
                                   std::int64_t batch,
                                   std::int64_t most,
                                   std::uint64_t seed) {
  if (!network.has_batch_norm()) return 0;
  if (batch < 2 || most < 1) {
    throw InputError(cat("[batch norm] ",
                         most,
                         " batches of ",
                         batch,
                         ", expected at least one of at least two samples"));
  }
  const torch::NoGradGuard no_gradient;
  const std::vector<std::int64_t> order = shuffled_order(data.size(), seed, 0);
  std::int64_t done = 0;
  for (std::int64_t begin = 0; begin < data.size() && done < most; begin += batch) {
    const std::int64_t count = std::min(batch, data.size() - begin);
    // The rest of an epoch would weigh as much as a whole batch.
    if (count < batch && done > 0) break;
    ++done;
    network.set_mode({.training = false, .statistics_share = 1.0 / static_cast<double>(done)});
    const auto indices =
        std::span(order).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
    network.forward(data.gather(indices).input);
  }
  network.set_training(true);
  return done;
}

}  // namespace lastbit
