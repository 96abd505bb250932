#include <algorithm>
#include <cstring>

#include "lastbit/graph/recurrent.h"
#include "lastbit/graph/rules.h"

// LSTM and GRU.

namespace lastbit {
namespace {

// Lengths of sequences are supported where they say that all are whole.
void require_whole_sequences(const Call& call, const Recurrent& r) {
  const Tensor* lengths = call.constants[kRecurrentLengths];
  bool whole =
      lengths != nullptr && lengths->type() == DType::kInt32 && lengths->shape() == Shape{r.batch};
  for (std::size_t i = 0; whole && i < static_cast<std::size_t>(r.batch); ++i) {
    std::int32_t length = 0;
    std::memcpy(&length, lengths->bytes().data() + i * sizeof(length), sizeof(length));
    whole = length == r.steps;
  }
  if (!whole) {
    call.fail("sequence_lens '",
              call.node.inputs[kRecurrentLengths],
              "' must be left out, or constant and ",
              r.steps,
              " (all steps) for each of the batch: sequences of other lengths are not supported");
  }
}

}  // namespace

std::vector<TensorType> recurrent_rule(const Call& call) {
  call.require_same_types(kRecurrentLengths);
  const Recurrent r = recurrent_of(call.node, call.shape(0), call.shape(1), call.shape(2));
  if (call.has(kRecurrentPeepholes)) {
    call.fail("peepholes ('", call.node.inputs[kRecurrentPeepholes], "') are not supported");
  }
  if (call.has(kRecurrentBias)) {
    require_shape(
        call.node, "B", call.shape(kRecurrentBias), {r.directions, 2 * r.gates * r.hidden});
  }
  for (const std::size_t i : {kRecurrentHidden, kRecurrentCell}) {
    if (!call.has(i)) continue;
    require_shape(call.node,
                  i == kRecurrentCell ? "initial_c" : "initial_h",
                  call.shape(i),
                  {r.directions, r.batch, r.hidden});
  }
  if (call.has(kRecurrentLengths)) require_whole_sequences(call, r);
  const TensorType state{call[0].type, {r.directions, r.batch, r.hidden}};
  std::vector<TensorType> results{
      {call[0].type, {r.steps, r.directions, r.batch, r.hidden}}, state, state};
  if (!r.lstm()) results.pop_back();
  return results;
}

}  // namespace lastbit
