// What to do where a device's memory is out.
#pragma once

#include <functional>

#include "train/weights.h"

namespace ghost {

// Which train.batch_size would fit into `available` bytes of a device, as `ghosttrain info --device` computes it.
std::string batch_advice(const Config& config, const ModelCard& card, int64_t available);

// Runs `body`; an OutOfMemory that comes out of it gains a line of advice.
int with_batch_advice(const Config& config, const ModelCard& card, const std::function<int()>& body);

}  // namespace ghost
