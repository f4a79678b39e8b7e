#include "train/precision.h"

namespace ghost {

Precision precision_of(const std::string& name, const Device& device) {
  GHOST_CHECK(name != "tf32" || !device.is_cpu(), "train.precision: tf32 is a mode of NVIDIA's tensor cores, and ",
              device, " has none. Set train.precision=fp32, or device=cuda");
  if (name == "tf32") return {.tf32 = true};
  if (name == "bf16") return {.maps = DType::kBFloat16};
  if (name == "fp16") return {.maps = DType::kFloat16, .scales_loss = true};
  GHOST_CHECK(name == "fp32", "train.precision is '", name, "'; use fp32, tf32, bf16 or fp16");
  return {};
}

}  // namespace ghost
