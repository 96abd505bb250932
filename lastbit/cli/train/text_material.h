#pragma once

#include <memory>

#include "lastbit/cli/train/material.h"

namespace lastbit {

/// A text of `open_text`, to train language models on.
/// @param model  whose vocabulary is taken; null to build one.
std::unique_ptr<Material> open_text_material(const DataChoice& choice, const Graph* model);

}  // namespace lastbit
