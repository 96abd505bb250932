#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lastbit/quant/projector.h"

namespace lastbit {

/// A set whose levels are symmetric about zero.
///
/// @param form        its name without the granularity, as "shift:2".
/// @param magnitudes  of the levels, ascending, not negative; 0 stands for one level, any other for
///     two.
std::shared_ptr<const Projector> make_symmetric(std::string form,
                                                const std::vector<float>& magnitudes,
                                                Granularity per);

/// "/none", "/tensor" or "/channel".
std::string suffix(Granularity per);

}  // namespace lastbit
