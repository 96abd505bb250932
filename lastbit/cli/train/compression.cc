#include "lastbit/cli/train/compression.h"

#include <iostream>

#include <fmt/format.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/method/fixed_codes.h"
#include "lastbit/train/batch_norm.h"

namespace lastbit {
namespace {

std::vector<Constraint> constraints_of(const Graph& graph, const CompressChoice& choice) {
  std::vector<Constraint> result = choose_codebooks(graph, choice.codebooks);
  share_codebooks(graph, result, choice.shares);
  return result;
}

std::vector<std::string> values_of(const Material* material, const Graph& graph) {
  return material == nullptr ? std::vector<std::string>{} : material->values(graph);
}

}  // namespace

Compression::Compression(CompressChoice& choice, const MethodInfo& info)
    : choice_(choice),
      info_(info),
      reference_(read_onnx(choice.model)),
      material_(choice.data.name.empty() ? nullptr : open_material(choice.data, &reference_)),
      network_(with_dropout(reference_, choice.dropout),
               constraints_of(reference_, choice),
               device_of(choice.training),
               values_of(material_.get(), reference_)),
      method_(make_method(info, choice.method)) {
  network_.set_locked_dropout(choice.training.locked_dropout);
  if (material_ != nullptr) {
    data_ = material_->workload(reference_, network_, choice.training);
    data_->task->require_fit(network_, *data_->test);
    choice.training.trainer.task = data_->task.get();
  }
  if (!info_.trains && choice.finish_epochs == 0) return;
  if (!data_) {
    throw InputError(
        cat("[compress] ",
            info_.trains ? cat("method '", info_.name, "' trains") : "the finish trains",
            ", expected --data with a data set"));
  }
  TrainerOptions& options = choice.training.trainer;
  if (choice.distill != 0.0) {
    teacher_ = std::make_unique<Network>(reference_,
                                         std::vector<Constraint>{},
                                         network_.device(),
                                         values_of(material_.get(), reference_));
    teacher_->set_training(false);
    options.distillation.teacher = teacher_.get();
    options.distillation.share = choice.distill;
  }
  if (info_.trains) trainer_.emplace(network_, *data_->train, *data_->test, options, method_.get());
}

std::optional<Score> Compression::test_score() {
  if (data_) return data_->task->evaluate(network_, *data_->test, workers());
  return std::nullopt;
}

std::optional<Score> Compression::train_score() {
  if (data_) return data_->task->evaluate(network_, *data_->train, workers());
  return std::nullopt;
}

void Compression::run(RunFolder& folder, Checkpoints& checkpoints, const Checkpoint* from) {
  if (from != nullptr) trained_ = from->trained;
  const bool finishing = from != nullptr && from->phase == "finish";
  if (!trainer_) {
    const torch::NoGradGuard no_gradient;
    method_->begin(network_.constrained());
  }
  if (finishing) {
    const torch::NoGradGuard no_gradient;
    method_->load(kept_state(*from));
  } else if (trainer_) {
    if (from != nullptr) trainer_->load(from->state);
    run_with_progress(*trainer_,
                      choice_.training.trainer,
                      *data_->train,
                      "compress",
                      folder,
                      checkpoints,
                      trained_);
  }
  if (info_.trains || choice_.finish_epochs > 0)
    finish(folder, checkpoints, finishing ? from : nullptr);
  if (data_) log_skipped(*data_, folder);
}

void Compression::finish(RunFolder& folder, Checkpoints& checkpoints, const Checkpoint* from) {
  settle();
  if (from == nullptr) estimate_batch_norm();
  if (choice_.finish_epochs == 0) return;
  checkpoints.keep(method_->state());
  TrainerOptions options = choice_.training.trainer;
  options.epochs = choice_.finish_epochs;
  options.round = {};
  options.feasible = 0.0;
  options.probe = 0;  // its rounds tell nothing that could be logged
  // Small steps from where the main run started: only scales, biases and norms are still to settle.
  options.learning_rate = Schedule::cosine(options.learning_rate.first() / 10.0);
  options.seed += 1;
  auto fixed = make_fixed_codes(method_->deployed());
  Trainer finisher(network_, *data_->train, *data_->test, options, fixed.get());
  if (from != nullptr) finisher.load(from->state);
  run_with_progress(finisher, options, *data_->train, "finish", folder, checkpoints, trained_);
  method_ = std::move(fixed);
}

void Compression::estimate_batch_norm() {
  constexpr std::int64_t kBatches = 200;
  const TrainerOptions& options = choice_.training.trainer;
  const std::int64_t batches =
      reestimate_batch_norm(network_, *data_->train, options.batch, kBatches, options.seed);
  if (batches > 0 && leads(workers())) {
    std::cerr << fmt::format("finish: batch norm estimated anew on {} batches\n", batches);
  }
}

void Compression::settle() {
  torch::Tensor weights = network_.constrained().value;
  const torch::NoGradGuard no_gradient;
  decode(network_.constrained_layers(), method_->deployed(), weights);
}

}  // namespace lastbit
