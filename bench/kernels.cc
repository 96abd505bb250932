// Products of each set of kernels, in operations (two for a product and its sum) a second, and
// their share of what the processor can do: the rate of the set's best instruction in a loop that
// touches registers alone, measured in turns with the kernel. Both count the time of this thread,
// and the shortest of many repetitions. Each product is compared with the scalar kernels first.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/limit.h"
#include "bench/lookup.h"
#include "lastbit/base/random.h"
#include "lastbit/runtime/kernels/kernel_set.h"

namespace lastbit {
namespace {

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
