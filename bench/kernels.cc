// Products of each set of kernels, in operations (two for a product and its sum) a second, and
// their share of what the processor can do: the rate of the set's best instruction in a loop that
// touches registers alone, measured in turns with the kernel. Both count the time of this thread,
// and the shortest of many repetitions. Each product is compared with the scalar kernels first.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "lastbit/base/random.h"
#include "lastbit/runtime/kernels/kernel_set.h"

namespace lastbit {
namespace {

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// A loop of twelve independent instructions, and the operations in a turn of it.
struct Limit {
  void (*run)(std::size_t turns) = nullptr;
  double operations = 0;
};

#if defined(__x86_64__)
#define LASTBIT_LIMIT(function, instruction, reg)                                          \
  void function(std::size_t turns) {                                                       \
    asm volatile(                                                                          \
        "vpxor %%xmm12, %%xmm12, %%xmm12\n vpxor %%xmm13, %%xmm13, %%xmm13\n"              \
        "1:\n" instruction " %%" reg "12, %%" reg "13, %%" reg "0\n" instruction " %%" reg \
        "12, %%" reg "13, %%" reg "1\n" instruction " %%" reg "12, %%" reg "13, %%" reg    \
        "2\n" instruction " %%" reg "12, %%" reg "13, %%" reg "3\n" instruction " %%" reg  \
        "12, %%" reg "13, %%" reg "4\n" instruction " %%" reg "12, %%" reg "13, %%" reg    \
        "5\n" instruction " %%" reg "12, %%" reg "13, %%" reg "6\n" instruction " %%" reg  \
        "12, %%" reg "13, %%" reg "7\n" instruction " %%" reg "12, %%" reg "13, %%" reg    \
        "8\n" instruction " %%" reg "12, %%" reg "13, %%" reg "9\n" instruction " %%" reg  \
        "12, %%" reg "13, %%" reg "10\n" instruction " %%" reg "12, %%" reg "13, %%" reg   \
        "11\n"                                                                             \
        "dec %0\n jnz 1b\n vzeroupper\n"                                                   \
        : "+r"(turns)                                                                      \
        :                                                                                  \
        : "xmm0",                                                                          \
          "xmm1",                                                                          \
          "xmm2",                                                                          \
          "xmm3",                                                                          \
          "xmm4",                                                                          \
          "xmm5",                                                                          \
          "xmm6",                                                                          \
          "xmm7",                                                                          \
          "xmm8",                                                                          \
          "xmm9",                                                                          \
          "xmm10",                                                                         \
          "xmm11",                                                                         \
          "xmm12",                                                                         \
          "xmm13",                                                                         \
          "cc");                                                                           \
  }
LASTBIT_LIMIT(fma_512, "vfmadd231ps", "zmm")
LASTBIT_LIMIT(fma_256, "vfmadd231ps", "ymm")
LASTBIT_LIMIT(vnni_512, "vpdpbusd", "zmm")
LASTBIT_LIMIT(vnni_256, "%{vex%} vpdpbusd", "ymm")
LASTBIT_LIMIT(maddubs_256, "vpmaddubsw", "ymm")
#undef LASTBIT_LIMIT

Limit float_limit(const std::string& set) {
  if (set.starts_with("avx512")) return {fma_512, 12 * 32};
  if (set.starts_with("avx2")) return {fma_256, 12 * 16};
  return {};
}

Limit int8_limit(const std::string& set) {
  if (set == "avx512vnni") return {vnni_512, 12 * 128};
  if (set == "avx2vnni") return {vnni_256, 12 * 64};
  if (set.starts_with("avx")) return {maddubs_256, 12 * 64};
  return {};
}
#else
Limit float_limit(const std::string&) { return {}; }
Limit int8_limit(const std::string&) { return {}; }
#endif

constexpr std::size_t kPage = 4096;

struct PageDelete {
  void operator()(std::uint8_t* bytes) const {
    ::operator delete[](bytes, std::align_val_t{kPage});
  }
};
using Pages = std::unique_ptr<std::uint8_t[], PageDelete>;

Pages random_pages(std::size_t bytes) {
  Random random(1);
  Pages pages(static_cast<std::uint8_t*>(::operator new[](bytes, std::align_val_t{kPage})));
  // The same four megabytes again and again: random numbers take longer than what is measured.
  constexpr std::size_t kRandom = std::size_t{1} << 22U;
  for (std::size_t i = 0; i < bytes; ++i) {
    pages[i] = i < kRandom ? static_cast<std::uint8_t>(random.below(256)) : pages[i - kRandom];
  }
  return pages;
}

// Times `kernel` and the limit by turns.
void measure(benchmark::State& state,
             Limit limit,
             double operations,
             double bytes,
             const std::function<void()>& kernel) {
  const auto repeat = static_cast<std::size_t>(std::max(1.0, 2e7 / operations));
  double best = std::numeric_limits<double>::infinity();
  double best_limit = best;
  while (state.KeepRunning()) {
    const double start = thread_seconds();
    for (std::size_t i = 0; i < repeat; ++i) kernel();
    const double seconds = (thread_seconds() - start) / static_cast<double>(repeat);
    state.SetIterationTime(seconds);
    best = std::min(best, seconds);
    if (limit.run == nullptr) continue;
    constexpr std::size_t kTurns = 20'000;
    const double limit_start = thread_seconds();
    limit.run(kTurns);
    best_limit = std::min(best_limit, (thread_seconds() - limit_start) / kTurns);
  }
  state.counters["us"] = best * 1e6;
  state.counters["GOP/s"] = operations / best / 1e9;
  state.counters["GB/s"] = bytes / best / 1e9;
  if (limit.run == nullptr) return;
  state.counters["limit"] = limit.operations / best_limit / 1e9;
  state.counters["share"] = operations / best / (limit.operations / best_limit);
}

template <typename Value>
void check(const std::vector<Value>& got, const std::vector<Value>& expected, double tolerance) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])) <= tolerance) {
      continue;
    }
    std::cerr << "result " << i << " is " << got[i] << ", expected " << expected[i] << "\n";
    std::exit(1);
  }
}

