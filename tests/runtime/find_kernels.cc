#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/runtime/kernels/find.h"
#include "lastbit/runtime/kernels/processor.h"

namespace lastbit {
namespace {

using testing::HasSubstr;

class FindKernels : public testing::Test {
 protected:
  void SetUp() override { unsetenv("LASTBIT_KERNELS"); }
  void TearDown() override { unsetenv("LASTBIT_KERNELS"); }
};

std::string refusal(const std::string& name) {
  try {
    find_kernels(name);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST_F(FindKernels, FindsEachByItsName) {
  for (const KernelSet* set : runnable_kernels()) EXPECT_EQ(&find_kernels(set->name), set);
  EXPECT_EQ(&find_kernels("fastest"), runnable_kernels().front());
}

#if defined(__x86_64__)
TEST(Processor, HasWhatTheCompilersLibrarySays) {
  const auto has = [](int answer) { return answer != 0; };
  const Processor processor = this_processor();
  EXPECT_EQ(processor.avx2,
            has(__builtin_cpu_supports("avx2")) && has(__builtin_cpu_supports("fma")));
  EXPECT_EQ(processor.avx512,
            has(__builtin_cpu_supports("avx512f")) && has(__builtin_cpu_supports("avx512dq")) &&
                has(__builtin_cpu_supports("avx512bw")));
  EXPECT_EQ(processor.avx512vnni, processor.avx512 && has(__builtin_cpu_supports("avx512vnni")));
  EXPECT_EQ(processor.avx512vbmi2, processor.avx512 && has(__builtin_cpu_supports("avx512vbmi2")));
  EXPECT_EQ(processor.amd, has(__builtin_cpu_is("amd")));
}
#endif

TEST_F(FindKernels, TheVariableStandsForTheFastestAlone) {
  setenv("LASTBIT_KERNELS", "scalar", 1);
  EXPECT_EQ(&find_kernels("fastest"), &scalar_kernels());
  EXPECT_STREQ(find_kernels("baseline").name, "baseline");
}

TEST_F(FindKernels, UnknownNamesAreRefusedWithThoseThatRun) {
  EXPECT_THAT(refusal("mmx"), HasSubstr("the kernels are 'mmx', expected one of fastest, "));
  EXPECT_THAT(refusal("mmx"), HasSubstr("baseline, shift, scalar"));
  for (const char* name : {"mmx", ""}) {
    setenv("LASTBIT_KERNELS", name, 1);
    EXPECT_THAT(
        refusal("fastest"),
        HasSubstr("LASTBIT_KERNELS is '" + std::string(name) + "', expected one of fastest, "));
  }
}

}  // namespace
}  // namespace lastbit
