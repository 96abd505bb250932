#include "lastbit/base/text.h"
#include "lastbit/cli/train/experiments.h"

namespace lastbit {
namespace {

using Words = std::vector<std::string>;

// At reduced length images are small, so that one of Imagenette's size takes minutes.
constexpr int kQuickEpochs = 2;
const Words kQuickTrain = {cat("--epochs=", kQuickEpochs),
                           "--batch=128",
                           "--learning-rate=cosine:0.05",
                           "--weight-decay=1e-4",
                           "--augment=crop64-flip"};

// Float networks as their own papers train them, where not given by --reference.
Words reference(int epochs,
                int batch,
                const std::string& learning_rate,
                const std::string& weight_decay,
                const std::string& augment) {
  return {cat("--epochs=", epochs),
          cat("--batch=", batch),
          cat("--learning-rate=", learning_rate),
          cat("--weight-decay=", weight_decay),
          cat("--augment=", augment)};
}

// Top-1 error of ImageNet in percent, one central crop.
struct AdmmErrors {
  std::optional<double> reference, binary, ternary, shift1, shift2;
};

// Leng et al. 2018 (arXiv 1707.09870v1, section 4 and tables 1 to 3): all layers, one scale each;
// extragradient; images of 256, crops of 224 and flips; batches of 256 (ResNet-50: 128), weight
// decay 1e-4, a learning rate that starts at 0.01. The paper gives neither rho nor the length nor
// how the rate falls: those are ours. It squeezes whole photographs into 256 x 256; here the middle
// is cut out once the shorter side has 256.
Subject admm_subject(const std::string& network,
                     int batch,
                     const Words& train,
                     const AdmmErrors& published) {
  Subject result{.network = network,
                 .train = train,
                 .quick_train = kQuickTrain,
                 .compress = {"--epochs=30",
                              cat("--batch=", batch),
                              "--learning-rate=0.01/10@0.5,0.75",
                              "--weight-decay=1e-4",
                              "--augment=crop224-flip"},
                 .quick_compress = {cat("--epochs=", kQuickEpochs),
                                    "--batch=128",
                                    "--learning-rate=0.01/10@0.5,0.75",
                                    "--weight-decay=1e-4",
                                    "--augment=crop64-flip"},
                 .reference = published.reference};
  const auto add = [&](const std::string& set, const std::optional<double>& error) {
    result.settings.push_back({.name = cat("admm, ", set),
                               .compress = {"--method=admm",
                                            "--extragradient",
                                            cat("--codebook=", set),
                                            "--finish-epochs=0"},
                               .published = error});
  };
  add("binary", published.binary);
  add("ternary", published.ternary);
  add("shift:1", published.shift1);
  add("shift:2", published.shift2);
  return result;
}

Experiment admm_imagenet() {
  const Words residual = reference(90, 256, "0.1/10@30,60", "1e-4", "resized224-flip");
  return {.name = "admm-imagenet",
          .summary = "ImageNet, all four codebooks in all layers by ADMM with extragradient",
          .corpus = Corpus::kImageNet,
          .subjects = {admm_subject("alexnet",
                                    256,
                                    reference(90, 256, "0.02/10@30,60,80", "5e-4", "crop224-flip"),
                                    {40.0, 43.0, 41.8, 40.8, 40.0}),
                       admm_subject("resnet18", 256, residual, {30.9, 35.2, 33.0, 32.5, 32.0}),
                       admm_subject("resnet50", 128, residual, {24.7, 31.3, 27.5, 26.1, 26.0}),
                       admm_subject("googlenet", 256, residual, {})}};
}

// Ajanthan et al. 2021 train binary weights on ImageNet with the first and the last layer float and
// a scale for each other layer; their settings for it were not published, so all numbers here are
// ours. MobileNetV2's depthwise layers are binary too.
Subject md_subject(const std::string& network, const std::string& first, const Words& train) {
  Subject result{.network = network,
                 .train = train,
                 .quick_train = kQuickTrain,
                 .compress = {"--epochs=90",
                              "--batch=256",
                              "--learning-rate=cosine:0.02",
                              "--weight-decay=0",
                              "--augment=resized224-flip"},
                 .quick_compress = {cat("--epochs=", kQuickEpochs),
                                    "--batch=128",
                                    "--learning-rate=cosine:0.02",
                                    "--weight-decay=0",
                                    "--augment=resized64-flip"}};
  for (const char* method : {"md-tanh-s", "md-softmax-s"}) {
    result.settings.push_back({.name = cat(method, ", binary"),
                               .compress = {cat("--method=", method),
                                            "--codebook=binary",
                                            cat("--codebook=", first, "=float"),
                                            "--codebook=fc=float"}});
  }
  return result;
}

Experiment md_imagenet() {
  return {.name = "md-imagenet",
          .summary = "ImageNet, binary but for the first and last layer, by stable mirror descent",
          .corpus = Corpus::kImageNet,
          .subjects = {md_subject("resnet18",
                                  "conv1",
                                  reference(90, 256, "0.1/10@30,60", "1e-4", "resized224-flip")),
                       md_subject("mobilenetv2",
                                  "stem",
                                  reference(150, 256, "cosine:0.05", "4e-5", "resized224-flip"))}};
}

}  // namespace

std::vector<Experiment> imagenet_experiments() { return {admm_imagenet(), md_imagenet()}; }

}  // namespace lastbit
