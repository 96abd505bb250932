#include "lastbit/base/text.h"
#include "lastbit/cli/train/experiments.h"

namespace lastbit {
namespace {

using Words = std::vector<std::string>;

// Mean average precision on VOC2007's test images, VOC2007's rule, in percent.
struct SsdFigures {
  std::optional<double> reference, ternary, ternary_with_float, shift2, shift2_with_float;
};

// Leng et al. 2018 (arXiv 1707.09870v1, section 4.2 and table 4) with the settings of SSD (Liu et
// al. 2016, section 3.1): batches of 32; 80,000, 20,000 and 20,000 steps at 0.001, 0.0001 and
// 0.00001; momentum 0.9, weight decay 5e-4; training images of VOC2007 and 2012. Ternary figures
// are those that later papers quote. In brackets there, here "1x1 float": kernels of 1 x 1 stay in
// float. The paper's trunks were trained on ImageNet first, which --reference brings in; it gives
// neither rho nor the length of the compression, which are ours: half the steps of the reference.
Subject ssd_subject(const std::string& network, const SsdFigures& published) {
  const Words shared = {
      "--batch=32", "--learning-rate=0.001/10@0.6667,0.8333", "--weight-decay=5e-4"};
  const auto of_length = [&](int epochs) { return with({cat("--epochs=", epochs)}, shared); };
  Subject result{.network = network,
                 .train = of_length(232),
                 .quick_train = of_length(2),
                 .compress = of_length(116),
                 .quick_compress = of_length(2),
                 .reference = published.reference};
  const auto add = [&](const std::string& set,
                       const std::optional<double>& all,
                       const std::optional<double>& with_float) {
    const Words admm = {"--method=admm", cat("--codebook=", set)};
    const Words kernels = with(admm, {"--codebook=kernel:1x1=float"});
    result.settings.push_back(
        {.name = cat("admm, ", set), .compress = admm, .published = all, .quick_compress = admm});
    result.settings.push_back({.name = cat("admm, ", set, ", 1x1 float"),
                               .compress = kernels,
                               .published = with_float,
                               .quick_compress = kernels});
  };
  add("ternary", published.ternary, published.ternary_with_float);
  add("shift:2", published.shift2, published.shift2_with_float);
  return result;
}

}  // namespace

std::vector<Experiment> detection_experiments() {
  return {{.name = "ssd-voc",
           .summary = "SSD300 on PASCAL VOC, VGG-16 and Darknet: ternary and shift:2 by ADMM, with "
                      "and without 1x1 kernels in float",
           .corpus = Corpus::kVoc,
           .subjects = {ssd_subject("ssd300-vgg16", {77.8, 76.2, {}, 77.6, {}}),
                        ssd_subject("ssd300-darknet", {64.2, 60.9, 61.9, 62.4, 63.9})}}};
}

}  // namespace lastbit
