#include "lastbit/cli/bench_profile.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/cli/progress.h"
#include "lastbit/cli/table.h"
#include "lastbit/runtime/kernels/kernel_set.h"

namespace lastbit {
namespace {

std::vector<std::string> row_of(const std::string& name,
                                const StepProfile& step,
                                double total,
                                double peak) {
  const double operations = 2.0 * step.info.products;
  const double rate = step.milliseconds > 0.0 ? operations / (step.milliseconds * 1e-3) : 0.0;
  const bool counted = operations > 0.0;
  return {name,
          step.info.kind,
          counted ? fmt::format("{:.2f}", operations * 1e-6) : "",
          bytes_text(static_cast<double>(step.info.weight_bytes + step.info.value_bytes)),
          fmt::format("{:.4f}", step.milliseconds),
          fmt::format("{:.1f}%", 100.0 * step.milliseconds / total),
          counted ? fmt::format("{:.1f}", rate * 1e-9) : "",
          counted ? fmt::format("{:.0f}%", 100.0 * rate / peak) : ""};
}

}  // namespace

std::string step_table(const std::vector<StepProfile>& steps, double peak) {
  double total = 0.0;
  for (const StepProfile& step : steps) total += step.milliseconds;
  Table table({"node", "step", "Mop", "bytes", "ms", "time", "Gop/s", "of peak"});
  for (const StepProfile& step : steps) table.add(row_of(step.info.node, step, total, peak));

  std::vector<StepProfile> kinds;
  for (const StepProfile& step : steps) {
    auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const StepProfile& other) {
      return other.info.kind == step.info.kind;
    });
    if (kind == kinds.end()) {
      kinds.push_back(step);
      continue;
    }
    kind->info.products += step.info.products;
    kind->info.weight_bytes += step.info.weight_bytes;
    kind->info.value_bytes += step.info.value_bytes;
    kind->milliseconds += step.milliseconds;
  }
  for (const StepProfile& kind : kinds) table.add(row_of("all", kind, total, peak));
  return table.text();
}

std::string chrome_trace(const std::vector<StepInfo>& steps,
                         const std::vector<std::vector<StepTime>>& runs) {
  constexpr double kMicro = 1e6;
  nlohmann::ordered_json events = nlohmann::ordered_json::array();
  double start = 0.0;
  for (const std::vector<StepTime>& run : runs) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      events.push_back({{"name", steps[i].node},
                        {"cat", steps[i].kind},
                        {"ph", "X"},
                        {"ts", (start + run[i].begin) * kMicro},
                        {"dur", (run[i].end - run[i].begin) * kMicro},
                        {"pid", 1},
                        {"tid", 1},
                        {"args",
                         {{"kind", steps[i].kind},
                          {"operations", 2.0 * steps[i].products},
                          {"weight_bytes", steps[i].weight_bytes},
                          {"value_bytes", steps[i].value_bytes}}}});
    }
    if (!run.empty()) start += run.back().end;
  }
  return nlohmann::ordered_json{{"traceEvents", events}, {"displayTimeUnit", "ms"}}.dump(1) + "\n";
}

double kernel_peak(const std::string& kernels, Activations activations) {
  constexpr std::size_t kGroups = 144;  // the depth of a convolution of 3 x 3 of 64 channels
  constexpr std::size_t kCalls = 400;
  constexpr int kTrials = 20;
  const auto sets = runnable_kernels();
  const auto found = std::find_if(
      sets.begin(), sets.end(), [&](const KernelSet* set) { return kernels == set->name; });
  const KernelSet& set = found == sets.end() ? *sets.front() : **found;

  alignas(64) static std::uint8_t words[block_bytes(kGroups, 2, 2)];
  alignas(64) static std::int8_t levels[16] = {-1, 0, 1, 0, -1, 0, 1, 0, -1, 0, 1, 0, -1, 0, 1, 0};
  alignas(64) static float table[16] = {-1, 0, 1, 0, -1, 0, 1, 0, -1, 0, 1, 0, -1, 0, 1, 0};
  for (std::size_t i = 0; i < sizeof(words); ++i) words[i] = static_cast<std::uint8_t>(i * 89);
  const WeightBlock block{
      .words = words, .bits = 2, .width = 2, .levels = levels, .largest = 1, .table = table};
  std::vector<std::int32_t> offsets(kGroups);
  for (std::size_t g = 0; g < kGroups; ++g) offsets[g] = static_cast<std::int32_t>(4 * g);
  const std::vector<float> floats(kTileRows * kGroups * 4, 1.0F);
  const std::vector<std::uint8_t> bytes(kTileRows * kGroups * 4, 1);
  const float* float_rows[kTileRows];
  const std::uint8_t* byte_rows[kTileRows];
  for (std::size_t r = 0; r < kTileRows; ++r) {
    float_rows[r] = floats.data() + r * kGroups * 4;
    byte_rows[r] = bytes.data() + r * kGroups * 4;
  }
  alignas(64) float float_sums[kTileRows * kBlockOutputs];
  alignas(64) std::int32_t sums[kTileRows * kBlockOutputs];
  double least = 1e9;
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto before = std::chrono::steady_clock::now();
    for (std::size_t call = 0; call < kCalls; ++call) {
      if (activations == Activations::kInt8) {
        set.tile_int8({byte_rows, kTileRows, offsets.data(), kGroups}, block, sums);
      } else {
        set.tile_float({float_rows, kTileRows, offsets.data(), kGroups}, block, float_sums);
      }
    }
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - before;
    least = std::min(least, time.count());
  }
  return 2.0 * static_cast<double>(kCalls * kTileRows * kBlockOutputs * kGroups * 4) / least;
}

}  // namespace lastbit
