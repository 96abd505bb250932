#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "lastbit/graph/graph.h"

namespace lastbit {

/// What an LSTM or GRU node computes, with the sizes of its tensors. Its gates are sigmoid and
/// tanh, as by ONNX's default.
///
/// W is [directions, gates * hidden, inputs], R [directions, gates * hidden, hidden] and B
/// [directions, 2 * gates * hidden]: the gates are input, output, forget, cell for LSTM and update,
/// reset, hidden for GRU; the second half of B belongs to R.
struct Recurrent {
  std::int64_t steps = 0;  ///< Of time.
  std::int64_t batch = 0;
  std::int64_t inputs = 0;
  std::int64_t hidden = 0;
  std::int64_t directions = 1;
  std::int64_t gates = 4;  ///< 3 for GRU.
  bool reverse = false;    ///< The one direction goes back in time.
  /// GRU alone: the reset gate applies to R's product, not to what it multiplies
  /// (`linear_before_reset`).
  bool reset_after = false;

  bool lstm() const noexcept { return gates == 4; }
  /// Whether a direction goes back in time.
  bool backward(std::int64_t direction) const noexcept { return reverse || direction == 1; }
};

/// Inputs of an LSTM or GRU node that may be omitted.
inline constexpr std::size_t kRecurrentBias = 3;
inline constexpr std::size_t kRecurrentLengths = 4;
inline constexpr std::size_t kRecurrentHidden = 5;  ///< initial_h
inline constexpr std::size_t kRecurrentCell = 6;    ///< initial_c
inline constexpr std::size_t kRecurrentPeepholes = 7;

/// Whether `node` is an LSTM or a GRU of ONNX.
bool is_recurrent(const Node& node) noexcept;

/// @throws InputError naming the node if the shape of its input `what` is another one.
void require_shape(const Node& node,
                   std::string_view what,
                   std::span<const std::int64_t> shape,
                   std::initializer_list<std::int64_t> expected);

/// @param input, weights, recurrence  shapes of X [steps, batch, inputs], W and R.
/// @throws InputError naming the node if attributes are malformed or ask for what is not supported
///     (layout 1, clip, coupled gates, other activations), or shapes do not fit each other.
Recurrent recurrent_of(const Node& node,
                       std::span<const std::int64_t> input,
                       std::span<const std::int64_t> weights,
                       std::span<const std::int64_t> recurrence);

}  // namespace lastbit
