#include <algorithm>
#include <limits>
#include <utility>

#include "lastbit/base/text.h"
#include "lastbit/runtime/affine.h"
#include "lastbit/runtime/conv_shape.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/preparations.h"
#include "lastbit/runtime/product_weights.h"

namespace lastbit {
namespace {

// Weights of so many bytes stay in the nearest cache beside inputs and results.
constexpr std::size_t kNearBytes = 16384;

// The results of a sample are cut into tiles of neighbouring pixels, of sizes that differ by one at
// most.
class ConvStep final : public Step {
 public:
  ConvStep(const StepRequest& request,
           const ConvShape& shape,
           std::vector<ProductWeights> weights,
           const Prepared& input)
      : weights_(std::move(weights)),
        affine_(scales(), constant_floats(request.inputs[2]), request.fused),
        activation_(request.fused.activation),
        input_(input.slot),
        input_scale_(input.scale),
        residual_(request.fused.residual.slot),
        output_(request.output.slot),
        products_(static_cast<double>(element_count(request.inputs[1].shape)) *
                  static_cast<double>(shape.batch * shape.pixels())),
        group_inputs_(shape.group_inputs()),
        group_outputs_(shape.group_outputs()),
        batch_(shape.batch),
        sample_(input.plane.size() / shape.batch),
        windows_(shape.windows(input.plane)),
        offsets_(shape.offsets(input.plane)),
        tiles_((windows_.size() + kTileRows - 1) / kTileRows),
        blocks_first_(weights_.front().bytes() <= kNearBytes) {}

  std::size_t units() const noexcept override {
    return weights_.size() * weights_.front().blocks() * batch_ * tiles_;
  }
  double work() const noexcept override {
    return static_cast<double>(batch_ * windows_.size()) *
           static_cast<double>(weights_.size() * group_outputs_) *
           static_cast<double>(offsets_.size() * kGroupInputs);
  }
  double products() const noexcept override { return products_; }
  std::size_t weight_bytes() const noexcept override {
    std::size_t bytes = 0;
    for (const ProductWeights& weights : weights_) bytes += weights.bytes();
    return bytes;
  }

  // Unit = (group, block of channels, sample, tile). The tile runs fastest, so that the weights of
  // a block stay in the nearest cache; where those of all blocks do, the block runs fastest, so
  // that results are written in their order in memory.
  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    const std::size_t blocks = weights_.front().blocks();
    const std::size_t channels = weights_.size() * group_outputs_;
    for (std::size_t unit = begin; unit < end; ++unit) {
      Place at;
      at.block = blocks_first_ ? unit % blocks : unit / tiles_ / batch_ % blocks;
      const std::size_t place = blocks_first_ ? unit / blocks : unit;
      const std::size_t tile = place % tiles_;
      at.first = windows_.size() * tile / tiles_;
      at.sample = place / tiles_ % batch_;
      at.group = unit / tiles_ / batch_ / blocks;
      const ProductWeights& weights = weights_[at.group];
      const WeightBlock words = weights.block(at.block);
      const std::size_t channel = at.group * group_outputs_ + at.block * kBlockOutputs;
      const std::size_t out = (at.sample * windows_.size() + at.first) * channels + channel;
      Finish finish{.count = windows_.size() * (tile + 1) / tiles_ - at.first,
                    .outputs = weights.outputs_of(at.block),
                    .sums_stride = static_cast<std::size_t>(words.width) * kWordOutputs,
                    .scale = affine_.scale.data() + channel,
                    .bias = affine_.shift.data() + channel,
                    .stride = channels,
                    .activation = activation_,
                    .out = frame.write(output_) + out};
      if (residual_ >= 0) finish.residual = frame.read(residual_) + out;
      if (input_scale_ >= 0) {
        multiply_integers(frame, words, at, finish);
      } else {
        multiply_floats(frame, words, at, finish);
      }
    }
  }

 private:
  std::vector<float> scales() const {
    std::vector<float> result;
    for (const ProductWeights& weights : weights_) {
      for (std::size_t o = 0; o < weights.outputs(); ++o) result.push_back(weights.scale(o));
    }
    return result;
  }

  // Of a tile.
  struct Place {
    std::size_t group = 0;
    std::size_t block = 0;
    std::size_t sample = 0;
    std::size_t first = 0;  // pixel of the sample's results
  };

