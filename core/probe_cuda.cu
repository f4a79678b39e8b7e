#include "core/cuda_probe.h"
#include "core/launch.h"

namespace ghost {
namespace cuda {
namespace {

__global__ void probe_kernel(int question, int* answer) { *answer = question + 1; }

}  // namespace

void probe(int question, int* answer, cudaStream_t stream) {
  launch(probe_kernel, dim3(1), dim3(1), 0, stream, question, answer);
}

}  // namespace cuda
}  // namespace ghost
