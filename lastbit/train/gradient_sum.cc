#include "lastbit/train/gradient_sum.h"

#include <algorithm>

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include "lastbit/train/gradient_parts.h"

namespace lastbit {

using torch::autograd::variable_list;

// LibTorch 1.13 calls nothing behind an accumulation but hooks of the node that does it.
class GradientSum::Hook final : public torch::autograd::FunctionPostHook {
 public:
  Hook(GradientSum& sum, std::size_t part) : sum_(sum), part_(part) {}

  variable_list operator()(const variable_list& outputs, const variable_list& /*inputs*/) override {
    sum_.accumulated(part_);
    return outputs;
  }

 private:
  GradientSum& sum_;
  std::size_t part_;
};

GradientSum::GradientSum(Communicator& workers, Network& network) : workers_(workers) {
  const std::vector<Network::Leaf> leaves = network.leaves();
  std::vector<GradientPlace> places;
  for (const auto& [leaf, node] : leaves) {
    const std::int64_t begin = leaf.storage_offset();
    places.push_back({.begin = begin, .end = begin + leaf.numel(), .node = node});
  }
  const std::vector<GradientPart> parts = gradient_parts(places);
  for (const GradientPart& part : parts) {
    parts_.push_back(
        {.gradient = network.gradients().narrow(0, part.begin, part.end - part.begin)});
  }
  for (const auto& [leaf, node] : leaves) {
    const std::int64_t at = leaf.storage_offset();
    const auto found = std::find_if(parts.begin(), parts.end(), [&](const GradientPart& part) {
      return part.begin <= at && at < part.end;
    });
    const auto part = static_cast<std::size_t>(found - parts.begin());
    ++parts_[part].leaves;
    auto accumulator = torch::autograd::impl::grad_accumulator(leaf);
    const std::uintptr_t key = accumulator->add_post_hook(std::make_unique<Hook>(*this, part));
    hooks_.emplace_back(std::move(accumulator), key);
  }
}

GradientSum::~GradientSum() {
  for (const auto& [accumulator, key] : hooks_) accumulator->del_post_hook(key);
}

void GradientSum::begin() {
  for (Part& part : parts_) part.missing = part.leaves;
  started_ = 0;
  counting_ = true;
}

void GradientSum::accumulated(std::size_t part) {
  if (!counting_) return;
  --parts_[part].missing;
  for (; started_ < parts_.size() && parts_[started_].missing == 0; ++started_) {
    workers_.start_sum(parts_[started_].gradient);
  }
}

void GradientSum::start_rest() {
  counting_ = false;
  for (; started_ < parts_.size(); ++started_) workers_.start_sum(parts_[started_].gradient);
}

}  // namespace lastbit