  template <typename Input>
  void point(const Input* from,
             const Place& at,
             std::size_t count,
             const Input** rows) const noexcept {
    from += at.sample * sample_ + at.group * group_inputs_;
    for (std::size_t r = 0; r < count; ++r) rows[r] = from + windows_[at.first + r];
  }

  void multiply_floats(const Frame& frame,
                       const WeightBlock& words,
                       const Place& at,
                       const Finish& finish) const noexcept {
    const float* rows[kTileRows];
    alignas(64) float sums[kTileRows * kBlockOutputs];
    point(frame.read(input_), at, finish.count, rows);
    frame.kernels->tile_float({rows, finish.count, offsets_.data(), offsets_.size()}, words, sums);
    frame.kernels->finish_float(sums, finish);
  }

  void multiply_integers(const Frame& frame,
                         const WeightBlock& words,
                         const Place& at,
                         const Finish& finish) const noexcept {
    const std::uint8_t* rows[kTileRows];
    alignas(64) std::int32_t sums[kTileRows * kBlockOutputs];
    std::int32_t zeros[kBlockOutputs];
    const ProductWeights& weights = weights_[at.group];
    const InputScale& scale = frame.read_as<InputScale>(input_scale_)[at.sample];
    for (std::size_t o = 0; o < finish.outputs; ++o) {
      zeros[o] = scale.zero * weights.level_sum(at.block * kBlockOutputs + o);
    }
    point(frame.read_as<std::uint8_t>(input_), at, finish.count, rows);
    frame.kernels->tile_int8({rows, finish.count, offsets_.data(), offsets_.size()}, words, sums);
    frame.kernels->finish_int8(sums, zeros, scale.scale * weights.unit(), finish);
  }

  std::vector<ProductWeights> weights_;  // (groups)
  OutputAffine affine_;
  Activation activation_;
  int input_;
  int input_scale_;  // below 0 for floats
  int residual_;     // below 0 for none
  int output_;
  double products_;
  std::size_t group_inputs_;
  std::size_t group_outputs_;
  std::size_t batch_;
  std::size_t sample_;                 // values of a sample of the input
  std::vector<std::int32_t> windows_;  // (pixels of a sample)
  std::vector<std::int32_t> offsets_;  // (groups of four inputs)
  std::size_t tiles_;
  bool blocks_first_;
};

std::vector<ProductWeights> weights_of(const StepRequest& request,
                                       const ConvShape& shape,
                                       bool integers) {
  const Operand& operand = request.inputs[1];
  WeightOrder order{
      .outputs = shape.group_outputs(),
      .output_step = static_cast<std::size_t>(element_count(operand.shape) / operand.shape[0]),
      .inputs = shape.inputs(),
      .zero_gaps = shape.meets_others()};
  std::vector<ProductWeights> result;
  for (std::size_t group = 0; group < shape.groups; ++group) {
    order.first = group * shape.group_outputs() * order.output_step;
    result.emplace_back(*operand.constant, order, integers);
  }
  return result;
}

}  // namespace

void make_conv(const StepRequest& request) {
  const Operand& input = request.inputs[0];
  if (request.inputs[2].present() && request.inputs[2].constant == nullptr) {
    refuse(*request.node, "its bias is computed, expected a constant");
  }
  const ConvShape shape(*request.node, input.shape, request.inputs[1].shape);
  if (shape.depthwise()) return make_depthwise(request, shape);
  PlanBuilder& plan = *request.plan;
  const bool integers = plan.options().activations == Activations::kInt8;
  if (integers ? make_byte_lookup_conv(request, shape) : make_lookup_conv(request, shape)) return;
  std::vector<ProductWeights> weights = weights_of(request, shape, integers);
  const Prepared prepared = request.preparations->plane(
      request.node->inputs[0], input.slot, shape.plane(), integers && weights.front().integers());
  if (prepared.plane.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    refuse(*request.node,
           cat("its padded input has ", prepared.plane.size(), " values, expected below 2^31"));
  }
  plan.add_step(std::make_unique<ConvStep>(request, shape, std::move(weights), prepared),
                {prepared.slot, prepared.scale, request.fused.residual.slot, request.output.slot});
}

}  // namespace lastbit
