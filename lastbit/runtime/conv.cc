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
// most, and the outputs into parts, the blocks of all groups.
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
        input_step_(request.inputs[0].step),
        residual_(request.fused.residual.slot),
        output_(request.output.slot),
        output_step_(request.output.step),
        products_(static_cast<double>(element_count(request.inputs[1].shape)) *
                  static_cast<double>(shape.batch * shape.pixels())),
        channels_(shape.out_channels),
        batch_(shape.batch),
        sample_(input.plane.size() / shape.batch),
        windows_(shape.windows(input.plane)),
        offsets_(shape.offsets(input.plane)),
        tiles_((windows_.size() + kTileRows - 1) / kTileRows),
        parts_first_(weight_bytes() <= kNearBytes) {
    if (output_step_ > 0.0F) activation_ = affine_.count_in(output_step_, activation_);
    for (const ProductWeights& group : weights_) add_parts(group, shape.group_inputs());
  }

  std::size_t units() const noexcept override { return parts_.size() * batch_ * tiles_; }
  double work() const noexcept override {
    return static_cast<double>(batch_ * windows_.size()) * static_cast<double>(channels_) *
           static_cast<double>(offsets_.size() * kGroupInputs);
  }
  double products() const noexcept override { return products_; }
  std::size_t weight_bytes() const noexcept override {
    std::size_t bytes = 0;
    for (const ProductWeights& weights : weights_) bytes += weights.bytes();
    return bytes;
  }

  // Unit = (part, sample, tile). The tile runs fastest, so that the weights of a part stay in the
  // nearest cache; where those of all parts do, the part runs fastest, so that results are written
  // in their order in memory.
  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    if (integers()) {
      run_units<std::uint8_t, std::int32_t>(frame, begin, end);
    } else {
      run_units<float, float>(frame, begin, end);
    }
  }

 private:
  struct Part {
    WeightBlock words;
    std::size_t outputs = 0;
    std::size_t channel = 0;  // of the result, the first
    std::size_t input = 0;    // the first channel that it reads
    float unit = 1.0F;        // of its levels
  };

  // Of a unit.
  struct Place {
    std::size_t part = 0;
    std::size_t sample = 0;
    std::size_t tile = 0;
  };

  bool integers() const noexcept { return input_scale_ >= 0 || input_step_ > 0.0F; }

  std::vector<float> scales() const {
    std::vector<float> result;
    for (const ProductWeights& weights : weights_) {
      for (std::size_t o = 0; o < weights.outputs(); ++o) result.push_back(weights.scale(o));
    }
    return result;
  }

  // Those of the next group.
  void add_parts(const ProductWeights& group, std::size_t inputs) {
    const std::size_t input = parts_.empty() ? 0 : parts_.back().input + inputs;
    std::size_t channel = parts_.empty() ? 0 : parts_.back().channel + parts_.back().outputs;
    for (std::size_t block = 0; block < group.blocks(); ++block) {
      parts_.push_back({.words = group.block(block),
                        .outputs = group.outputs_of(block),
                        .channel = channel,
                        .input = input,
                        .unit = group.unit()});
      channel += group.outputs_of(block);
    }
    for (std::size_t o = 0; integers() && o < group.outputs(); ++o) {
      zeros_.push_back(kSignedZero * group.level_sum(o));
    }
  }

  Place place_of(std::size_t unit) const noexcept {
    const std::size_t places = batch_ * tiles_;
    const std::size_t part = parts_first_ ? unit % parts_.size() : unit / places;
    const std::size_t place = parts_first_ ? unit / parts_.size() : unit % places;
    return {.part = part, .sample = place / tiles_, .tile = place % tiles_};
  }

  // The place of the next unit, without a division.
  void advance(Place& at) const noexcept {
    if (parts_first_ && ++at.part < parts_.size()) return;
    if (parts_first_) at.part = 0;
    if (++at.tile < tiles_) return;
    at.tile = 0;
    if (++at.sample < batch_) return;
    at.sample = 0;
    ++at.part;
  }

  // Where a tile begins in the pixels of its sample.
  std::size_t first_of(std::size_t tile) const noexcept {
    return tile * (windows_.size() / tiles_) + std::min(tile, windows_.size() % tiles_);
  }

  template <typename Input, typename Sum>
  void run_units(const Frame& frame, std::size_t begin, std::size_t end) const noexcept {
    const Input* rows[kTileRows];
    alignas(64) Sum sums[kTileRows * kBlockOutputs];
    Finish finish{.stride = channels_, .activation = activation_};
    const Input* from = nullptr;
    std::size_t first = 0;
    Place at = place_of(begin);
    for (std::size_t unit = begin; unit < end; ++unit, advance(at)) {
      const Part& part = parts_[at.part];
      const Input* input = frame.read_as<Input>(input_) + at.sample * sample_ + part.input;
      if (input != from || first_of(at.tile) != first) {
        from = input;
        first = first_of(at.tile);
        finish.count = first_of(at.tile + 1) - first;
        for (std::size_t r = 0; r < finish.count; ++r) rows[r] = from + windows_[first + r];
      }
      finish.outputs = part.outputs;
      finish.sums_stride = static_cast<std::size_t>(part.words.width) * kWordOutputs;
      finish.scale = affine_.scale.data() + part.channel;
      finish.bias = affine_.shift.data() + part.channel;
      const std::size_t out = (at.sample * windows_.size() + first) * channels_ + part.channel;
      if (output_step_ > 0.0F) {
        finish.bytes = frame.write_as<std::uint8_t>(output_) + out;
      } else {
        finish.out = frame.write(output_) + out;
      }
      if (residual_ >= 0) finish.residual = frame.read(residual_) + out;
      const Tile<Input> tile{rows, finish.count, offsets_.data(), offsets_.size()};
      multiply(frame, tile, part, at.sample, finish, sums);
    }
  }

  void multiply(const Frame& frame,
                const Tile<float>& tile,
                const Part& part,
                std::size_t /*sample*/,
                const Finish& finish,
                float* sums) const noexcept {
    frame.kernels->tile_float(tile, part.words, sums);
    frame.kernels->finish_float(sums, finish);
  }

  void multiply(const Frame& frame,
                const Tile<std::uint8_t>& tile,
                const Part& part,
                std::size_t sample,
                const Finish& finish,
                std::int32_t* sums) const noexcept {
    InputScale scale{.scale = input_step_};
    if (input_scale_ >= 0) scale = frame.read_as<InputScale>(input_scale_)[sample];
    const std::int32_t* zeros = scale.zero == 0 ? nullptr : zeros_.data() + part.channel;
    frame.kernels->tile_int8(tile, part.words, sums);
    frame.kernels->finish_int8(sums, zeros, scale.scale * part.unit, finish);
  }

  std::vector<ProductWeights> weights_;  // (groups)
  OutputAffine affine_;
  Activation activation_;
  int input_;
  int input_scale_;   // below 0 for floats and for bytes of a known step
  float input_step_;  // 0 for floats, and for integers of a scale of their own
  int residual_;      // below 0 for none
  int output_;
  float output_step_;  // 0 for floats
  double products_;
  std::size_t channels_;
  std::size_t batch_;
  std::size_t sample_;                 // values of a sample of the input
  std::vector<std::int32_t> windows_;  // (pixels of a sample)
  std::vector<std::int32_t> offsets_;  // (groups of four inputs)
  std::size_t tiles_;
  bool parts_first_;
  std::vector<Part> parts_;
  std::vector<std::int32_t> zeros_;  // (outputs), of integers: the sum for inputs of kSignedZero
};

