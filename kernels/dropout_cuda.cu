#include "core/random.h"
#include "kernels/cuda_pack.h"
#include "kernels/dropout.h"

namespace ghost {
namespace cuda {
namespace {

// A thread draws one Philox block and applies its four words.
__global__ void dropout_kernel(const float* x, int64_t count, float p, float scale, uint64_t seed, uint64_t stream,
                               float* y) {
  GHOST_GRID_STRIDE_LOOP(block, (count + 3) / 4) {
    const Philox4 words = philox(seed, stream, static_cast<uint64_t>(block));
    GHOST_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int64_t at = block * 4 + i;
      if (at < count) y[at] = uniform_from_bits(words.value[i]) >= p ? x[at] * scale : 0.0f;
    }
  }
}

}  // namespace

void dropout_apply(const Tensor& x, const DropoutOptions& options, const Tensor& y) {
  require_float32("dropout", {x, y});
  if (x.empty()) return;
  launch(dropout_kernel, grid_for(ceil_div(x.numel(), 4), 256), 256, 0, current_stream(x.device()), x.data<float>(),
         x.numel(), static_cast<float>(options.p), static_cast<float>(1.0 / (1.0 - options.p)), options.seed,
         options.stream, y.data<float>());
}

}  // namespace cuda
}  // namespace ghost
