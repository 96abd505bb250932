#include "lastbit/cli/score.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/fit.h"

namespace lastbit {
namespace {

void require_classifier(const Session& session, const DatasetSource& data, std::int64_t batch) {
  if (session.inputs().size() != 1 || session.outputs().empty()) {
    throw InputError(cat("[model] ",
                         session.inputs().size(),
                         " inputs and ",
                         session.outputs().size(),
                         " outputs, expected one input and an output"));
  }
  const Shape& input = session.inputs()[0].shape;
  if (input.empty() || input[0] != batch) {
    throw InputError(cat("[model] input '",
                         session.inputs()[0].name,
                         "' is ",
                         to_string(input),
                         ", expected a first dimension for the batch"));
  }
  require_fit(data.sample_shape(), std::span(input).subspan(1));
  const Shape& output = session.outputs()[0].shape;
  if (output.size() != 2 || output[0] != batch || output[1] < data.classes()) {
    throw InputError(cat("[model] output '",
                         session.outputs()[0].name,
                         "' is ",
                         to_string(output),
                         ", expected [",
                         batch,
                         ", classes] with at least the data's ",
                         data.classes(),
                         " classes"));
  }
}

}  // namespace

std::int64_t largest(const float* row, std::int64_t count) noexcept {
  return std::max_element(row, row + count) - row;
}

double cross_entropy(const float* row, std::int64_t count, std::int64_t label) {
  const double top = row[largest(row, count)];
  double sum = 0.0;
  for (std::int64_t c = 0; c < count; ++c) sum += std::exp(row[c] - top);
  return std::log(sum) + top - row[label];
}

RuntimeScore score(const Graph& graph,
                   const DatasetSource& data,
                   const SessionOptions& options,
                   const std::function<void(std::int64_t)>& progress,
                   std::int64_t most) {
  SessionOptions fitted = options;
  // A model may fix its batch; then that is how many samples it takes at a time.
  if (graph.inputs.size() == 1 && !graph.inputs[0].dims.empty() &&
      graph.inputs[0].dims[0].known()) {
    fitted.batch = graph.inputs[0].dims[0].size;
  }
  Session session(graph, fitted);
  require_classifier(session, data, fitted.batch);
  const std::int64_t classes = session.outputs()[0].shape[1];
  const std::int64_t sample = element_count(data.sample_shape());
  std::vector<float> input(static_cast<std::size_t>(fitted.batch * sample));
  std::vector<float> output(static_cast<std::size_t>(fitted.batch * classes));
  std::vector<std::int64_t> indices;

  RuntimeScore result;
  result.classes = classes;
  const std::int64_t examples = std::min(data.size(), most);
  result.outputs.reserve(static_cast<std::size_t>(examples * classes));
  for (std::int64_t begin = 0; begin < examples; begin += fitted.batch) {
    const std::int64_t count = std::min(fitted.batch, examples - begin);
    indices.resize(static_cast<std::size_t>(count));
    std::iota(indices.begin(), indices.end(), begin);
    // The last batch may be short: what lies behind its samples is computed and not looked at.
    data.gather(indices, std::span(input).first(static_cast<std::size_t>(count * sample)));
    const std::span<const float> in(input);
    const std::span<float> out(output);
    session.run({&in, 1}, {&out, 1});
    for (std::int64_t i = 0; i < count; ++i) {
      const float* row = output.data() + i * classes;
      const std::int64_t label = data.labels()[static_cast<std::size_t>(begin + i)];
      result.misses += largest(row, classes) != label;
      result.loss += cross_entropy(row, classes, label);
      result.outputs.insert(result.outputs.end(), row, row + classes);
    }
    result.examples += count;
    if (progress) progress(result.examples);
  }
  result.loss /= static_cast<double>(std::max<std::int64_t>(1, result.examples));
  return result;
}

}  // namespace lastbit
