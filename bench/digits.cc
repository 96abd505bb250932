// Images a second that the generator of `digits` draws, by threads.

#include "lastbit/data/digits.h"

#include <cstdint>
#include <span>
#include <vector>

#include <benchmark/benchmark.h>

#include "lastbit/base/threads.h"

namespace lastbit {
namespace {

void draw_images(benchmark::State& state) {
  constexpr std::size_t kImages = 20000;
  constexpr std::size_t kPixels = std::size_t{kDigitsSide} * kDigitsSide;
  const int threads = static_cast<int>(state.range(0));
  std::vector<std::uint8_t> images(kImages * kPixels);
  std::vector<std::int32_t> labels(kImages);
  while (state.KeepRunning()) {
    parallel_for(kImages, threads, [&](std::size_t begin, std::size_t end) {
      draw_digits(0,
                  DigitsPart::kTrain,
                  static_cast<std::int64_t>(begin),
                  std::span(images).subspan(begin * kPixels, (end - begin) * kPixels),
                  std::span(labels).subspan(begin, end - begin));
    });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kImages));
}

BENCHMARK(draw_images)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lastbit

BENCHMARK_MAIN();
