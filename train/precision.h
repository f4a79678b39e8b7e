// train.precision: in which type the maps of a training step and their gradients are kept, and what products may round
// to. Weights, their gradients and moments, batch norm's statistics and the loss are float32 in all of them, and so is
// all of an evaluation.
#pragma once

#include <string>

#include "core/device.h"
#include "core/dtype.h"

namespace ghost {

struct Precision {
  DType maps = DType::kFloat32;
  bool tf32 = false;         // products may go through TF32
  bool scales_loss = false;  // float16 has no room for small gradients
};

// "fp32", "tf32", "bf16" or "fp16". Throws kUsage where the device has no such thing.
Precision precision_of(const std::string& name, const Device& device);

}  // namespace ghost
