#include "tests/cudnn_plans/model_convolutions.h"

#include <set>

#include "kernels/planned_convolution.h"
#include "layers/models/detector.h"
#include "losses/cross_entropy.h"
#include "train/detect_data.h"

namespace ghost {
namespace {

constexpr ConvolutionPass kPasses[] = {ConvolutionPass::kForward, ConvolutionPass::kBackwardInput,
                                       ConvolutionPass::kBackwardWeight};
constexpr int64_t kClasses = 20;  // of a detector: 75 channels of its maps

void step(Classifier& model, const Variable& images) {
  model.to(Device::meta());
  const Tensor labels = Tensor::zeros({images.dim(0)}, {DType::kInt64, Device::cpu()}).to(Device::meta());
  TapeScope tape;
  tape.backward(softmax_cross_entropy(model.forward(images), {labels, {}, {}}));
}

void step(Detector& model, const Variable& images) {
  model.to(Device::meta());
  TapeScope tape;
  const DetectionTargets boxes = made_up_boxes(images.dim(0), static_cast<double>(images.dim(1)), kClasses);
  tape.backward(yolo_loss(model.forward(images), boxes, loss_options_of(default_config("detect"), kClasses)));
}

// The convolution without where its tensors lie: maps of their own.
ConvolutionProblem dense(ConvolutionProblem problem, ConvolutionPass pass) {
  problem.pass = pass;
  problem.x_pitch = problem.c;
  problem.z_pitch = problem.o;
  problem.x_alignment = problem.z_alignment = problem.weight_alignment = 16;
  return problem;
}

}  // namespace

std::string describe(const NetworkCase& network) {
  return str(network.name, " x", network.width, ' ', name_of(network.flavour), " at ", network.size);
}

std::vector<LayerRecord> add_convolutions(const NetworkCase& network, int64_t batch, NamedProblems& problems) {
  std::set<ConvolutionProblem> posed;
  const LayerTrace trace;
  const ConvolutionPlanner note = [&](const ConvolutionProblem& problem) {
    posed.insert(problem);
    return PlannedConvolution{};
  };
  {
    const PlannerScope scope(note);
    const Variable images(Tensor({batch, network.size, network.size, 3}, {DType::kFloat32, Device::meta()}));
    if (names_detector(network.name))
      step(*make_detector(
               {.name = network.name, .width = network.width, .num_classes = kClasses, .flavour = network.flavour}),
           images);
    else
      step(*make_model({.name = network.name, .width = network.width, .flavour = network.flavour}), images);
  }
  std::set<ConvolutionProblem> in_some_pass;
  for (const ConvolutionProblem& problem : posed) in_some_pass.insert(dense(problem, problem.pass));
  for (const ConvolutionProblem& problem : std::set(posed))
    for (const ConvolutionPass pass : kPasses)
      if (!in_some_pass.contains(dense(problem, pass))) posed.insert(dense(problem, pass));
  for (const ConvolutionProblem& problem : posed) problems.emplace(problem, describe(network));
  return trace.records();
}

ConvolutionProblem in_dtype(ConvolutionProblem problem, DType dtype) {
  problem.dtype = dtype;
  const auto promise = [&](int64_t& alignment, int64_t channels, int64_t pitch) {
    const bool whole = channels == pitch && alignment == 16;
    if (!whole) alignment = alignment * size_of(dtype) / size_of(DType::kFloat32);
  };
  promise(problem.x_alignment, problem.c, problem.x_pitch);
  promise(problem.z_alignment, problem.o, problem.z_pitch);
  return problem;
}

}  // namespace ghost
