#include "recurrent.h"

namespace lastbit::reference {
namespace {

using Doubles = std::vector<double>;

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

Doubles decoded(const Graph& graph, const std::string& name, std::size_t size) {
  const Initializer* found = graph.find_initializer(name);
  if (found == nullptr) return Doubles(size, 0.0);
  const Tensor tensor = decode(*found);
  return {tensor.as_floats().begin(), tensor.as_floats().end()};
}

}  // namespace

std::vector<Doubles> evaluate_recurrent(const RecurrentCase& which,
                                        const Graph& graph,
                                        const std::vector<std::vector<float>>& inputs) {
  const auto steps = static_cast<std::size_t>(which.steps);
  const auto batch = static_cast<std::size_t>(which.batch);
  const auto width = static_cast<std::size_t>(which.inputs);
  const auto hidden = static_cast<std::size_t>(which.hidden);
  const auto directions = static_cast<std::size_t>(which.directions());
  const std::size_t columns = static_cast<std::size_t>(which.gates()) * hidden;
  const Doubles w = decoded(graph, "w", 0);
  const Doubles r = decoded(graph, "r", 0);
  const Doubles b = decoded(graph, "b", directions * 2 * columns);
  Doubles y(steps * directions * batch * hidden);
  Doubles h(directions * batch * hidden, 0.0);
  Doubles c = h;
  if (which.states) h.assign(inputs[1].begin(), inputs[1].end());
  if (which.states && which.op == "LSTM") c.assign(inputs[2].begin(), inputs[2].end());

  for (std::size_t d = 0; d < directions; ++d) {
    const bool backward = d == 1 || which.direction == "reverse";
    for (std::size_t n = 0; n < batch; ++n) {
      double* state = h.data() + (d * batch + n) * hidden;
      double* cell = c.data() + (d * batch + n) * hidden;
      for (std::size_t i = 0; i < steps; ++i) {
        const std::size_t t = backward ? steps - 1 - i : i;
        const float* x = inputs[0].data() + (t * batch + n) * width;
        const auto from_input = [&](std::size_t j) {
          double sum = b[d * 2 * columns + j];
          for (std::size_t k = 0; k < width; ++k) sum += w[(d * columns + j) * width + k] * x[k];
          return sum;
        };
        const auto from_state = [&](std::size_t j, const Doubles& s) {
          double sum = 0.0;
          for (std::size_t k = 0; k < hidden; ++k) sum += r[(d * columns + j) * hidden + k] * s[k];
          return sum;
        };
        const auto state_bias = [&](std::size_t j) { return b[d * 2 * columns + columns + j]; };
        const Doubles before(state, state + hidden);
        const auto gate = [&](std::size_t j) {
          return from_input(j) + from_state(j, before) + state_bias(j);
        };
        if (which.op == "LSTM") {
          for (std::size_t j = 0; j < hidden; ++j) {
            cell[j] = sigmoid(gate(2 * hidden + j)) * cell[j] +
                      sigmoid(gate(j)) * std::tanh(gate(3 * hidden + j));
            state[j] = sigmoid(gate(hidden + j)) * std::tanh(cell[j]);
          }
        } else {
          Doubles reset(hidden);
          Doubles kept(hidden);
          for (std::size_t j = 0; j < hidden; ++j) {
            reset[j] = sigmoid(gate(hidden + j));
            kept[j] = reset[j] * before[j];
          }
          for (std::size_t j = 0; j < hidden; ++j) {
            const std::size_t row = 2 * hidden + j;
            const double past = which.reset_after
                                    ? reset[j] * (from_state(row, before) + state_bias(row))
                                    : from_state(row, kept) + state_bias(row);
            const double fresh = std::tanh(from_input(row) + past);
            const double update = sigmoid(gate(j));
            state[j] = (1.0 - update) * fresh + update * before[j];
          }
        }
        for (std::size_t j = 0; j < hidden; ++j) {
          y[((t * directions + d) * batch + n) * hidden + j] = state[j];
        }
      }
    }
  }
  std::vector<Doubles> results{std::move(y), std::move(h)};
  if (which.op == "LSTM") results.push_back(std::move(c));
  return results;
}

}  // namespace lastbit::reference
