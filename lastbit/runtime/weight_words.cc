#include "lastbit/runtime/weight_words.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "lastbit/quant/digits.h"
#include "lastbit/runtime/kernels/product.h"

namespace lastbit {
namespace {

// The first of the codes that are read together becomes the lowest bits.
static_assert(std::endian::native == std::endian::little);

constexpr std::size_t kLane = sizeof(std::uint32_t);  // an output's bytes of a word

template <typename Integer>
Integer load(const std::uint8_t* from) noexcept {
  Integer value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

template <typename Integer>
void store(std::uint8_t* to, Integer value) noexcept {
  std::memcpy(to, &value, sizeof(value));
}

std::size_t round_up(std::size_t count, std::size_t unit) noexcept {
  return (count + unit - 1) / unit * unit;
}

// Inputs whose fields make one lane.
std::size_t inputs_of_word(int bits) noexcept {
  return 8 / static_cast<std::size_t>(bits) * kGroupInputs;
}

// A tensor's codes, as fields.
class Fields {
 public:
  Fields(std::span<const std::uint8_t> packed, int radix, const std::uint8_t* values)
      : packed_(packed), radix_(radix), values_(values) {}

  void read(std::size_t first, std::span<std::uint8_t> to) const noexcept {
    unpack(packed_, radix_, first, to);
    if (values_ == nullptr) return;
    for (std::uint8_t& code : to) code = values_[code];
  }

 private:
  std::span<const std::uint8_t> packed_;
  int radix_;
  const std::uint8_t* values_;
};

// The lanes of outputs in the words of their blocks.
class Lanes {
 public:
  Lanes(std::byte* words, std::size_t outputs, std::size_t word_rows) noexcept
      : words_(reinterpret_cast<std::uint8_t*>(words)),
        outputs_(outputs),
        block_bytes_(word_rows * kBlockWords * kWordBytes) {}

  // Bytes from a word to the next of the same outputs.
  std::size_t stride(std::size_t output) const noexcept {
    const std::size_t left = outputs_ - output / kBlockOutputs * kBlockOutputs;
    return left > kWordOutputs ? kBlockWords * kWordBytes : kWordBytes;
  }

  std::uint8_t* at(std::size_t output) const noexcept {
    return words_ + output / kBlockOutputs * block_bytes_ + output % kBlockOutputs * kLane;
  }

 private:
  std::uint8_t* words_;
  std::size_t outputs_;
  std::size_t block_bytes_;
};

// One output's lane of each word. Inputs: fields in the order of the product, a multiple of those
// of a word.
template <int kBits>
void fill_lane(std::span<const std::uint8_t> inputs, std::uint8_t* lane, std::size_t stride) {
  constexpr std::size_t kGroups = 8 / kBits;
  for (std::size_t k = 0; k < inputs.size(); k += kGroups * kGroupInputs, lane += stride) {
    const std::uint8_t* from = inputs.data() + k;
    if constexpr (kGroups == 1) {
      store(lane, load<std::uint32_t>(from));
    } else {
      std::uint64_t pairs = 0;  // of groups, the even ones in the low half
#pragma GCC unroll 4
      for (unsigned g = 0; g < kGroups; g += 2) {
        pairs |= load<std::uint64_t>(from + g * kGroupInputs) << (g * kBits);
      }
      store(lane, static_cast<std::uint32_t>(pairs | pairs >> (32 - kBits)));
    }
  }
}

// The same for inputs that lie as [channels][taps] and are wanted as [taps][channels], of which
// there are a multiple of those of a word. Fields are joined first, while they lie side by side.
// `joined` is room for kGroupInputs * taps and 8 bytes more.
template <int kBits>
void fill_lane_of_taps(std::span<const std::uint8_t> inputs,
                       std::size_t taps,
                       std::uint8_t* joined,
                       std::uint8_t* lane,
                       std::size_t stride) {
  constexpr std::size_t kGroups = 8 / kBits;
  const std::size_t group = kGroupInputs * taps;
  const std::size_t tap_stride = inputs.size() / taps / (kGroups * kGroupInputs) * stride;
  for (std::size_t k = 0; k < inputs.size(); k += kGroups * group, lane += stride) {
    const std::uint8_t* from = inputs.data() + k;
    for (std::size_t i = 0; i < group; i += sizeof(std::uint64_t)) {
      std::uint64_t fields = 0;
#pragma GCC unroll 8
      for (unsigned g = 0; g < kGroups; ++g) {
        fields |= load<std::uint64_t>(from + g * group + i) << (g * kBits);
      }
      store(joined + i, fields);
    }
    for (std::size_t t = 0; t < taps; ++t) {
      std::uint8_t* to = lane + t * tap_stride;
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kGroupInputs; ++i) to[i] = joined[i * taps + t];
    }
  }
}

// The taps of the window if the inputs are the elements [channels][taps] of an output turned to
// [taps][channels]; 1 if they are those elements in order; 0 for any other order.
std::size_t taps_of(const std::vector<std::int64_t>& inputs) {
  const std::size_t count = inputs.size();
  const std::size_t taps = count > 1 && inputs[1] > 0 ? static_cast<std::size_t>(inputs[1]) : 1;
  if (count % taps != 0) return 0;
  const std::size_t channels = count / taps;
  std::size_t k = 0;
  for (std::size_t t = 0; t < taps; ++t) {
    for (std::size_t c = 0; c < channels; ++c, ++k) {
      if (inputs[k] != static_cast<std::int64_t>(c * taps + t)) return 0;
    }
  }
  return taps;
}

// The above for fields of so many bits.
struct FillLane {
  void (*in_order)(std::span<const std::uint8_t>, std::uint8_t*, std::size_t);
  void (*of_taps)(
      std::span<const std::uint8_t>, std::size_t, std::uint8_t*, std::uint8_t*, std::size_t);
};

FillLane fill_lane_of(int bits) noexcept {
  switch (bits) {
    case 1:
      return {fill_lane<1>, fill_lane_of_taps<1>};
    case 2:
      return {fill_lane<2>, fill_lane_of_taps<2>};
    case 4:
      return {fill_lane<4>, fill_lane_of_taps<4>};
    default:
      return {fill_lane<8>, fill_lane_of_taps<8>};
  }
}

// Output by output: each one's weights lie near each other.
void fill_by_rows(const Fields& fields,
                  const WeightOrder& order,
                  const WordFields& kind,
                  const Lanes& lanes) {
  constexpr std::size_t kBeyond = 8;  // that whole loads may read
  const std::size_t word_inputs = inputs_of_word(kind.bits);
  const std::size_t count = order.inputs.size();
  const std::size_t filled = round_up(count, word_inputs);
  std::int64_t last = -1;
  for (const std::int64_t at : order.inputs) last = std::max(last, at);
  const auto span = static_cast<std::size_t>(last + 1);
  std::size_t taps = taps_of(order.inputs);
  if (taps > 1 && count / taps % word_inputs != 0) taps = 0;

  std::vector<std::uint8_t> row(std::max(span + 1, filled) + kBeyond);
  std::vector<std::uint8_t> room(taps > 1 ? kGroupInputs * taps + kBeyond : taps == 0 ? filled : 0);
  std::vector<std::size_t> places(taps == 0 ? count : 0);  // of each input in `row`
  for (std::size_t k = 0; k < places.size(); ++k) {
    places[k] = order.inputs[k] < 0 ? span : static_cast<std::size_t>(order.inputs[k]);
  }
  if (taps == 0) row[span] = kind.gap;
  const FillLane fill = fill_lane_of(kind.bits);
  const std::span<std::uint8_t> codes(row.data(), span);
  for (std::size_t o = 0; o < order.outputs; ++o) {
    fields.read(order.first + o * order.output_step, codes);
    if (taps > 1) {
      fill.of_taps(codes, taps, room.data(), lanes.at(o), lanes.stride(o));
      continue;
    }
    for (std::size_t k = 0; k < places.size(); ++k) room[k] = row[places[k]];
    fill.in_order({taps == 0 ? room.data() : row.data(), filled}, lanes.at(o), lanes.stride(o));
  }
}

// Input by input: the weights of all outputs for it lie side by side.
void fill_by_columns(const Fields& fields,
                     const WeightOrder& order,
                     const WordFields& kind,
                     const Lanes& lanes) {
  constexpr std::size_t kPart = 32 * kBlockOutputs;
  const std::size_t word_inputs = inputs_of_word(kind.bits);
  std::array<std::uint8_t, kPart> codes = {};
  std::array<std::array<std::uint8_t, kPart>, kGroupInputs> joined;
  for (std::size_t k = 0; k < order.inputs.size(); k += word_inputs) {
    const std::size_t inputs = std::min(word_inputs, order.inputs.size() - k);
    for (std::size_t begin = 0; begin < order.outputs; begin += kPart) {
      const std::size_t size = std::min(kPart, order.outputs - begin);
      joined = {};
      for (std::size_t i = 0; i < inputs; ++i) {
        if (const std::int64_t at = order.inputs[k + i]; at < 0) {
          std::fill_n(codes.begin(), size, kind.gap);
        } else {
          fields.read(order.first + begin + static_cast<std::size_t>(at), {codes.data(), size});
        }
        const int shift = static_cast<int>(i / kGroupInputs) * kind.bits;
        std::uint8_t* to = joined[i % kGroupInputs].data();
        // Eight bytes at once: codes stay within their bytes.
        for (std::size_t o = 0; o < size; o += sizeof(std::uint64_t)) {
          store(to + o, load<std::uint64_t>(to + o) | load<std::uint64_t>(&codes[o]) << shift);
        }
      }
      for (std::size_t o = 0; o < size; ++o) {
        std::uint8_t* lane = lanes.at(begin + o) + k / word_inputs * lanes.stride(begin + o);
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kGroupInputs; ++i) lane[i] = joined[i][o];
      }
    }
  }
}

}  // namespace

