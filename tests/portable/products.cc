// Compares the products of every set of kernels that this machine can run with the plain loops of
// the scalar one. It needs neither GoogleTest, exceptions, threads nor files, so it runs where
// nothing else can be built, as in WebAssembly. It returns 1 at the first difference.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "lastbit/runtime/kernels/kernel_set.h"

namespace {

using namespace lastbit;

std::uint64_t state = 1;

// splitmix64
std::uint32_t draw(std::uint32_t below) {
  state += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return static_cast<std::uint32_t>((z ^ (z >> 31)) >> 32) % below;
}

float draw_float() { return static_cast<float>(static_cast<int>(draw(20001)) - 10000) * 1e-4F; }

constexpr std::uint64_t kStart = 0xcbf29ce484222325ULL;   // FNV-1a
constexpr std::uint64_t kDigest = 0xd1329a01193a20afULL;  // of all sums, on every machine
std::uint64_t digest = kStart;

void digest_sums(const std::vector<std::int32_t>& sums) {
  for (const std::int32_t sum : sums) {
    digest = (digest ^ static_cast<std::uint32_t>(sum)) * 0x100000001b3ULL;
  }
}

bool fail(const KernelSet& set, const char* what, std::size_t groups, std::size_t at) {
  std::printf("%s: %s differs at %zu of %zu groups\n", set.name, what, at, groups);
  return false;
}

enum class Fill { kRandom, kLeast, kLargest };

// A block of weights and all that its fields may stand for.
struct Weights {
  alignas(kWordBytes) std::int8_t levels[16];
  std::uint8_t values[16];
  std::vector<float> table;
  std::vector<float> floats;
  std::vector<std::uint8_t> bytes;
  WeightBlock block;

  Weights(int bits, int width, std::size_t groups, std::size_t blocks, int kind, Fill fill)
      : table(bits == 8 ? 256 : 16) {
    static constexpr std::int8_t kTernary[4] = {-1, 0, 1, 0};
    static constexpr std::int8_t kShift[16] = {
        -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, -16, 32, -32, 64, -64, 0};
    const std::size_t codes = std::size_t{1} << (bits == 8 ? 4 : bits);
    for (std::size_t c = 0; c < 16; ++c) {
      const std::size_t k = c % codes;
      levels[c] = kind == 0   ? bits == 1   ? (k == 0 ? -1 : 1)
                                : bits == 2 ? kTernary[k]
                                            : kShift[k]
                    : kind == 1 ? static_cast<std::int8_t>(k == 0 ? -127 : 127)
                              : static_cast<std::int8_t>(k < c ? levels[k] : draw(255) - 127);
      values[c] = kind == 1   ? 255
                  : kind == 0 ? static_cast<std::uint8_t>(k)
                              : static_cast<std::uint8_t>(k < c ? values[k] : draw(256));
    }
    for (std::size_t c = 0; c < table.size(); ++c) {
      table[c] = bits == 8 || c < codes ? draw_float() : table[c % codes];
    }
    const std::size_t size = block_bytes(groups, bits, width) * blocks;
    bytes.resize(size + kWordBytes);
    void* begin = bytes.data();
    const auto past = reinterpret_cast<std::uintptr_t>(begin) % kWordBytes;
    std::uint8_t* words = bytes.data() + (past == 0 ? 0 : kWordBytes - past);
    for (std::size_t i = 0; i < size; ++i) {
      words[i] = static_cast<std::uint8_t>(fill == Fill::kRandom  ? draw(256)
                                           : fill == Fill::kLeast ? (bits == 8 ? 0x80 : 0)
                                                                  : (bits == 8 ? 0x7f : 0xff));
    }
    floats.resize(groups * kGroupInputs * kWordOutputs * static_cast<std::size_t>(width) * blocks);
    for (float& f : floats) f = draw_float();
    block = {.words = words,
             .bits = bits,
             .width = width,
             .levels = bits == 8 ? nullptr : levels,
             .largest = 128,
             .table = table.data(),
             .floats = nullptr};
  }
};

template <typename Input>
struct Inputs {
  std::vector<Input> values;
  std::vector<const Input*> rows;
  std::vector<std::int32_t> offsets;

  Inputs(std::size_t count, std::size_t groups, Fill fill) : offsets(groups) {
    const std::size_t row = groups * kGroupInputs + 3;
    values.resize(count * row);
    for (Input& v : values) {
      if constexpr (sizeof(Input) == 1) {
        v = static_cast<Input>(fill == Fill::kRandom ? draw(256) : 255);
      } else {
        v = draw_float();
      }
    }
    for (std::size_t r = 0; r < count; ++r) rows.push_back(values.data() + r * row);
    for (std::int32_t& o : offsets)
      o = static_cast<std::int32_t>(draw(static_cast<std::uint32_t>(row - kGroupInputs + 1)));
  }

