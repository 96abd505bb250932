#include "lastbit/runtime/kernels/find.h"

#include <cstdlib>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr const char* kVariable = "LASTBIT_KERNELS";
constexpr const char* kFastest = "fastest";

const KernelSet& find(const std::string& name, const char* what) {
  const std::span<const KernelSet* const> sets = runnable_kernels();
  if (name == kFastest) return *sets.front();
  std::vector<std::string> known = {kFastest};
  for (const KernelSet* set : sets) {
    if (name == set->name) return *set;
    known.emplace_back(set->name);
  }
  throw InputError(cat("[runtime] ", what, " '", name, "', expected one of ", join(known)));
}

}  // namespace

const KernelSet& find_kernels(const std::string& name) {
  if (name != kFastest) return find(name, "the kernels are");
  const char* const forced = std::getenv(kVariable);
  return forced == nullptr ? find(name, "the kernels are") : find(forced, "LASTBIT_KERNELS is");
}

}  // namespace lastbit
