#pragma once

#include <string_view>

#include "lastbit/zoo/zoo.h"

namespace lastbit {

/// @throws InputError if the caller gave an option of language models to another network.
void refuse_language(std::string_view network, const ZooOptions& options);

}  // namespace lastbit
