#include "core/random.h"
#include "kernels/cuda_pack.h"
#include "kernels/dropout.h"

namespace ghost {
namespace cuda {
namespace {

// A thread draws one Philox block and applies its four words. u = (word >> 8) / 2^24 >= p where word >> 8 >= threshold.
__global__ void dropout_kernel(const float* x, int64_t count, uint32_t threshold, float scale, uint64_t seed,
                               uint64_t stream, const int64_t* stream_at, float* y) {
  if (stream_at != nullptr) stream = static_cast<uint64_t>(*stream_at);
  GHOST_GRID_STRIDE_LOOP(block, (count + 3) / 4) {
    const Philox4 words = philox(seed, stream, static_cast<uint64_t>(block));
    GHOST_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int64_t at = block * 4 + i;
      if (at < count) y[at] = words.value[i] >> 8 >= threshold ? x[at] * scale : 0.0f;
    }
  }
}

}  // namespace

void dropout_apply(const Tensor& x, const DropoutOptions& options, const Tensor& y) {
  require_float32("dropout", {x, y});
  if (x.empty()) return;
  const auto threshold = static_cast<uint32_t>(std::ceil(options.p * 0x1.0p24));
  launch(dropout_kernel, grid_for(ceil_div(x.numel(), 4), 256), 256, 0, current_stream(x.device()), x.data<float>(),
         x.numel(), threshold, static_cast<float>(1 / (1 - options.p)), options.seed, options.stream,
         options.stream_at.defined() ? options.stream_at.data<int64_t>() : nullptr, y.data<float>());
}

}  // namespace cuda
}  // namespace ghost
