#include <string>

#include "lastbit/base/text.h"
#include "lastbit/zoo/builder.h"
#include "lastbit/zoo/networks.h"

namespace lastbit {

// Without hidden widths this is a linear classifier.
Graph make_mlp(const ZooOptions& options) {
  NetworkBuilder network("mlp", options, "relu");
  network.flatten();
  std::size_t layer = 1;
  for (const std::int64_t width : options.hidden) {
    network.fully_connected(cat("fc", layer), width);
    network.activation(cat("act", layer));
    ++layer;
  }
  network.fully_connected(cat("fc", layer), options.classes);
  return network.finish();
}

}  // namespace lastbit
