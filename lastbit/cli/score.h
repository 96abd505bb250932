#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "lastbit/data/dataset.h"
#include "lastbit/runtime/session.h"

namespace lastbit {

/// What a model makes of a data set, by our runtime.
struct RuntimeScore {
  std::int64_t examples = 0;
  std::int64_t misses = 0;  ///< rows whose largest output is not the label
  double loss = 0.0;        ///< mean cross-entropy, nats a sample
  std::int64_t classes = 0;
  std::vector<float> outputs;  ///< (examples, classes)

  double error() const noexcept {
    return examples == 0 ? 0.0 : static_cast<double>(misses) / static_cast<double>(examples);
  }
};

/// Index of the largest of `row`; the first of equals.
std::int64_t largest(const float* row, std::int64_t count) noexcept;

/// -log softmax(row)[label], in double and without overflow.
double cross_entropy(const float* row, std::int64_t count, std::int64_t label);

/// Runs a model with one input and an output [batch, classes] over the samples, or the first `most`
/// of them.
///
/// @param progress  called with the samples done; may be empty.
/// @throws InputError if model and data do not fit.
RuntimeScore score(const Graph& graph,
                   const DatasetSource& data,
                   const SessionOptions& options,
                   const std::function<void(std::int64_t)>& progress = {},
                   std::int64_t most = std::numeric_limits<std::int64_t>::max());

}  // namespace lastbit
