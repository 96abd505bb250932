#include "lastbit/train/fast_kernels.h"

#include <ATen/Context.h>

namespace lastbit {

FastKernels::FastKernels(Precision precision, torch::Device device)
    : active_(device.is_cuda() && precision != Precision::kFloat32),
      deterministic_(at::globalContext().deterministicAlgorithms()),
      warns_only_(at::globalContext().deterministicAlgorithmsWarnOnly()),
      deterministic_cudnn_(at::globalContext().deterministicCuDNN()),
      tries_(at::globalContext().benchmarkCuDNN()) {
  if (!active_) return;
  at::globalContext().setDeterministicAlgorithms(false, warns_only_);
  at::globalContext().setDeterministicCuDNN(false);
  at::globalContext().setBenchmarkCuDNN(true);
}

FastKernels::~FastKernels() {
  if (!active_) return;
  at::globalContext().setDeterministicAlgorithms(deterministic_, warns_only_);
  at::globalContext().setDeterministicCuDNN(deterministic_cudnn_);
  at::globalContext().setBenchmarkCuDNN(tries_);
}

}  // namespace lastbit