// The level of a code: {-1, 1}, ternary, or the integers around 0.
int level_of(int bits, std::size_t code) {
  if (bits == 1) return code % 2 == 0 ? -1 : 1;
  if (bits == 2) return static_cast<int>(std::min<std::size_t>(code % 4, 2)) - 1;
  if (bits == 4) return static_cast<int>(code % 16) - 8;
  return static_cast<std::int8_t>(code);
}

// Weights of `blocks` blocks of random codes.
struct Weights {
  Weights(int bits, int width, std::size_t groups, std::size_t blocks)
      : words(random_pages(blocks * block_bytes(groups, bits, width))) {
    for (std::size_t i = 0; i < 16; ++i) {
      levels.push_back(static_cast<std::int8_t>(level_of(bits, i)));
    }
    for (std::size_t i = 0; i < 256; ++i) table.push_back(static_cast<float>(level_of(bits, i)));
    block = {.words = words.get(),
             .bits = bits,
             .width = width,
             .levels = bits == 8 ? nullptr : levels.data(),
             .largest = bits == 8   ? 128
                        : bits == 4 ? 8
                                    : 1,
             .table = table.data()};
  }

  Pages words;
  std::vector<std::int8_t> levels;
  std::vector<float> table;
  WeightBlock block;
};

// Rows of a 3x3 convolution: windows of nine stretches of depth / 9 inputs.
template <typename Input>
struct Inputs {
  Inputs(std::size_t depth, std::size_t rows_count) {
    const std::size_t channels = depth / 9;
    Random random(2);
    values.resize(3 * (rows_count + 2) * channels + 4);
    for (Input& x : values) x = static_cast<Input>(random.below(200));
    for (std::size_t r = 0; r < rows_count; ++r) rows.push_back(values.data() + r * channels);
    for (std::size_t tap = 0; tap < 9; ++tap) {
      for (std::size_t c = 0; c < channels; c += kGroupInputs) {
        offsets.push_back(
            static_cast<std::int32_t>((tap / 3 * (rows_count + 2) + tap % 3) * channels + c));
      }
    }
    tile = {rows.data(), rows_count, offsets.data(), offsets.size()};
  }

  std::vector<Input> values;
  std::vector<const Input*> rows;
  std::vector<std::int32_t> offsets;
  Tile<Input> tile;
};

template <typename Input, typename Output>
using TileKernel = void (*)(const Tile<Input>&, const WeightBlock&, Output*) noexcept;

