#include "lastbit/method/registry.h"

#include <array>
#include <string>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/method/direct.h"

namespace lastbit {
namespace {

std::unique_ptr<Method> admm(const MethodOptions& options) { return make_admm(options.admm); }
std::unique_ptr<Method> dc(const MethodOptions& /*options*/) { return make_direct_compression(); }

constexpr std::array<MethodInfo, 2> kMethods = {{
    {"admm", "alternating direction method of multipliers (Leng et al. 2017)", true, admm},
    {"dc", "direct compression: project the reference, no training, no data", false, dc},
}};

}  // namespace

std::span<const MethodInfo> methods() noexcept { return kMethods; }

const MethodInfo& find_method(std::string_view name) {
  std::vector<std::string> known;
  for (const MethodInfo& info : kMethods) {
    if (info.name == name) return info;
    known.emplace_back(info.name);
  }
  throw InputError(cat("[method] '", name, "' is not known, expected one of: ", join(known)));
}

}  // namespace lastbit
