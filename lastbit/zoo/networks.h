#pragma once

#include "lastbit/zoo/zoo.h"

// The rows' functions of the table in zoo.cc; each in a file of its own.

namespace lastbit {

Graph make_lenet300(const ZooOptions& options);
Graph make_lenet5(const ZooOptions& options);
Graph make_mlp(const ZooOptions& options);

}  // namespace lastbit
