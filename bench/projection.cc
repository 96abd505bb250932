// Time of exact projections, in multiples of the time of one radix sort of the same weights.
//
// Each result is checked before it is timed, against the constants of the standard normal
// distribution.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "lastbit/base/random.h"
#include "lastbit/quant/digits.h"
#include "lastbit/quant/projector.h"
#include "lastbit/quant/sort.h"

namespace lastbit {
namespace {

constexpr std::size_t kTensor = 10'000'000;
constexpr ChannelLayout kConvolution{1, 512, 4608};

std::vector<float> normal_weights(std::size_t count) {
  Random random(1);
  std::vector<float> weights(count);
  for (float& w : weights) w = static_cast<float>(random.normal());
  return weights;
}

double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// One sort, with its copy of the weights. What it leaves is kept from being optimized away.
double sort_seconds(std::span<const float> weights, std::vector<float>& a, std::vector<float>& b) {
  return seconds_of([&] {
    std::copy(weights.begin(), weights.end(), a.begin());
    benchmark::DoNotOptimize(sort_floats(a, b).data());
  });
}

bool check(benchmark::State& state, const Quantized& result, double error) {
  const double mean = result.squared_error / static_cast<double>(result.codes.size());
  // Four deviations of the mean of squared errors, whose own deviation is below 1.
  if (std::abs(mean - error) <= 4.0 / std::sqrt(static_cast<double>(result.codes.size()))) {
    return true;
  }
  state.SkipWithError("wrong error");
  return false;
}

// Sort and projection take turns, so that both see the same state of a shared machine. The ratio is
// of the least times.
void project_tensor(benchmark::State& state, const std::string& set, double error) {
  const auto projector = parse_projector(set);
  const std::vector<float> weights = normal_weights(kTensor);
  const ChannelLayout layout{1, 1, static_cast<std::int64_t>(kTensor)};
  if (!check(state, projector->project(weights, layout), error)) return;
  std::vector<float> a(kTensor);
  std::vector<float> b(kTensor);
  double least_sort = 1e9;
  double least = 1e9;
  for ([[maybe_unused]] const auto _ : state) {
    least_sort = std::min(least_sort, sort_seconds(weights, a, b));
    const double seconds = seconds_of(
        [&] { benchmark::DoNotOptimize(projector->project(weights, layout).squared_error); });
    least = std::min(least, seconds);
    state.SetIterationTime(seconds);
  }
  state.counters["of_sort"] = least / least_sort;
  state.counters["ns_per_weight"] = 1e9 * least / static_cast<double>(kTensor);
}

void project_channels(benchmark::State& state, const std::string& set) {
  const std::vector<float> weights = normal_weights(static_cast<std::size_t>(kConvolution.size()));
  const auto by_channel = parse_projector(set + "/channel");
  const auto by_tensor = parse_projector(set + "/tensor");
  const double whole = by_tensor->project(weights, kConvolution).squared_error;
  if (by_channel->project(weights, kConvolution).squared_error > whole) {
    state.SkipWithError("scales of their own make channels worse");
    return;
  }
  double least_tensor = 1e9;
  double least = 1e9;
  for ([[maybe_unused]] const auto _ : state) {
    least_tensor = std::min(
        least_tensor, seconds_of([&] {
          benchmark::DoNotOptimize(by_tensor->project(weights, kConvolution).squared_error);
        }));
    const double seconds = seconds_of([&] {
      benchmark::DoNotOptimize(by_channel->project(weights, kConvolution).squared_error);
    });
    least = std::min(least, seconds);
    state.SetIterationTime(seconds);
  }
  state.counters["of_tensor"] = least / least_tensor;
  state.counters["ns_per_weight"] = 1e9 * least / static_cast<double>(weights.size());
}

void unpack_digits(benchmark::State& state) {
  const auto radix = static_cast<int>(state.range(0));
  constexpr std::size_t kDigits = 1'000'000;
  Random random(2);
  std::vector<Code> codes(kDigits);
  for (Code& code : codes) code = static_cast<Code>(random.below(static_cast<unsigned>(radix)));
  const std::vector<std::uint8_t> bytes = pack(codes, radix);
  std::vector<Code> again(kDigits);
  unpack(bytes, radix, 0, again);
  if (again != codes) {
    state.SkipWithError("digits do not come back");
    return;
  }
  for ([[maybe_unused]] const auto _ : state) {
    unpack(bytes, radix, 0, again);
    benchmark::DoNotOptimize(again.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kDigits));
}

BENCHMARK_CAPTURE(project_tensor, binary, "binary", 0.363380)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(project_tensor, ternary, "ternary", 0.190174)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(project_tensor, shift_1, "shift:1", 0.082178)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(project_tensor, shift_2, "shift:2", 0.047560)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(project_tensor, kmeans_4, "kmeans:4", 0.117482)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(project_tensor, kmeans_16, "kmeans:16", 0.009501)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(project_channels, binary, "binary")
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(project_channels, ternary, "ternary")
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(project_channels, uniform_2, "uniform:2")
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(project_channels, shift_1, "shift:1")
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(project_channels, shift_2, "shift:2")
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(project_channels, pow2_3, "pow2:3")
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(unpack_digits)->Arg(2)->Arg(3)->Arg(4)->Arg(5)->Arg(16)->Arg(256);

}  // namespace
}  // namespace lastbit

BENCHMARK_MAIN();
