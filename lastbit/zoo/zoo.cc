#include "lastbit/zoo/zoo.h"

#include <array>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/zoo/language.h"
#include "lastbit/zoo/networks.h"

namespace lastbit {
namespace {

constexpr std::array kArchitectures = {
    Architecture{.name = "alexnet",
                 .summary = "five convolutions, three full layers, batch norm (Krizhevsky 2012)",
                 .make = make_alexnet},
    Architecture{.name = "char-lstm",
                 .summary = "language model of characters, LSTM (Karpathy 2015)",
                 .make = make_char_lstm,
                 .kind = NetworkKind::kLanguage},
    Architecture{.name = "googlenet",
                 .summary = "inception modules with batch norm (Szegedy et al. 2015)",
                 .make = make_googlenet},
    Architecture{.name = "gru-lm",
                 .summary = "language model of words, as lstm-lm with GRU (Cho et al. 2014)",
                 .make = make_gru_lm,
                 .kind = NetworkKind::kLanguage},
    Architecture{.name = "lenet300",
                 .summary = "784-300-100-10 fully connected, tanh (LeCun et al. 1998)",
                 .make = make_lenet300},
    Architecture{.name = "lenet5",
                 .summary = "two convolutions of 5x5 and two full layers, ReLU (Caffe's variant)",
                 .make = make_lenet5},
    Architecture{.name = "lstm-lm",
                 .summary = "language model of words, two layers of LSTM (Zaremba et al. 2014)",
                 .make = make_lstm_lm,
                 .kind = NetworkKind::kLanguage},
    Architecture{.name = "mlp",
                 .summary = "fully connected with the hidden widths you name, ReLU",
                 .make = make_mlp},
    Architecture{.name = "mobilenetv2",
                 .summary = "inverted residuals of depthwise convolutions (Sandler et al. 2018)",
                 .make = make_mobilenetv2},
    Architecture{
        .name = "resnet18",
        .summary = "residual network for ImageNet, or CIFAR's size (He et al. 2016)",
        .make = [](const ZooOptions& options) { return make_resnet_imagenet(options, 18); }},
    Architecture{.name = "resnet20",
                 .summary = "residual network for CIFAR, 16 to 64 channels (He et al. 2016)",
                 .make = [](const ZooOptions& options) { return make_resnet_cifar(options, 20); }},
    Architecture{.name = "resnet32",
                 .summary = "resnet20's with 32 layers",
                 .make = [](const ZooOptions& options) { return make_resnet_cifar(options, 32); }},
    Architecture{
        .name = "resnet34",
        .summary = "resnet18's with 34 layers",
        .make = [](const ZooOptions& options) { return make_resnet_imagenet(options, 34); }},
    Architecture{.name = "resnet44",
                 .summary = "resnet20's with 44 layers",
                 .make = [](const ZooOptions& options) { return make_resnet_cifar(options, 44); }},
    Architecture{
        .name = "resnet50",
        .summary = "resnet18's with 50 layers, in blocks of 1x1, 3x3, 1x1",
        .make = [](const ZooOptions& options) { return make_resnet_imagenet(options, 50); }},
    Architecture{.name = "resnet56",
                 .summary = "resnet20's with 56 layers",
                 .make = [](const ZooOptions& options) { return make_resnet_cifar(options, 56); }},
    Architecture{.name = "ssd-small",
                 .summary = "SSD for two CPU cores: four maps, 16 to 128 channels",
                 .make = make_ssd_small,
                 .kind = NetworkKind::kDetector,
                 .side = 160},
    Architecture{.name = "ssd300-darknet",
                 .summary = "SSD on Darknet's reference network (Leng et al. 2018)",
                 .make = make_ssd300_darknet,
                 .kind = NetworkKind::kDetector,
                 .side = 300},
    Architecture{.name = "ssd300-vgg16",
                 .summary = "SSD on VGG-16, six maps (Liu et al. 2016)",
                 .make = make_ssd300_vgg16,
                 .kind = NetworkKind::kDetector,
                 .side = 300},
    Architecture{.name = "vgg16",
                 .summary = "13 convolutions of 3x3 with batch norm (Simonyan and Zisserman 2015)",
                 .make = make_vgg16},
};

}  // namespace

std::span<const Architecture> architectures() noexcept { return kArchitectures; }

const Architecture* find_detector(std::string_view name) noexcept {
  for (const Architecture& row : kArchitectures) {
    if (row.name == name && row.kind == NetworkKind::kDetector) return &row;
  }
  return nullptr;
}

Graph make_network(std::string_view name, const ZooOptions& options) {
  std::vector<std::string_view> names;
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.name == name) {
      if (architecture.kind != NetworkKind::kLanguage) refuse_language(name, options);
      return architecture.make(options);
    }
    names.push_back(architecture.name);
  }
  throw InputError(cat("[zoo] there is no network '", name, "', expected one of ", join(names)));
}

}  // namespace lastbit
