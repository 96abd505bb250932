#include "lastbit/zoo/builder.h"
#include "lastbit/zoo/networks.h"

namespace lastbit {

// LeCun, Bottou, Bengio and Haffner 1998, section III.C.4, with tanh as in the experiments of
// Carreira-Perpiñán and Idelbayev 2017. 266,610 parameters for 784 inputs and 10 classes.
Graph make_lenet300(const ZooOptions& options) {
  refuse_hidden("lenet300", options);
  NetworkBuilder network("lenet300", options, "tanh");
  network.flatten();
  network.fully_connected("fc1", 300);
  network.activation("act1");
  network.fully_connected("fc2", 100);
  network.activation("act2");
  network.fully_connected("fc3", options.classes);
  return network.finish();
}

}  // namespace lastbit
