#include "core/cuda.h"
#include "core/tensor_ops.h"

namespace ghost {

void cuda_transfer(const Tensor& source, const Tensor& target) {
  GHOST_ASSERT(source.contiguous() && target.contiguous() && source.shape() == target.shape() &&
                   source.dtype() == target.dtype(),
               "transfer of ", source.dtype(), ' ', source.shape(), " to ", target.dtype(), ' ', target.shape());
  if (source.empty()) return;
  const size_t bytes = static_cast<size_t>(source.numel() * size_of(source.dtype()));
  const Device from = source.device(), to = target.device();
  if (from.is_cuda() && to.is_cuda() && from != to) {
    // Two streams: the target's block may still be read by earlier work of its own stream.
    GHOST_CUDA_CALL(cudaStreamSynchronize(current_stream(to)));
    const cudaStream_t stream = current_stream(from);
    GHOST_CUDA_CALL(cudaMemcpyPeerAsync(target.raw_data(), to.index(), source.raw_data(), from.index(), bytes, stream));
    GHOST_CUDA_CALL(cudaStreamSynchronize(stream));
    return;
  }
  // Pageable host memory has been read when the call returns, so the caller may overwrite it at once.
  const cudaStream_t stream = current_stream(to.is_cuda() ? to : from);
  GHOST_CUDA_CALL(cudaMemcpyAsync(target.raw_data(), source.raw_data(), bytes, cudaMemcpyDefault, stream));
  if (to.is_cpu()) GHOST_CUDA_CALL(cudaStreamSynchronize(stream));
}

}  // namespace ghost
