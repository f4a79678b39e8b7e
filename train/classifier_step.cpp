#include "train/classifier_step.h"

#include <cmath>

#include "layers/layer_scope.h"
#include "losses/cross_entropy.h"
#include "train/streams.h"

namespace ghost {

ClassifierStep::ClassifierStep(Classifier& model, Optimizer& optimizer, Ema* ema, const Config& config,
                               const Device& device)
    : model_(model), optimizer_(optimizer), ema_(ema), config_(config), device_(device) {}

Variable ClassifierStep::loss_of(const Batch& batch, double* value) {
  const int64_t micro_step = optimizer_.steps() * config_.train.accumulate + batches_;
  const DropoutDraw draw{static_cast<uint64_t>(config_.train.seed), dropout_stream(micro_step)};
  const Variable logits = model_.forward(Variable(batch.images.to(device_)), draw);
  ClassTargets targets{batch.labels.to(device_), {}, {}};
  if (batch.mix < 1) {
    targets.other_labels = batch.labels_b.to(device_);
    targets.mix = Tensor::full({batch.size()}, batch.mix, logits.value().options());
  }
  const Variable loss = softmax_cross_entropy(logits, targets, config_.loss.label_smoothing);
  *value = loss.value().item();
  return loss;
}

double ClassifierStep::add_batch(const Batch& batch, const ImageFolder& data) {
  last_batch_ = &batch;
  data_ = &data;
  double value = 0;
  TapeScope tape;
  const Variable loss = loss_of(batch, &value);
  if (!std::isfinite(value)) explain_non_finite(batch, value);
  const double share = 1.0 / static_cast<double>(config_.train.accumulate);
  tape.tape().backward(loss, Tensor::full({1}, share, loss.value().options()));
  ++batches_;
  return value;
}

double ClassifierStep::finish(double learning_rate) {
  batches_ = 0;
  try {
    const double norm = optimizer_.step(learning_rate, config_.train.max_grad_norm);
    if (ema_) ema_->update(optimizer_.steps());
    return norm;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNonFinite) throw;
    GHOST_FAIL(kNonFinite, error.message(), " at step ", optimizer_.steps() + 1, ". ", advice());
  }
}

std::string ClassifierStep::advice() const {
  std::string text =
      "Lower optimizer.learning_rate, lengthen schedule.warmup_epochs or set train.max_grad_norm. Pictures of the "
      "batch:";
  for (const int64_t sample : last_batch_->samples) text += "\n  " + data_->samples[static_cast<size_t>(sample)].path;
  return text;
}

void ClassifierStep::explain_non_finite(const Batch& batch, double loss) {
  std::string place = "no layer's output; the loss itself overflowed";
  try {
    const NoGradScope no_grad;
    const FiniteCheck check;
    double again = 0;
    loss_of(batch, &again);
  } catch (const Error& error) {
    place = error.what();
  }
  GHOST_FAIL(kNonFinite, "the loss is ", loss, " at step ", optimizer_.steps() + 1, ". First non-finite value: ", place,
             "\n", advice());
}

}  // namespace ghost
