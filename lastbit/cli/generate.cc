#include "lastbit/cli/generate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

Sampler::Sampler(const SamplingOptions& options) : options_(options), random_(options.seed) {
  if (!(options.temperature >= 0.0 && options.temperature <= kMostTemperature)) {
    throw InputError(cat("[sampling] the temperature is ",
                         options.temperature,
                         ", expected 0 to ",
                         kMostTemperature));
  }
  if (options.top_k < 0) {
    throw InputError(cat("[sampling] top-k is ", options.top_k, ", expected 0 (all) or more"));
  }
}

std::int32_t Sampler::draw(std::span<const float> logits) {
  for (const float logit : logits) {
    if (std::isfinite(logit)) continue;
    throw WorkError(cat("[sampling] the model gives a logit of ", logit, ", expected finite ones"));
  }
  order_.resize(logits.size());
  std::iota(order_.begin(), order_.end(), 0);
  const auto likelier = [&](std::int32_t a, std::int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  const auto top = std::ranges::min_element(order_, likelier);
  if (options_.temperature == 0.0) return *top;
  const double most = logits[*top];
  if (options_.top_k > 0 && options_.top_k < std::ssize(order_)) {
    const auto middle = order_.begin() + options_.top_k;
    std::ranges::nth_element(order_, middle, likelier);
    order_.erase(middle, order_.end());
    std::ranges::sort(order_);  // in the order of ids, whatever the partition made of it
  }
  weights_.clear();
  for (const std::int32_t id : order_) {
    weights_.push_back(std::exp((double{logits[id]} - most) / options_.temperature));
  }
  double left = random_.uniform() * std::accumulate(weights_.begin(), weights_.end(), 0.0);
  // Rounding may leave a trifle behind the last one, which then is taken.
  std::size_t i = 0;
  while (i + 1 < weights_.size() && left >= weights_[i]) left -= weights_[i++];
  return order_[i];
}

std::string TextJoiner::add(std::int32_t id) {
  const std::string& entry = vocabulary_[id];
  if (vocabulary_.units() == TextUnits::kCharacters) return entry;
  if (entry == kEndOfLine) {
    inside_line_ = false;
    return "\n";
  }
  return cat(std::exchange(inside_line_, true) ? " " : "", entry);
}

void generate(LanguageModel& model,
              std::span<const std::int32_t> prompt,
              std::int64_t count,
              Sampler& sampler,
              const std::function<bool(std::string_view)>& write) {
  TextJoiner joiner(model.vocabulary());
  std::string text;
  for (const std::int32_t id : prompt) text += joiner.add(id);
  if (!write(text) || count == 0) return;
  model.reset();
  std::int32_t next = 0;
  model.read(prompt, [&](std::size_t i, std::span<const float> logits) {
    if (i + 1 == prompt.size()) next = sampler.draw(logits);
  });
  while (write(joiner.add(next)) && --count > 0) {
    model.read({&next, 1},
               [&](std::size_t, std::span<const float> logits) { next = sampler.draw(logits); });
  }
}

}  // namespace lastbit
