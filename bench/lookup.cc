#include "bench/lookup.h"

#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/limit.h"
#include "lastbit/base/random.h"

namespace lastbit {
namespace {

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

// Lookups of bytes, a call: a tile of a window of 3 x 1 and one block of outputs, and the same with
// the tables of as many pixels as the tile has results. The limit is that of products.
void declare_byte_lookups(const KernelSet& set) {
  if (set.look_up_bytes == nullptr) return;
  constexpr std::size_t kColumns = 3;
  constexpr std::size_t kInputs = 78;
  constexpr std::size_t kTables = byte_tables(kInputs);
  constexpr std::size_t kTurns = (kColumns * kTables + kTurnTables - 1) / kTurnTables;
  for (const bool make : {false, true}) {
    declare("look_up_bytes/" + std::string(set.name) + (make ? "/and_tables" : ""),
            [&set, make](benchmark::State& state) {
              constexpr std::size_t kPixels = kByteRows + kColumns - 1;
              const Pages x = random_pages(kPixels * kInputs);
              const Pages words = random_pages(kTurns * kTurnBytes);
              const Pages pool = random_pages(kPixels * kTables * kSubsetSums * 2);
              auto* const tables = reinterpret_cast<std::uint16_t*>(pool.get());
              const std::uint16_t* rows[kByteRows];
              for (std::size_t r = 0; r < kByteRows; ++r) {
                rows[r] = tables + r * kTables * kSubsetSums;
              }
              std::vector<std::int32_t> offsets(kTurns * kTurnTables);
              for (std::size_t k = 0; k < kColumns * kTables; ++k) {
                offsets[k] = static_cast<std::int32_t>(k * kSubsetSums);
              }
              std::int32_t sums[kPixels] = {};
              std::vector<std::int32_t> out(kByteRows * kByteOutputs);
              measure(
                  state,
                  int8_limit(set.name),
                  2.0 * static_cast<double>(kColumns * kInputs * kByteRows * kByteOutputs),
                  static_cast<double>(kTurns * kTurnBytes),
                  [&] {
                    if (make) {
                      set.make_byte_tables({x.get(), kByteRows, kInputs, kInputs, tables, sums});
                    }
                    set.look_up_bytes({rows, kByteRows, offsets.data(), kTurns * kTurnTables},
                                      words.get(),
                                      nullptr,
                                      kByteOutputs,
                                      out.data());
                  });
            });
  }
}

}  // namespace

void declare_lookups(const KernelSet& set) {
  declare_byte_lookups(set);
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

}  // namespace lastbit
