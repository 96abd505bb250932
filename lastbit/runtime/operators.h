#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "lastbit/runtime/step.h"

namespace lastbit {

struct ConvShape;
struct RowsLayout;
struct WeightOrder;

/// Adds an operator's steps to the plan.
using MakeSteps = void (*)(const StepRequest& request);

/// How an operator wants values of a shape [batch, channels, spatial...] to lie.
enum class Layout : std::uint8_t {
  kPlain,         // as in the graph
  kChannelsLast,  // [batch, spatial..., channels]
  kEither,        // all inputs alike, and the result as they do
};

/// A row of the table of operators, in few bytes: there are many.
struct RuntimeOperator {
  static constexpr std::uint8_t kNone = 0xFF;

  std::string_view name;
  /// Null for an operator that only gives its first input another shape.
  MakeSteps make = nullptr;
  Layout layout = Layout::kPlain;
  /// The input that the steps may keep in a form of their own, if it is constant; -1 for none.
  std::int8_t weight_input = -1;
  std::uint8_t weight_rank = 0;   ///< The highest rank that they keep so.
  bool must_be_constant = false;  ///< There is no step for a weight that is computed.
  /// Inputs from here on are read when the plan is made, and never as floats in memory.
  std::uint8_t first_parameter = kNone;
  /// Inputs from here on are as others again.
  std::uint8_t end_parameter = kNone;

  bool parameter(std::size_t i) const noexcept { return i >= first_parameter && i < end_parameter; }
  bool integer_parameters = false;  ///< They may be integers, as the bounds of a Slice are.
  /// Values are moved alone, so that integers will do, which lie as floats.
  bool moves = false;
  /// Results that the steps may write.
  std::uint8_t results = 1;
  /// What follows may be made part of the step: see Fused.
  bool fuses = false;
};

std::span<const RuntimeOperator> runtime_operators() noexcept;
/// The row called `name`, or null.
const RuntimeOperator* find_runtime_operator(std::string_view name) noexcept;

/// The activation that `node` applies, kNone if it is no activation. Clip is left out.
Activation activation_of(const Node& node);

/// The shape of an operand as its values lie in memory.
Shape shape_in_memory(const Operand& operand);

/// Adds the step that turns a value from one layout into the other.
void add_relayout(PlanBuilder& plan, const Operand& from, int to);

/// Whether a convolution with these weights can read bytes of a known step as they are.
bool conv_reads_bytes(const Initializer& weights, const ConvShape& shape);

/// Adds a convolution by lookup, where the kernels have that and it pays. Returns whether it did.
bool make_lookup_conv(const StepRequest& request, const ConvShape& shape);

/// The same for 8-bit integers and binary weights.
bool make_byte_lookup_conv(const StepRequest& request, const ConvShape& shape);

/// Adds the product by lookup with a constant matrix of these elements.
bool make_lookup_product(const StepRequest& request,
                         const WeightOrder& matrix,
                         const RowsLayout& layout,
                         float alpha,
                         std::span<const float> bias);

/// Adds the product of the first input's rows with a constant matrix, the second input.
void add_rows_product(const StepRequest& request,
                      const WeightOrder& order,
                      const RowsLayout& layout,
                      std::span<const float> bias);

// The factories, by file.
void make_activation(const StepRequest& request);                         // elementwise
void make_binary(const StepRequest& request);                             // binary
void make_cast(const StepRequest& request);                               // elementwise
void make_clip(const StepRequest& request);                               // elementwise
void make_conv(const StepRequest& request);                               // conv
void make_depthwise(const StepRequest& request, const ConvShape& shape);  // depthwise
void make_gemm(const StepRequest& request);                               // linear
void make_gather(const StepRequest& request);                             // gather
void make_recurrent(const StepRequest& request);                          // recurrent
void make_matmul(const StepRequest& request);                             // linear
void make_computed_matmul(const StepRequest& request);                    // matmul
void make_pool(const StepRequest& request);                               // pool
void make_global_pool(const StepRequest& request);                        // pool
void make_normalization(const StepRequest& request);                      // normalize
void make_softmax(const StepRequest& request);                            // softmax
void make_transpose(const StepRequest& request);                          // layout
void make_concat(const StepRequest& request);                             // layout
void make_selection(const StepRequest& request);                          // selection
void make_function(const StepRequest& request);                           // functions
void make_reduction(const StepRequest& request);                          // reduction
void make_suppression(const StepRequest& request);                        // suppression

}  // namespace lastbit
