#include "lastbit/data/fit.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

std::int64_t count(std::span<const std::int64_t> shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

bool is_vector(std::span<const std::int64_t> shape) {
  return std::count_if(shape.begin(), shape.end(), [](std::int64_t size) { return size != 1; }) <=
         1;
}

}  // namespace

void require_fit(std::span<const std::int64_t> data, std::span<const std::int64_t> model) {
  if (std::ranges::equal(data, model)) return;
  if (count(data) == count(model) && (is_vector(data) || is_vector(model))) return;
  throw InputError(cat("[data] samples of shape [",
                       join(data),
                       "] do not fit the model, which takes [",
                       join(model),
                       "]"));
}

}  // namespace lastbit
