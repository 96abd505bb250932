#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "lastbit/runtime/step.h"

namespace lastbit {

using MakeStep = std::unique_ptr<const Step> (*)(const StepRequest& request);

/// A row of the table of operators.
struct RuntimeOperator {
  std::string_view name;
  /// Makes the step; null for an operator that only gives its first input another shape.
  MakeStep make = nullptr;
  /// The input that the step may keep in a form of its own, if it is constant; -1 for none.
  int weight_input = -1;
  std::size_t weight_rank = 0;    ///< The highest rank that it keeps so.
  bool must_be_constant = false;  ///< There is no step for a weight that is computed.
  /// A following activation, and for MatMul an Add, may be made part of the step.
  bool fuses = false;
};

std::span<const RuntimeOperator> runtime_operators() noexcept;
/// The row called `name`, or null.
const RuntimeOperator* find_runtime_operator(std::string_view name) noexcept;

/// The activation that `node` applies, kNone if it is no activation.
Activation activation_of(const Node& node);

// The factories, by file.
std::unique_ptr<const Step> make_activation(const StepRequest& request);     // elementwise
std::unique_ptr<const Step> make_binary(const StepRequest& request);         // binary
std::unique_ptr<const Step> make_clip(const StepRequest& request);           // elementwise
std::unique_ptr<const Step> make_conv(const StepRequest& request);           // conv
std::unique_ptr<const Step> make_gemm(const StepRequest& request);           // linear
std::unique_ptr<const Step> make_matmul(const StepRequest& request);         // linear
std::unique_ptr<const Step> make_pool(const StepRequest& request);           // pool
std::unique_ptr<const Step> make_global_pool(const StepRequest& request);    // pool
std::unique_ptr<const Step> make_normalization(const StepRequest& request);  // normalize
std::unique_ptr<const Step> make_softmax(const StepRequest& request);        // normalize
std::unique_ptr<const Step> make_transpose(const StepRequest& request);      // layout
std::unique_ptr<const Step> make_concat(const StepRequest& request);         // layout

}  // namespace lastbit
