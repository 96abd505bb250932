#include "lastbit/runtime/kernels/processor.h"

#include <cpuid.h>

namespace lastbit {
namespace {

struct Registers {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
};

// All 0 where the processor has no such leaf.
Registers cpuid(unsigned leaf) noexcept {
  Registers r;
  __get_cpuid_count(leaf, 0, &r.a, &r.b, &r.c, &r.d);
  return r;
}

bool bit(unsigned word, int i) noexcept { return (word >> i & 1U) != 0; }

// Which registers the system saves when it changes programs: XCR0. Only where there is XGETBV.
unsigned saved_registers() noexcept {
  unsigned low = 0;
  unsigned high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

}  // namespace

// Intel's Software Developer's Manual, volume 1, sections 14.3, 14.7 and 15.2 to 15.4.
Processor this_processor() noexcept {
  constexpr unsigned kSse = 1U << 1;
  constexpr unsigned kAvx = 1U << 2;
  constexpr unsigned kAvx512 = 7U << 5;  // masks, upper halves, upper sixteen

  Processor result;
  const Registers vendor = cpuid(0);
  // "Auth" "enti" "cAMD"
  result.amd = vendor.b == 0x68747541 && vendor.d == 0x69746e65 && vendor.c == 0x444d4163;
  const Registers basic = cpuid(1);
  if (!bit(basic.c, 27)) return result;  // OSXSAVE
  const unsigned saved = saved_registers();
  if ((saved & (kSse | kAvx)) != (kSse | kAvx)) return result;
  const Registers extended = cpuid(7);
  result.avx2 = bit(basic.c, 28) && bit(basic.c, 12) && bit(extended.b, 5);
  if ((saved & kAvx512) != kAvx512) return result;
  result.avx512 = bit(extended.b, 16) && bit(extended.b, 17) && bit(extended.b, 30);
  result.avx512vnni = result.avx512 && bit(extended.c, 11);
  result.avx512vbmi2 = result.avx512 && bit(extended.c, 6);
  return result;
}

}  // namespace lastbit
