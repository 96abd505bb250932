#include "lastbit/base/text.h"
#include "lastbit/cli/train/experiments.h"

namespace lastbit {
namespace {

using Words = std::vector<std::string>;

// The LC authors' training of LeNet300 and LeNet5 references.
const Words kReference = {"--epochs=300",
                          "--batch=256",
                          "--optimizer=sgd",
                          "--momentum=0.9",
                          "--learning-rate=0.1*0.99",
                          "--weight-decay=0",
                          "--center=pixel"};

Words quick_reference(int epochs) {
  return {cat("--epochs=", epochs),
          "--batch=256",
          "--learning-rate=cosine:0.1",
          "--weight-decay=0",
          "--center=pixel"};
}

// The same number of epochs as an L step's total for methods that have no paper settings here.
Words quick_compress(int epochs) {
  return {cat("--epochs=", epochs), "--batch=256", "--learning-rate=cosine:0.1"};
}

// By the settings of its paper; direct compression has none.
Words learned(const std::string& method, int levels) {
  Words result;
  if (method != "dc") result.push_back("--schedule=paper");
  return with(result, {cat("--method=", method), cat("--codebook=kmeans:", levels)});
}

Experiment lc_lenet300() {
  // A tenth of the published length.
  const Words untuned = {"--method=lc",
                         "--codebook=kmeans:2",
                         "--schedule=auto",
                         "--learning-rate=cosine:0.1",
                         "--epochs=80",
                         "--batch=256",
                         "--distill=0.7"};
  return {
      .name = "lc-lenet300",
      .summary = "LeNet300, two learned levels a layer, by LC, iDC and DC",
      .subjects = {
          {.network = "lenet300",
           .train = kReference,
           .quick_train = quick_reference(20),
           .compress = {},
           .quick_compress = quick_compress(20),
           .reference = 2.13,
           .settings = {{"lc, K=2", learned("lc", 2), 2.56, 30.523},
                        {"lc, K=2, layers 1 and 3",
                         with(learned("lc", 2), {"--codebook=fc2=float"}),
                         2.26,
                         {}},
                        {"lc-qp, K=2", learned("lc-qp", 2), {}, 30.523},
                        {"idc, K=2", learned("idc", 2), {}, 30.523},
                        {"dc, K=2", learned("dc", 2), {}, 30.523},
                        {"lc, K=2, distilled",
                         with(learned("lc", 2), {"--distill=0.7", "--finish-epochs=5"}),
                         {},
                         30.523},
                        {"lc, K=2, own schedule, 80 epochs, distilled", untuned, {}, 30.523}}}}};
}

Experiment tradeoff(const std::string& name,
                    const std::string& network,
                    const Words& quick_train,
                    int quick_epochs,
                    const std::vector<double>& published_bits) {
  Subject subject{.network = network,
                  .train = kReference,
                  .quick_train = quick_train,
                  .compress = {},
                  .quick_compress = quick_compress(quick_epochs)};
  const std::vector<int> sizes = {2, 4, 8, 16, 32, 64};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (const char* method : {"lc", "idc", "dc"}) {
      subject.settings.push_back(
          {cat(method, ", K=", sizes[i]), learned(method, sizes[i]), {}, published_bits[i]});
    }
  }
  return {.name = name,
          .summary = cat(network, ", K = 2 to 64 learned levels a layer, by LC, iDC, DC"),
          .subjects = {subject}};
}

Experiment lc_binary() {
  Subject subject{.network = "lenet300",
                  .train = kReference,
                  .quick_train = quick_reference(20),
                  .compress = {},
                  .quick_compress = quick_compress(20)};
  for (const char* set : {"binary/none", "binary", "ternary"}) {
    subject.settings.push_back(
        {cat("lc, ", set), {"--method=lc", "--schedule=paper", cat("--codebook=", set)}, {}, {}});
  }
  for (const char* set : {"binary/none", "binary"}) {
    subject.settings.push_back({cat("bc, ", set),
                                {"--method=bc",
                                 "--epochs=820",
                                 "--batch=256",
                                 "--finish-epochs=0",
                                 cat("--codebook=", set)},
                                {},
                                {}});
  }
  return {.name = "lc-binary",
          .summary =
              "LeNet300, binary, scaled binary and scaled ternary by LC, against "
              "BinaryConnect",
          .subjects = {subject}};
}

// With the extragradient a learning rate of 0.05 diverges on binary weights.
Experiment admm_lenet5() {
  Subject subject{.network = "lenet5",
                  .train = {"--epochs=30", "--batch=128", "--learning-rate=cosine:0.05"},
                  .quick_train = {"--epochs=4", "--batch=128", "--learning-rate=cosine:0.05"},
                  .compress = {"--epochs=30", "--batch=128", "--learning-rate=cosine:0.02"},
                  .quick_compress = {"--epochs=3", "--batch=128", "--learning-rate=cosine:0.02"}};
  for (const char* set : {"binary", "ternary", "shift:1", "shift:2"}) {
    subject.settings.push_back(
        {cat("admm, ", set), {"--method=admm", cat("--codebook=", set)}, {}, {}});
    subject.settings.push_back({cat("admm with extragradient, ", set),
                                {"--method=admm", "--extragradient", cat("--codebook=", set)},
                                {},
                                {}});
  }
  return {.name = "admm-lenet5",
          .summary = "LeNet5, all four codebooks by ADMM, with and without extragradient",
          .subjects = {subject}};
}

Experiment md_mnist() {
  Subject subject{.network = "lenet300",
                  .train = {"--epochs=30", "--batch=128", "--learning-rate=cosine:0.05"},
                  .quick_train = quick_reference(10),
                  .compress = {"--epochs=60", "--batch=128"},
                  .quick_compress = {"--epochs=10", "--batch=128"}};
  for (const char* method :
       {"md-tanh", "md-softmax", "md-tanh-s", "md-softmax-s", "gd-tanh", "pmf", "picm", "bc"}) {
    subject.settings.push_back(
        {cat(method, ", binary"), {cat("--method=", method), "--codebook=binary"}, {}, {}});
  }
  return {.name = "md-mnist",
          .summary =
              "LeNet300, binary weights by every mirror-descent method, PMF, PICM, "
              "GD-tanh and BinaryConnect",
          .subjects = {subject}};
}

}  // namespace

std::vector<Experiment> mnist_experiments() {
  // Published ratios of bits, for K = 2, 4, ... 64 (Carreira-Perpinan and Idelbayev 2017).
  return {lc_lenet300(),
          tradeoff("lc-lenet300-tradeoff",
                   "lenet300",
                   quick_reference(20),
                   10,
                   {30.5, 15.6, 10.5, 7.9, 6.3, 5.3}),
          tradeoff("lc-lenet5", "lenet5", quick_reference(4), 3, {30.7, 15.7, 10.5, 7.9, 6.3, 5.3}),
          lc_binary(),
          admm_lenet5(),
          md_mnist()};
}

}  // namespace lastbit
