#include "train/batch_advice.h"

#include "core/out_of_memory.h"
#include "train/gpu_plan.h"

namespace ghost {

std::string batch_advice(const Config& config, const ModelCard& card, int64_t available) {
  const int64_t largest = largest_training_batch(card, config, available), size = card.input.size;
  const std::string pictures = str(" of ", size, 'x', size, " (computed, not measured)");
  if (largest == 0)
    return str("Not even one picture", pictures, " fits: lower input.size or model.width, or use device=cpu.");
  if (largest >= config.train.batch_size)
    return str("A batch of ", largest, pictures,
               " should fit: larger pictures or what else runs on the device are too much. Lower train.batch_size.");
  return str("A batch of ", largest, pictures, " fits: train.batch_size=", largest, '.');
}

int with_batch_advice(const Config& config, const ModelCard& card, const std::function<int()>& body) {
  try {
    return body();
  } catch (const OutOfMemory& error) {
    GHOST_FAIL(kDevice, error.what(), '\n', batch_advice(config, card, error.available()));
  }
}

}  // namespace ghost