template <typename Input, typename Output>
void run_tile(benchmark::State& state,
              TileKernel<Input, Output> kernel,
              TileKernel<Input, Output> scalar,
              Limit limit,
              int bits,
              std::size_t depth,
              std::size_t rows) {
  const Inputs<Input> inputs(depth, rows);
  const Weights weights(bits, 2, inputs.tile.groups, 1);
  std::vector<Output> out(rows * kBlockOutputs);
  std::vector<Output> expected = out;
  kernel(inputs.tile, weights.block, out.data());
  scalar(inputs.tile, weights.block, expected.data());
  check(out, expected, std::is_integral_v<Output> ? 0.0 : 1e-2 * static_cast<double>(depth));
  measure(state,
          limit,
          2.0 * static_cast<double>(depth * rows * kBlockOutputs),
          static_cast<double>(block_bytes(inputs.tile.groups, bits, 2)),
          [&] { kernel(inputs.tile, weights.block, out.data()); });
}

// A matrix and a vector; with `copies` of the matrix taken in turns none stays in a cache.
template <typename Input, typename Output, typename Kernel>
void run_vector(benchmark::State& state,
                Kernel kernel,
                Kernel scalar,
                Limit limit,
                int bits,
                std::size_t outputs,
                std::size_t depth,
                std::size_t copies) {
  Random random(3);
  std::vector<Input> x(depth);
  for (Input& v : x) v = static_cast<Input>(static_cast<int>(random.below(256)) - 128);
  const std::size_t blocks = outputs / kBlockOutputs;
  const Weights weights(bits, 2, depth / kGroupInputs, blocks * copies);
  const std::size_t bytes = blocks * block_bytes(depth / kGroupInputs, bits, 2);
  std::vector<Output> out(outputs);
  std::vector<Output> expected(outputs);
  kernel(x.data(), depth / kGroupInputs, weights.block, blocks, out.data());
  scalar(x.data(), depth / kGroupInputs, weights.block, blocks, expected.data());
  check(out, expected, std::is_integral_v<Output> ? 0.0 : 1e-2 * static_cast<double>(depth));
  std::size_t copy = 0;
  measure(
      state, limit, 2.0 * static_cast<double>(depth * outputs), static_cast<double>(bytes), [&] {
        WeightBlock block = weights.block;
        block.words += copy * bytes;
        copy = (copy + 1) % copies;
        kernel(x.data(), depth / kGroupInputs, block, blocks, out.data());
      });
}

void declare(const std::string& name, std::function<void(benchmark::State&)> run) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(run))
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond)
      ->Iterations(400);
}

void declare_tiles(const KernelSet& set) {
  const KernelSet& scalar = scalar_kernels();
  const std::string name = set.name;
  for (const int bits : {1, 2, 4, 8}) {
    for (const std::size_t depth : {576, 1152, 4608}) {
      for (const std::size_t rows : {8, 1}) {
        const std::string label = name + "/" + std::to_string(bits) +
                                  "bit/depth:" + std::to_string(depth) +
                                  "/rows:" + std::to_string(rows);
        declare("tile_int8/" + label, [&set, &scalar, bits, depth, rows](benchmark::State& state) {
          run_tile(state, set.tile_int8, scalar.tile_int8, int8_limit(set.name), bits, depth, rows);
        });
        declare("tile_float/" + label, [&set, &scalar, bits, depth, rows](benchmark::State& state) {
          run_tile(
              state, set.tile_float, scalar.tile_float, float_limit(set.name), bits, depth, rows);
        });
      }
    }
  }
}

// `vector_int8`, of the codes themselves or of values of theirs.
struct VectorInt8 {
  const KernelSet* set;
  const std::uint8_t* values;
  void operator()(const std::int8_t* x,
                  std::size_t groups,
                  const WeightBlock& weights,
                  std::size_t blocks,
                  std::int32_t* out) const {
    set->vector_int8(x, groups, weights, blocks, values, out);
  }
};

void declare_vectors(const KernelSet& set) {
  const KernelSet& scalar = scalar_kernels();
  const std::string name = set.name;
  for (const int bits : {1, 2, 4}) {
    for (const std::size_t size : {512, 4096}) {
      for (const std::size_t copies : {1, 64}) {
        if (copies > 1 && size < 4096) continue;
        const std::string label = name + "/" + std::to_string(bits) + "bit/" +
                                  std::to_string(size) + "x" + std::to_string(size) +
                                  (copies > 1 ? "/streaming" : "");
        for (const bool valued : {false, true}) {
          declare((valued ? "vector_int8/values/" : "vector_int8/") + label,
                  [&set, &scalar, bits, size, copies, valued](auto& state) {
                    std::vector<std::uint8_t> values;
                    for (std::size_t i = 0; i < 16; ++i) {
                      values.push_back(static_cast<std::uint8_t>(level_of(bits, i) + 8));
                    }
                    const std::uint8_t* const given = valued ? values.data() : nullptr;
                    run_vector<std::int8_t, std::int32_t>(state,
                                                          VectorInt8{&set, given},
                                                          VectorInt8{&scalar, given},
                                                          int8_limit(set.name),
                                                          bits,
                                                          size,
                                                          size,
                                                          copies);
                  });
        }
        declare("vector_float/" + label, [&set, &scalar, bits, size, copies](auto& state) {
          run_vector<float, float>(state,
                                   set.vector_float,
                                   scalar.vector_float,
                                   float_limit(set.name),
                                   bits,
                                   size,
                                   size,
                                   copies);
        });
      }
    }
  }
}

