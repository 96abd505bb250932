#pragma once

namespace lastbit {

/// Settings of the process that training speed depends on, all in one place. Call first in `main`.
///
/// - glibc keeps large blocks instead of giving them back to the system after each step, where
///   every page would be faulted in and zeroed anew (a third of LeNet5's step at batch 512).
/// - ATen runs on `threads` threads (Debian's LibTorch starts with half the processors), OpenBLAS
///   on one: its own pool would compete with ATen's.
/// - LibTorch's kernels and cuBLAS are asked for the same bits in every run (but see
///   `FastKernels`), and products of float32 are float32 on a GPU too, not tf32. What LibTorch
///   warns of is said once.
///
/// @param threads  0 takes all processors that the process may use.
void configure_process(int threads);

/// Threads of a team that wait should sleep: spinning costs a factor of five to ten when another
/// process wants the processor. OpenMP reads this from the environment when it is loaded, so it
/// must be set before the program starts; this starts the program anew if it was not. A value set
/// by the user stays.
void ensure_passive_waiting(char** argv);

}  // namespace lastbit
