#pragma once

#include <string>
#include <vector>

namespace lastbit::fuzz {

/// Files of our own writer: small networks with every operator of the runtime, plain and packed,
/// with every codebook and kind of scale, calls of Decode and its body written inline.
std::vector<std::string> seeds();

}  // namespace lastbit::fuzz