  Tile<Input> tile() const { return {rows.data(), rows.size(), offsets.data(), offsets.size()}; }
};

// Sums of up to `terms` products of at most 1 in any order.
bool close(float a, float b, std::size_t terms) {
  const auto n = static_cast<float>(terms);
  return std::fabs(a - b) <= 2.0F * n * (n + 1.0F) * 0x1p-24F;
}

bool tiles_agree(const KernelSet& set, int bits, int width, std::size_t groups, int kind, Fill f) {
  const Weights w(bits, width, groups, 1, kind, f);
  const std::size_t outputs = static_cast<std::size_t>(width) * kWordOutputs;
  for (std::size_t count = 1; count <= kTileRows; ++count) {
    const Inputs<std::uint8_t> x(count, groups, f);
    std::vector<std::int32_t> expected(count * outputs);
    std::vector<std::int32_t> got(count * outputs + 1, 77);
    scalar_kernels().tile_int8(x.tile(), w.block, expected.data());
    set.tile_int8(x.tile(), w.block, got.data());
    digest_sums(expected);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (got[i] != expected[i]) return fail(set, "tile_int8", groups, i);
    }
    if (got.back() != 77) return fail(set, "tile_int8, past the end,", groups, expected.size());

    const Inputs<float> floats(count, groups, f);
    for (const bool decoded : {false, true}) {
      WeightBlock block = w.block;
      if (decoded) block.words = nullptr, block.floats = w.floats.data();
      std::vector<float> sums(count * outputs);
      std::vector<float> own(count * outputs);
      scalar_kernels().tile_float(floats.tile(), block, sums.data());
      set.tile_float(floats.tile(), block, own.data());
      for (std::size_t i = 0; i < sums.size(); ++i) {
        if (!close(own[i], sums[i], groups * kGroupInputs)) {
          return fail(set, "tile_float", groups, i);
        }
      }
    }
  }
  return true;
}

bool vectors_agree(
    const KernelSet& set, int bits, int width, std::size_t groups, int kind, Fill f) {
  const std::size_t blocks = 1 + draw(3);
  const Weights w(bits, width, groups, blocks, kind, f);
  const std::size_t outputs = static_cast<std::size_t>(width) * kWordOutputs * blocks;
  std::vector<float> x(groups * kGroupInputs);
  for (float& v : x) v = draw_float();
  std::vector<float> sums(outputs);
  std::vector<float> own(outputs);
  for (const bool decoded : {false, true}) {
    WeightBlock block = w.block;
    if (decoded) block.words = nullptr, block.floats = w.floats.data();
    scalar_kernels().vector_float(x.data(), groups, block, blocks, sums.data());
    set.vector_float(x.data(), groups, block, blocks, own.data());
    for (std::size_t i = 0; i < outputs; ++i) {
      if (!close(own[i], sums[i], x.size())) return fail(set, "vector_float", groups, i);
    }
  }
  if (bits == 8) return true;
  std::vector<std::int8_t> integers(groups * kGroupInputs);
  for (std::int8_t& v : integers) {
    v = static_cast<std::int8_t>(f == Fill::kRandom  ? static_cast<int>(draw(256)) - 128
                                 : f == Fill::kLeast ? -128
                                                     : 127);
  }
  WeightBlock block = w.block;
  block.levels = nullptr;
  block.table = nullptr;
  for (const std::uint8_t* values : {static_cast<const std::uint8_t*>(nullptr), w.values + 0}) {
    std::vector<std::int32_t> expected(outputs);
    std::vector<std::int32_t> got(outputs + 1, 77);
    scalar_kernels().vector_int8(integers.data(), groups, block, blocks, values, expected.data());
    set.vector_int8(integers.data(), groups, block, blocks, values, got.data());
    digest_sums(expected);
    for (std::size_t i = 0; i < outputs; ++i) {
      if (got[i] != expected[i]) return fail(set, "vector_int8", groups, i);
    }
    if (got.back() != 77) return fail(set, "vector_int8, past the end,", groups, outputs);
  }
  return true;
}