void add_level_sums(const std::byte* words,
                    std::size_t groups,
                    int bits,
                    const std::int8_t* levels,
                    std::span<std::int32_t> sums) {
  const std::size_t fields = 8 / static_cast<std::size_t>(bits);
  const std::size_t rows = (groups + fields - 1) / fields;
  std::array<std::int16_t, 256> of_byte;
  for (unsigned byte = 0; byte < of_byte.size(); ++byte) {
    int sum = bits == 8 ? static_cast<std::int8_t>(byte) : 0;
    for (unsigned rest = byte, f = 0; bits < 8 && f < fields; ++f, rest >>= bits) {
      sum += levels[rest & ((1U << bits) - 1)];
    }
    of_byte[byte] = static_cast<std::int16_t>(sum);
  }
  const Lanes lanes(const_cast<std::byte*>(words), sums.size(), rows);
  const auto beyond = static_cast<std::int32_t>((rows * fields - groups) * kGroupInputs);
  for (std::size_t o = 0; o < sums.size(); ++o) {
    const std::uint8_t* lane = lanes.at(o);
    std::int32_t sum = -beyond * levels[0];
    for (std::size_t row = 0; row < rows; ++row, lane += lanes.stride(o)) {
      sum += of_byte[lane[0]] + of_byte[lane[1]] + of_byte[lane[2]] + of_byte[lane[3]];
    }
    sums[o] += sum;
  }
}

void fill_words(std::span<const std::uint8_t> packed,
                int radix,
                const WeightOrder& order,
                const WordFields& fields,
                std::byte* words) {
  const Fields from(packed, radix, fields.values);
  const std::size_t word_inputs = inputs_of_word(fields.bits);
  const Lanes lanes(words, order.outputs, round_up(order.inputs.size(), word_inputs) / word_inputs);
  if (order.output_step == 1 && order.outputs > 1) {
    fill_by_columns(from, order, fields, lanes);
  } else {
    fill_by_rows(from, order, fields, lanes);
  }
}

}  // namespace lastbit
