#pragma once

#include <memory>

#include "lastbit/cli/train/material.h"

namespace lastbit {

/// Images with boxes, of `open_detection`, for detectors.
std::unique_ptr<Material> open_boxed_images(const DataChoice& choice);

}  // namespace lastbit
