#include "kernels/optimizer_step.h"

#include <cmath>

namespace ghost {

double global_norm(const std::vector<Tensor>& gradients) {
  if (gradients.empty()) return 0;
  return std::sqrt(GHOST_DISPATCH(gradients[0].device(), squared_norm(gradients)));
}

}  // namespace ghost
