// Words of codes for vpdpbusd. No include guard: each file of products by it includes this once,
// inside its own namespace and under its own target options.

using Sums = std::int32_t __attribute__((vector_size(kWordBytes)));
using Word = std::uint32_t __attribute__((vector_size(kWordBytes)));
using Bytes = std::uint8_t __attribute__((vector_size(kWordBytes)));

constexpr Word kNibbles = Word{} + 0x0F0F0F0FU;

inline Word load_word(const std::uint8_t* from) noexcept {
  Word word;
  __builtin_memcpy(&word, from, sizeof(word));
  return word;
}

inline Sums load_sums(const std::int32_t* from) noexcept {
  Sums sums;
  __builtin_memcpy(&sums, from, sizeof(sums));
  return sums;
}

inline void store_sums(std::int32_t* to, Sums sums) noexcept {
  __builtin_memcpy(to, &sums, sizeof(sums));
}

// Four inputs in every lane.
template <typename Input>
inline Word splat_inputs(const Input* from) noexcept {
  std::int32_t four;
  __builtin_memcpy(&four, from, sizeof(four));
  return reinterpret_cast<Word>(_mm512_set1_epi32(four));
}

inline Sums add_products(Sums sums, Word unsigned_bytes, Word signed_bytes) noexcept {
  return reinterpret_cast<Sums>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sums),
                                                    reinterpret_cast<__m512i>(unsigned_bytes),
                                                    reinterpret_cast<__m512i>(signed_bytes)));
}

inline Word shuffle(Word table, Word index) noexcept {
  return reinterpret_cast<Word>(
      _mm512_shuffle_epi8(reinterpret_cast<__m512i>(table), reinterpret_cast<__m512i>(index)));
}

// Tables that turn the four bits at once that a byte is split into to the value of one of the
// codes in them: a field need not be moved to the lowest bits, nor its neighbours masked off.
template <int Bits>
struct Tables {
  static constexpr std::size_t kCount = Bits == 8 ? 1 : 4 / Bits;
  Word of[kCount];

  explicit Tables(const void* values) noexcept {
    if constexpr (Bits == 8) {
      of[0] = Word{};
    } else {
      __m128i lane;
      __builtin_memcpy(&lane, values, sizeof(lane));
      of[0] = reinterpret_cast<Word>(_mm512_maskz_broadcast_i32x4(0xFFFF, lane));
      constexpr Word kBytes = {0x03020100U,
                               0x07060504U,
                               0x0B0A0908U,
                               0x0F0E0D0CU,
                               0x03020100U,
                               0x07060504U,
                               0x0B0A0908U,
                               0x0F0E0D0CU,
                               0x03020100U,
                               0x07060504U,
                               0x0B0A0908U,
                               0x0F0E0D0CU,
                               0x03020100U,
                               0x07060504U,
                               0x0B0A0908U,
                               0x0F0E0D0CU};
#pragma GCC unroll 4
      for (std::size_t i = 1; i < kCount; ++i) {
        const auto index = reinterpret_cast<Word>(reinterpret_cast<Bytes>(kBytes) >>
                                                  static_cast<std::uint8_t>(i * Bits));
        of[i] = shuffle(of[0], index);
      }
    }
  }

  // The values of group `g` of a word.
  Word get(Word word, std::size_t g) const noexcept {
    if constexpr (Bits == 8) {
      return word;
    } else {
      const Word nibbles = (g * Bits % 8 < 4 ? word : word >> 4U) & kNibbles;
      return shuffle(of[g * Bits % 4 / Bits], nibbles);
    }
  }

  // The same for a group known at run time alone.
  Word get_any(Word word, std::size_t g) const noexcept {
    if constexpr (Bits == 8) {
      return word;
    } else {
      return shuffle(of[0], (word >> static_cast<unsigned>(g * Bits)) & kNibbles);
    }
  }
};
