#pragma once

#include <cstdint>
#include <string>

#include "lastbit/zoo/builder.h"

namespace lastbit {

/// Two convolutions of 3 x 3 with batch norm, their result added to the block's input, then ReLU
/// (He et al. 2016, figure 5 left). Where size or channels change, the shortcut is a convolution of
/// 1 x 1 with batch norm (their option B), or without parameters (option A) where the options ask
/// for it.
/// @param block  name that the layers' names start with: "stage1.block1".
void append_basic_block(NetworkBuilder& network,
                        const std::string& block,
                        std::int64_t channels,
                        std::int64_t stride);

}  // namespace lastbit
