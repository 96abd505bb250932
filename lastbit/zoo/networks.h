#pragma once

#include "lastbit/zoo/zoo.h"

// The rows' functions of the tables in zoo.cc; each in a file of its own.

namespace lastbit {

Graph make_alexnet(const ZooOptions& options);
Graph make_char_lstm(const ZooOptions& options);
Graph make_googlenet(const ZooOptions& options);
Graph make_gru_lm(const ZooOptions& options);
Graph make_lenet300(const ZooOptions& options);
Graph make_lenet5(const ZooOptions& options);
Graph make_lstm_lm(const ZooOptions& options);
Graph make_mlp(const ZooOptions& options);
Graph make_mobilenetv2(const ZooOptions& options);
/// @param depth  6 n + 2 layers, for n blocks in each of the three stages.
Graph make_resnet_cifar(const ZooOptions& options, int depth);
/// @param depth  18, 34 or 50.
Graph make_resnet_imagenet(const ZooOptions& options, int depth);
Graph make_ssd300_darknet(const ZooOptions& options);
Graph make_ssd300_vgg16(const ZooOptions& options);
Graph make_ssd_small(const ZooOptions& options);
Graph make_vgg16(const ZooOptions& options);

}  // namespace lastbit
