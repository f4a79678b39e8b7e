// What a tensor needs of its device: copy, fill, add, for any pitch. Tensor's members call these.
#pragma once

#include "core/dispatch.h"
#include "core/tensor.h"

namespace ghost {

GHOST_DECLARE_KERNEL(void tensor_copy(const Tensor& source, const Tensor& target))  // same shape, dtype and device
// Between float32 and a half type, or the other way; same shape and device, rounded where that is needed.
GHOST_DECLARE_KERNEL(void tensor_convert(const Tensor& source, const Tensor& target))
GHOST_DECLARE_KERNEL(void tensor_fill(const Tensor& target, double value))
GHOST_DECLARE_KERNEL(void tensor_add(const Tensor& addend, const Tensor& target))  // target += addend

// Host <-> device and device <-> device; contiguous tensors, ordered on the device's stream; to the host it waits.
void cuda_transfer(const Tensor& source, const Tensor& target);

}  // namespace ghost
