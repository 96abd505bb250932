#pragma once

#include <memory>

#include "lastbit/cli/train/material.h"

namespace lastbit {

/// A data set of `open_dataset`: samples with a class each.
std::unique_ptr<Material> open_labelled_samples(const DataChoice& choice);

}  // namespace lastbit
