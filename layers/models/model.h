// The classifiers this project knows, behind one factory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/feature.h"
#include "layers/ghost_module.h"
#include "layers/layer_scope.h"

namespace ghost {

// The same network with the numbers of two frameworks; a weights file carries which, since it is another function.
//           gate of squeeze-excite   batch norm eps, momentum (share of the new value)   padding     first values
//   kTorch  relu6(x + 3) / 6         1e-5, 0.1                                           symmetric   kaiming normal,
//   fan out kKeras  clip(0.2 x + 0.5, 0, 1)  1e-3, 0.01                                          'same'      normal,
//   sigma 0.02
enum class Flavour { kTorch, kKeras };

std::string_view name_of(Flavour flavour);
Flavour flavour_from_name(std::string_view name);  // "torch" or "keras"; throws kUsage
FlavourNumbers numbers_of(Flavour flavour);

struct ModelOptions {
  std::string name = "ghostnet";  // one of model_names()
  double width = 1.0;             // multiplies the numbers of channels
  int64_t num_classes = 1000;
  int64_t in_channels = 3;
  double dropout = 0.2;  // before the classifier, in training
  Flavour flavour = Flavour::kTorch;
  uint64_t seed = 0;  // of the first values
};

// Which random numbers a forward pass draws: a new stream each step.
struct DropoutDraw {
  uint64_t seed = 0, stream = 0;
  Tensor stream_at{};  // kernels/dropout.h
};

// Refuses images that are not {n, h, w, in_channels} in the type and on the device of the model's parameters.
void check_images(const Module& model, const Variable& images, int64_t in_channels);

class Classifier : public Module {
 public:
  const ModelOptions& options() const { return options_; }
  // images {n, h, w, in_channels} on the parameters' device -> logits {n, num_classes}. The images' type is that of all
  // maps: the parameters', or a half of float32. From the mean over pixels on it is the parameters'.
  virtual Variable forward(const Variable& images, const DropoutDraw& draw = {}) = 0;

 protected:
  explicit Classifier(const ModelOptions& options);
  void check_images(const Variable& images) const { ghost::check_images(*this, images, options_.in_channels); }

 private:
  ModelOptions options_;
};

// A model with first values by its flavour's rule, on the CPU, in float32, in training mode. Throws kUsage for an
// unknown name or an option out of range.
std::unique_ptr<Classifier> make_model(const ModelOptions& options);
std::vector<std::string> model_names();

// The layers of one pass over one picture of zeros, size x size, in inference mode; the model's mode is put back.
std::vector<LayerRecord> trace_layers(Classifier& model, int64_t size);

// The channel count nearest to `value` that `divisor` divides, at least `divisor` and not under 0.9 value.
int64_t make_divisible(double value, int64_t divisor);

}  // namespace ghost
