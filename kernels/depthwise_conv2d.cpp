#include "kernels/depthwise_conv2d.h"

namespace ghost {

bool is_depthwise(const Shape& x, const Shape& weight, int groups) {
  return groups == x[3] && weight[1] == 1 && groups > 0 && weight[0] % groups == 0;
}

}  // namespace ghost