// Sums by lookup, of the windows of a 3x3 convolution, or of one row whose tables follow each other
// and many blocks. A sum of a table counts as the products that it stands for.
struct Lookups {
  Lookups(std::size_t inputs, std::size_t depth, std::size_t blocks, std::size_t rows_count)
      : tables(tables_of(depth, inputs)),
        words(random_pages(blocks * lookup_bytes(tables, kLookupWords))),
        pool(random_pages((tables + 2 * rows_count) * kTableSums * sizeof(float))) {
    auto* const sums = reinterpret_cast<float*>(pool.get());
    Random random(4);
    for (std::size_t i = 0; i < (tables + 2 * rows_count) * kTableSums; ++i) {
      sums[i] = static_cast<float>(random.below(200));
    }
    for (std::size_t r = 0; r < rows_count; ++r) rows.push_back(sums + r * kTableSums);
    for (std::size_t t = 0; t < tables; ++t) {
      offsets.push_back(static_cast<std::int32_t>(t * kTableSums));
    }
    tile = {rows.data(), rows_count, offsets.data(), tables};
  }

  std::size_t tables;
  Pages words;
  Pages pool;
  std::vector<const float*> rows;
  std::vector<std::int32_t> offsets;
  Tile<float> tile;
};

void declare_lookups(const KernelSet& set) {
  if (set.look_up == nullptr) return;
  for (const std::size_t inputs : {kTernaryInputs, kBinaryInputs}) {
    const std::string label =
        std::string(set.name) + (inputs == kTernaryInputs ? "/ternary" : "/binary");
    for (const std::size_t depth : {576, 1152, 4608}) {
      for (const std::size_t rows : {std::size_t{1}, kLookupRows}) {
        declare("look_up/" + label + "/depth:" + std::to_string(depth) +
                    "/rows:" + std::to_string(rows),
                [&set, inputs, depth, rows](benchmark::State& state) {
                  const Lookups lookups(inputs, depth, 1, rows);
                  std::vector<float> out(rows * kLookupOutputs);
                  measure(
                      state,
                      float_limit(set.name),
                      2.0 * static_cast<double>(depth * rows * kLookupOutputs),
                      static_cast<double>(lookup_bytes(lookups.tables, kLookupWords)),
                      [&] {
                        set.look_up(lookups.tile, {lookups.words.get(), kLookupWords}, out.data());
                      });
                });
      }
    }
    for (const std::size_t size : {512, 4096}) {
      declare("look_up_vector/" + label + "/" + std::to_string(size) + "x" + std::to_string(size),
              [&set, inputs, size](benchmark::State& state) {
                const std::size_t blocks = size / kLookupOutputs;
                const Lookups lookups(inputs, size, blocks, 1);
                const std::size_t bytes = lookup_bytes(lookups.tables, kLookupWords);
                const std::vector<float> x(size, 1.0F);
                const Lookups own(inputs, size, 1, 1);
                auto* const tables = reinterpret_cast<float*>(own.pool.get());
                std::vector<float> out(size);
                measure(state,
                        float_limit(set.name),
                        2.0 * static_cast<double>(size * size),
                        static_cast<double>(blocks * bytes),
                        [&] {
                          set.make_tables({x.data(), 1, size, size, inputs, tables});
                          for (std::size_t b = 0; b < blocks; b += kVectorBlocks) {
                            set.look_up_vector(tables,
                                               lookups.tables,
                                               lookups.words.get() + b * bytes,
                                               out.data() + b * kLookupOutputs);
                          }
                        });
              });
    }
  }
}

}  // namespace
}  // namespace lastbit

int main(int argc, char** argv) {
  for (const lastbit::KernelSet* set : lastbit::runnable_kernels()) {
    if (set == &lastbit::scalar_kernels()) continue;
    lastbit::declare_tiles(*set);
    lastbit::declare_vectors(*set);
    lastbit::declare_lookups(*set);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
