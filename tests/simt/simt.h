// Runs CUDA kernels on the CPU. A .cu file that includes core/launch.h compiles as plain C++ under -DGHOST_SIMT;
// launch() then runs one block after another, each CUDA thread as a cooperative fiber that gives way at barriers and
// warp functions.
//
// To add a case: write tests/simt/<thing>_test.cpp. The .cu files are compiled with cuda=simt, so the host functions of
// a kernel, ghost::cuda::relu_forward(...), are ghost::simt::relu_forward(...) here and take CPU tensors:
//
//   TEST(ReluSimt, MatchesCpu) {
//     simt::for_each_order([] {                               // threads up, down, random: a missing barrier shows
//       const simt::Surrounded x = simt::random_map({2, 5, 5, 19}, {.seed = 7, .before = 4});
//       simt::Surrounded y = simt::empty_map({2, 5, 5, 19});
//       simt::relu_forward(x.view(), y.view());               // the kernel
//       simt::expect_close({"relu", "19 channels", 7}, y.view(), expected_from_cpu, 1e-6);
//     });
//   }
// with tests/simt/compare.h. Small shapes, odd sizes, many kinds: a thread costs about 40 ns. kernel_coverage_test.cpp
// fails when a kernel of the project is launched by no case. Before each block shared memory holds NaN. Reported as
// simt::KernelError with kernel, block and thread: divergent barriers, shuffles with lanes that never come or have
// exited, misaligned vector accesses, launches beyond the limits. Write `alignas(16) __shared__ T x[n]` in this order.
#pragma once

#include <string>
#include <tuple>
#include <type_traits>

#include "core/device.h"
#include "tests/simt/device_functions.h"
#include "tests/simt/runtime_calls.h"

#define GHOST_DYNAMIC_SHARED(T, name) \
  T* const name = static_cast<T*>(::ghost::simt::detail::dynamic_shared(std::source_location::current()))

#define GHOST_CHECK_ALIGNED(pointer, bytes) \
  ::ghost::simt::detail::check_aligned(pointer, bytes, std::source_location::current())

namespace ghost {

// A namespace of its own keeps these apart from nvcc's versions, which a CUDA build links into the same test.
inline namespace on_cpu {

template <class... Params>
void launch(void (*kernel)(Params...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t /*stream*/,
            std::type_identity_t<Params>... args) {
  static_assert((!std::is_reference_v<Params> && ...), "a kernel takes its parameters by value");
  static_assert((std::is_trivially_copyable_v<Params> && ...), "a kernel's parameters are copied as bytes");
  static_assert((size_t{0} + ... + sizeof(Params)) <= 4096, "a kernel takes at most 4096 bytes of parameters");
  const std::tuple<void (*)(Params...), std::tuple<Params...>> call{kernel, {args...}};
  simt::detail::run_grid({reinterpret_cast<const void*>(kernel), grid, block, shared_bytes,
                          [](const void* arguments) {
                            const auto& [function, values] = *static_cast<const decltype(call)*>(arguments);
                            std::apply(function, values);
                          },
                          &call});
}

inline void check_cuda(cudaError_t status, const char* call) {
  if (status != cudaSuccess) throw simt::KernelError(std::string(call) + ": " + cudaGetErrorString(status));
}
#define GHOST_CUDA_CALL(call) ::ghost::on_cpu::check_cuda((call), #call)

inline cudaStream_t current_stream(const Device&) { return nullptr; }

}  // namespace on_cpu

}  // namespace ghost
