#include "lastbit/graph/recurrent.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/graph/misfit.h"

namespace lastbit {
namespace {

// The value of an attribute that must be one of 0, ..., most.
std::int64_t choice(const Node& node, std::string_view name, std::int64_t most) {
  const std::int64_t value = int_attribute(node, name, 0);
  if (value < 0 || value > most) {
    fail_at(
        node, "attribute '", name, "' is ", value, ", supported is ", most == 0 ? "0" : "0 or 1");
  }
  return value;
}

void require_default_activations(const Node& node) {
  const auto found = node.attributes.find("activations");
  if (found == node.attributes.end()) return;
  const auto* given = std::get_if<std::vector<std::string>>(&found->second);
  const std::size_t count = node.op == "LSTM" ? 3 : 2;  // of a direction
  bool fits = given != nullptr && given->size() % count == 0;
  for (std::size_t i = 0; fits && i < given->size(); ++i) {
    fits = (*given)[i] == (i % count == 0 ? "Sigmoid" : "Tanh");
  }
  if (!fits) {
    fail_at(node,
            "attribute 'activations' has others than the default ones, which alone are supported");
  }
}

}  // namespace

bool is_recurrent(const Node& node) noexcept {
  return node.domain.empty() && (node.op == "LSTM" || node.op == "GRU");
}

void require_shape(const Node& node,
                   std::string_view what,
                   std::span<const std::int64_t> shape,
                   std::initializer_list<std::int64_t> expected) {
  if (std::ranges::equal(shape, expected)) return;
  fail_at(node,
          what,
          " has shape ",
          to_string(shape),
          ", expected ",
          to_string(std::span(expected.begin(), expected.size())));
}

Recurrent recurrent_of(const Node& node,
                       std::span<const std::int64_t> input,
                       std::span<const std::int64_t> weights,
                       std::span<const std::int64_t> recurrence) {
  Recurrent r;
  const std::string direction = string_attribute(node, "direction", "forward");
  r.reverse = direction == "reverse";
  r.directions = direction == "bidirectional" ? 2 : 1;
  if (r.directions == 1 && !r.reverse && direction != "forward") {
    fail_at(node,
            "attribute 'direction' is '",
            direction,
            "', expected forward, reverse or bidirectional");
  }
  r.gates = node.op == "LSTM" ? 4 : 3;
  choice(node, "layout", 0);
  choice(node, "input_forget", 0);
  r.reset_after = choice(node, "linear_before_reset", r.lstm() ? 0 : 1) != 0;
  if (node.attributes.contains("clip")) fail_at(node, "attribute 'clip' is not supported");
  require_default_activations(node);
  if (input.size() != 3 || recurrence.size() != 3) {
    fail_at(node,
            "X and R have shapes ",
            to_string(input),
            " and ",
            to_string(recurrence),
            ", expected [steps, batch, inputs] and [directions, ",
            r.gates,
            " * hidden, hidden]");
  }
  r.steps = input[0];
  r.batch = input[1];
  r.inputs = input[2];
  // Sizes of a tensor are below 2^60, so that four times one does not overflow.
  r.hidden = recurrence[2];
  require_shape(node, "R", recurrence, {r.directions, r.gates * r.hidden, r.hidden});
  require_shape(node, "W", weights, {r.directions, r.gates * r.hidden, r.inputs});
  if (int_attribute(node, "hidden_size", r.hidden) != r.hidden) {
    fail_at(node, "attribute 'hidden_size' is not that of R, ", r.hidden);
  }
  return r;
}

}  // namespace lastbit