bool finish_agrees(const KernelSet& set,
                   Activation::Kind kind,
                   std::size_t outputs,
                   bool residual) {
  constexpr std::size_t kCount = 3;
  constexpr std::size_t kStride = 40;
  std::vector<float> scale(outputs);
  std::vector<float> bias(outputs);
  std::vector<float> before(kCount * kStride);
  std::vector<float> sums(kCount * kBlockOutputs);
  std::vector<std::int32_t> integers(sums.size());
  std::vector<std::int32_t> offsets(outputs);
  for (auto* values : {&scale, &bias, &before, &sums}) {
    for (float& v : *values) v = 2.0F * draw_float();
  }
  for (auto* values : {&integers, &offsets}) {
    for (std::int32_t& v : *values) v = static_cast<std::int32_t>(draw(20001)) - 10000;
  }
  for (const bool whole : {false, true}) {
    std::vector<float> expected = before;
    std::vector<float> got = before;
    for (auto* out : {&expected, &got}) {
      const Finish finish = {.count = kCount,
                             .outputs = outputs,
                             .sums_stride = kBlockOutputs,
                             .scale = scale.data(),
                             .bias = bias.data(),
                             .residual = residual ? out->data() : nullptr,
                             .stride = kStride,
                             .activation = {.kind = kind, .slope = 0.1F, .least = -1, .most = 2},
                             .out = out->data()};
      const KernelSet& by = out == &got ? set : scalar_kernels();
      if (whole) {
        by.finish_int8(integers.data(), offsets.data(), 1e-3F, finish);
      } else {
        by.finish_float(sums.data(), finish);
      }
    }
    for (std::size_t i = 0; i < got.size(); ++i) {
      // The scaled sums are below 80, and a few roundings are all that may differ.
      if (!(std::fabs(got[i] - expected[i]) <= 80 * 8 * 0x1p-24F)) {
        return fail(set, whole ? "finish_int8" : "finish_float", outputs, i);
      }
    }
  }
  return true;
}

bool inputs_agree(const KernelSet& set, std::size_t count) {
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(static_cast<int>(draw(4001)) - 2000) * 0.25F;
  const Range a = scalar_kernels().range(values.data(), count);
  const Range b = set.range(values.data(), count);
  if (a.least != b.least || a.most != b.most) return fail(set, "range", count, 0);
  values[draw(static_cast<std::uint32_t>(count))] = 3e38F;
  values[draw(static_cast<std::uint32_t>(count))] = -INFINITY;
  for (const Quantization q : {Quantization{.inverse = 1.0F, .zero = 0},
                               Quantization{.inverse = 0.5F, .zero = 127},
                               Quantization{.inverse = 0.123F, .zero = 255}}) {
    std::vector<std::uint8_t> expected(count);
    std::vector<std::uint8_t> got(count + 1, 77);
    scalar_kernels().quantize(values.data(), count, q, expected.data());
    set.quantize(values.data(), count, q, got.data());
    for (std::size_t i = 0; i < count; ++i) {
      if (got[i] != expected[i]) return fail(set, "quantize", count, i);
    }
    if (got[count] != 77) return fail(set, "quantize, past the end,", count, count);
  }
  return true;
}

bool agrees(const KernelSet& set) {
  for (const int bits : {1, 2, 4, 8}) {
    for (const int width : {1, 2}) {
      for (const std::size_t groups : {1, 2, 3, 4, 7, 8, 9, 17, 64, 65, 139}) {
        for (int kind = 0; kind < 3; ++kind) {
          for (const Fill fill : {Fill::kRandom, Fill::kLeast, Fill::kLargest}) {
            if (!tiles_agree(set, bits, width, groups, kind, fill)) return false;
            if (!vectors_agree(set, bits, width, groups, kind, fill)) return false;
          }
        }
      }
    }
  }
  for (int kind = 0; kind <= static_cast<int>(Activation::Kind::kTanh); ++kind) {
    for (std::size_t outputs = 1; outputs <= kBlockOutputs; ++outputs) {
      for (const bool residual : {false, true}) {
        if (!finish_agrees(set, static_cast<Activation::Kind>(kind), outputs, residual)) {
          return false;
        }
      }
    }
  }
  for (std::size_t count = 1; count <= 70; ++count) {
    if (!inputs_agree(set, count)) return false;
  }
  return true;
}

}  // namespace

int main() {
  for (const KernelSet* set : runnable_kernels()) {
    state = 1;
    digest = kStart;
    if (!agrees(*set)) return 1;
    std::printf("%s: %016llx\n", set->name, static_cast<unsigned long long>(digest));
    if (digest != kDigest) return 1;
  }
  return 0;
}
