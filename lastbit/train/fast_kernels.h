#pragma once

#include <torch/types.h>

#include "lastbit/train/precision.h"

namespace lastbit {

/// While it lives, a CUDA device takes the fastest kernels that cuDNN finds by trying, whose bits
/// may differ from run to run, unless `precision` is float32, which is to give equal bits. To be
/// held over forward and backward alone: what workers compute from their summed gradients must be
/// the same on all.
class FastKernels {
 public:
  FastKernels(Precision precision, torch::Device device);
  ~FastKernels();
  FastKernels(const FastKernels&) = delete;
  FastKernels& operator=(const FastKernels&) = delete;

 private:
  bool active_;
  // As it was before.
  bool deterministic_;
  bool warns_only_;
  bool deterministic_cudnn_;
  bool tries_;
};

}  // namespace lastbit
