#include "lastbit/zoo/builder.h"
#include "lastbit/zoo/networks.h"

namespace lastbit {

// The variant of LeNet-5 that Caffe's example made the usual one in papers on compression, with a
// ReLU after each convolution. 431,080 parameters for 1 x 28 x 28 inputs and 10 classes.
Graph make_lenet5(const ZooOptions& options) {
  refuse_hidden("lenet5", options);
  NetworkBuilder network("lenet5", options, "relu");
  network.convolution("conv1", 20, 5);
  network.activation("act1");
  network.max_pool("pool1", 2);
  network.convolution("conv2", 50, 5);
  network.activation("act2");
  network.max_pool("pool2", 2);
  network.flatten();
  network.fully_connected("fc1", 500);
  network.activation("act3");
  network.fully_connected("fc2", options.classes);
  return network.finish();
}

}  // namespace lastbit
