#pragma once

#include <string_view>

#include "lastbit/zoo/zoo.h"

namespace lastbit::reference {

/// Options with which every architecture can be made, for inputs that are small for it.
inline ZooOptions small_zoo(std::string_view architecture) {
  ZooOptions options{.input = {3, 16, 16}, .seed = 7};
  if (architecture == "alexnet") options.input = {3, 63, 63};
  if (architecture == "vgg16") options.input = {3, 32, 32};
  if (architecture == "googlenet" || architecture == "resnet34" || architecture == "resnet50") {
    options.input = {3, 4, 4};
  }
  if (architecture == "mlp") options.hidden = {333};
  return options;
}

}  // namespace lastbit::reference
