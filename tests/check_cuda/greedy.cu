// For the test of scripts/check_cuda.sh: a kernel whose block of 1024 threads asks for more registers than there are.
__global__ void greedy_kernel(const float* x, float* y, int n) {
  constexpr int kValues = 96;
  float values[kValues];
#pragma unroll
  for (int i = 0; i < kValues; ++i) values[i] = x[i * n + threadIdx.x];
  for (int k = 0; k < n; ++k) {
#pragma unroll
    for (int i = 0; i < kValues; ++i) values[i] = values[i] * values[(i + 1) % kValues] + x[k];
  }
#pragma unroll
  for (int i = 0; i < kValues; ++i) y[i * n + threadIdx.x] = values[i];
}
