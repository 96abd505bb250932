#include "lastbit/runtime/session.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/runtime/aligned_bytes.h"
#include "lastbit/runtime/kernels/find.h"
#include "lastbit/runtime/plan.h"
#include "lastbit/runtime/workers.h"

namespace lastbit {
namespace {

constexpr int kMostThreads = 256;

// Products below which telling other threads takes longer than it saves, a few microseconds.
constexpr double kParallelWork = 3e6;

template <typename Spans>
void check_ports(const char* kind, std::span<const Port> ports, const Spans& given) {
  if (given.size() != ports.size()) {
    throw InputError(cat("[runtime] expected ", ports.size(), " ", kind, "s, got ", given.size()));
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto expected = static_cast<std::size_t>(element_count(ports[i].shape));
    if (given[i].size() == expected) continue;
    throw InputError(cat("[runtime] ",
                         kind,
                         " '",
                         ports[i].name,
                         "' has ",
                         given[i].size(),
                         " values, expected ",
                         expected,
                         " for shape ",
                         to_string(ports[i].shape)));
  }
}

// Integers cannot stand for what is not finite, and would hide it.
void check_finite(std::span<const Port> ports, std::span<const std::span<const float>> inputs) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    for (std::size_t k = 0; k < inputs[i].size(); ++k) {
      if (std::isfinite(inputs[i][k])) continue;
      throw InputError(cat("[runtime] input '",
                           ports[i].name,
                           "' holds ",
                           inputs[i][k],
                           " at ",
                           k,
                           ", expected finite values for int8 activations"));
    }
  }
}

void check_integers(std::span<const Port> ports, std::span<const std::span<const float>> inputs) {
  constexpr auto kMost = static_cast<float>(kLargestInteger);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].type == DType::kFloat) continue;
    for (std::size_t k = 0; k < inputs[i].size(); ++k) {
      const float value = inputs[i][k];
      if (value >= -kMost && value <= kMost && value == std::trunc(value)) continue;
      throw InputError(cat("[runtime] input '",
                           ports[i].name,
                           "' holds ",
                           value,
                           " at ",
                           k,
                           ", expected integers of magnitude ",
                           kLargestInteger,
                           " at most"));
    }
  }
}

}  // namespace

class Session::Impl {
 public:
  Impl(std::shared_ptr<const Plan> plan, int threads, const KernelSet& kernels)
      : plan_(std::move(plan)),
        threads_(threads),
        kernels_(&kernels),
        arena_(plan_->arena_bytes),
        values_(plan_->constants),
        workers_(threads) {
    for (std::size_t slot = 0; slot < values_.size(); ++slot) {
      if (!plan_->in_arena[slot]) continue;
      values_[slot] = reinterpret_cast<const float*>(arena_.data() + plan_->offsets[slot]);
    }
  }

  std::unique_ptr<Impl> fork() const { return std::make_unique<Impl>(plan_, threads_, *kernels_); }
  const Plan& plan() const noexcept { return *plan_; }

  const KernelSet& kernels() const noexcept { return *kernels_; }

  void run(std::span<const std::span<const float>> inputs,
           std::span<const std::span<float>> outputs,
           std::span<StepTime> times) {
    using Clock = std::chrono::steady_clock;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      values_[static_cast<std::size_t>(plan_->input_slots[i])] = inputs[i].data();
    }
    if (times.empty()) {
      for (const Plan::PlannedStep& planned : plan_->steps) run_step(planned);
    } else {
      const auto start = Clock::now();
      const auto now = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
      for (std::size_t i = 0; i < times.size(); ++i) {
        times[i].begin = now();
        run_step(plan_->steps[i]);
        times[i].end = now();
      }
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const float* from = values_[static_cast<std::size_t>(plan_->output_slots[i])];
      std::copy_n(from, outputs[i].size(), outputs[i].data());
    }
  }

 private:
  struct StepCall {
    const Step* step;
    Frame frame;
  };

  void run_step(const Plan::PlannedStep& planned) {
    const StepCall call{planned.step.get(),
                        {.values = values_.data(),
                         .arena = arena_.data(),
                         .offsets = plan_->offsets.data(),
                         .scratch = arena_.data() + planned.scratch_offset,
                         .scratch_stride = planned.scratch_stride,
                         .kernels = kernels_}};
    planned.step->check(call.frame);
    const std::size_t units = planned.step->units();
    if (threads_ == 1 || units == 1 || planned.step->work() < kParallelWork) {
      planned.step->run(call.frame, 0, units, 0);
      return;
    }
    workers_.run(
        units,
        [](const void* context, std::size_t begin, std::size_t end, int worker) {
          const auto& running = *static_cast<const StepCall*>(context);
          if (begin < end) running.step->run(running.frame, begin, end, worker);
        },
        &call);
  }

  std::shared_ptr<const Plan> plan_;
  int threads_;
  const KernelSet* kernels_;
  AlignedBytes arena_;
  std::vector<const float*> values_;  // (slots)
  Workers workers_;
};

Session::Session(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Session::Session(const Graph& graph, const SessionOptions& options) {
  if (options.batch < 1) {
    throw InputError(cat("[runtime] the batch is ", options.batch, ", expected at least 1"));
  }
  if (options.threads < 1 || options.threads > kMostThreads) {
    throw InputError(cat(
        "[runtime] the number of threads is ", options.threads, ", expected 1 to ", kMostThreads));
  }
  const KernelSet& kernels = find_kernels(options.kernels);
  impl_ = std::make_unique<Impl>(make_plan(graph, options, kernels), options.threads, kernels);
}

Session Session::fork() const { return Session(impl_->fork()); }

std::span<const Port> Session::inputs() const noexcept { return impl_->plan().inputs; }
std::span<const Port> Session::outputs() const noexcept { return impl_->plan().outputs; }
std::size_t Session::arena_bytes() const noexcept { return impl_->plan().arena_bytes; }
std::size_t Session::weight_bytes() const noexcept { return impl_->plan().weight_bytes; }

const char* Session::kernels() const noexcept { return impl_->kernels().name; }

std::vector<StepInfo> Session::steps() const {
  std::vector<StepInfo> result;
  for (const Plan::PlannedStep& planned : impl_->plan().steps) {
    result.push_back({.node = planned.node,
                      .kind = planned.kind,
                      .products = planned.step->products(),
                      .weight_bytes = planned.step->weight_bytes(),
                      .value_bytes = planned.value_bytes});
  }
  return result;
}

void Session::run(std::span<const std::span<const float>> inputs,
                  std::span<const std::span<float>> outputs) {
  run(inputs, outputs, {});
}

void Session::run(std::span<const std::span<const float>> inputs,
                  std::span<const std::span<float>> outputs,
                  std::span<StepTime> times) {
  check_ports("input", this->inputs(), inputs);
  check_ports("output", this->outputs(), outputs);
  if (!times.empty() && times.size() != impl_->plan().steps.size()) {
    throw InputError(cat("[runtime] expected ",
                         impl_->plan().steps.size(),
                         " times, one a step, got ",
                         times.size()));
  }
  check_integers(this->inputs(), inputs);
  if (impl_->plan().activations == Activations::kInt8) check_finite(this->inputs(), inputs);
  impl_->run(inputs, outputs, times);
}

}  // namespace lastbit
