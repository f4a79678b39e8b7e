// GPUs as figures: what cuDNN asks of a device, and how much it holds, moves and computes. For plans on machines that
// have none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ghost {

struct GpuDevice {
  std::string name;
  int64_t memory = 0;       // bytes
  double bandwidth = 0;     // of the memory, bytes a second
  double fp32_flops = 0;    // a second, outside of tensor cores: what our own kernels and fp32 products run on
  double tensor_flops = 0;  // a second, of products in the precision that was asked for
  std::string properties;   // cuDNN's JSON of a device
};

// "h100", "a100", "rtx4090", "rtx5090": public figures of the cards, built in.
std::vector<std::string> gpu_names();

// The text of a built-in description, to start a file from.
std::string_view gpu_json(std::string_view name);

// A built-in name or a .json file of the same form. Every key must be there, in its type, and no other. precision:
// "fp32", "tf32", "bf16" or "fp16". Throws kUsage with the file, the key and the nearest known one.
GpuDevice load_gpu(const std::string& name_or_file, const std::string& precision);

}  // namespace ghost