// Of the first group.
WeightOrder order_of(const ConvShape& shape) {
  const std::size_t taps = static_cast<std::size_t>(shape.y.kernel * shape.x.kernel);
  return {.outputs = shape.group_outputs(),
          .output_step = shape.group_inputs() * taps,
          .inputs = shape.inputs(),
          .zero_gaps = shape.meets_others()};
}

std::vector<ProductWeights> weights_of(const StepRequest& request,
                                       const ConvShape& shape,
                                       bool integers) {
  const Operand& operand = request.inputs[1];
  WeightOrder order = order_of(shape);
  std::vector<ProductWeights> result;
  for (std::size_t group = 0; group < shape.groups; ++group) {
    order.first = group * shape.group_outputs() * order.output_step;
    result.emplace_back(*operand.constant, order, integers);
  }
  return result;
}

}  // namespace

bool conv_reads_bytes(const Initializer& weights, const ConvShape& shape) {
  if (shape.depthwise()) return true;
  const Plane plane = shape.plane();
  const std::size_t count = plane.batch * plane.height * plane.width * plane.channels;
  return plane.size() == count && plane.stored % kGroupInputs == 0 &&
         has_integers(weights, order_of(shape));
}

void make_conv(const StepRequest& request) {
  const Operand& input = request.inputs[0];
  if (request.inputs[2].present() && request.inputs[2].constant == nullptr) {
    refuse(*request.node, "its bias is computed, expected a constant");
  }
  const ConvShape shape(*request.node, input.shape, request.inputs[1].shape);
  if (shape.depthwise()) return make_depthwise(request, shape);
  PlanBuilder& plan = *request.plan;
  const bool integers = plan.options().activations == Activations::kInt8;
  // Lookup knows of no bytes of a known step.
  const bool bytes = input.step > 0.0F || request.output.step > 0.0F;
  if (!bytes && integers && make_byte_lookup_conv(request, shape)) return;
  if (!integers && make_lookup_conv(request, shape)) return;
  std::vector<ProductWeights> weights = weights_of(request, shape, integers);
  const Prepared prepared =
      input.step > 0.0F ? Prepared{.slot = input.slot, .plane = shape.plane()}
                        : request.preparations->plane(request.node->inputs[0],
                                                      input.slot,
                                                      shape.plane(),
                                                      integers && weights.front().integers());
  if (prepared.plane.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    refuse(*request.node,
           cat("its padded input has ", prepared.plane.size(), " values, expected below 2^31"));
  }
  plan.add_step(std::make_unique<ConvStep>(request, shape, std::move(weights), prepared),
                {prepared.slot, prepared.scale, request.fused.residual.slot, request.output.slot});
}

}  // namespace lastbit
