#include "lastbit/train/startup.h"

#include <climits>
#include <cstdlib>
#include <dlfcn.h>
#include <malloc.h>
#include <unistd.h>

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include "lastbit/base/threads.h"
#include "lastbit/train/warnings.h"

namespace lastbit {
namespace {

// From 2.2 on LibTorch also fills all memory that it takes, for programs that read it before they
// write it, where deterministic kernels are asked for.
template <typename Context>
void leave_new_memory_alone(Context& context) {
  if constexpr (requires { context.setDeterministicFillUninitializedMemory(false); }) {
    context.setDeterministicFillUninitializedMemory(false);
  }
}

}  // namespace

void configure_process(int threads) {
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, INT_MAX);
  ::mallopt(M_TOP_PAD, 64 << 20);

  at::set_num_threads(threads > 0 ? threads : usable_processors());
  // Not every BLAS is OpenBLAS, so its own call is looked up, not linked.
  using SetThreads = void (*)(int);
  if (auto* set = reinterpret_cast<SetThreads>(::dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) {
    set(1);
  }
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  leave_new_memory_alone(context);
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  // cuBLAS reads it when a device is first used; without it its sums may take any order.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  say_warnings_once();
}

void ensure_passive_waiting(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  ::execv("/proc/self/exe", argv);
  // Where the program cannot be started anew it goes on as it is: slower, not wrong.
}

}  // namespace lastbit
