#include "lastbit/zoo/zoo.h"

#include <array>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/zoo/networks.h"

namespace lastbit {
namespace {

constexpr std::array kArchitectures = {
    Architecture{.name = "lenet300",
                 .summary = "784-300-100-10 fully connected, tanh (LeCun et al. 1998)",
                 .make = make_lenet300},
    Architecture{.name = "lenet5",
                 .summary = "two convolutions of 5x5 and two full layers, ReLU (Caffe's variant)",
                 .make = make_lenet5},
    Architecture{.name = "mlp",
                 .summary = "fully connected with the hidden widths you name, ReLU",
                 .make = make_mlp},
};

}  // namespace

std::span<const Architecture> architectures() noexcept { return kArchitectures; }

Graph make_network(std::string_view name, const ZooOptions& options) {
  std::vector<std::string_view> names;
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.name == name) return architecture.make(options);
    names.push_back(architecture.name);
  }
  throw InputError(cat("[zoo] there is no network '", name, "', expected one of ", join(names)));
}

}  // namespace lastbit
