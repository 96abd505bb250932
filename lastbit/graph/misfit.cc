#include "lastbit/graph/misfit.h"

#include "lastbit/base/error.h"

namespace lastbit {

void throw_misfit(const Node& node, std::span<const Part> parts) {
  throw InputError(cat("[shapes] node ", describe(node), ": ", cat_parts(parts)));
}

}  // namespace lastbit
