// Host code gets the runtime's functions; a .cu file, compiled as plain C++ with __CUDACC__ defined, also the device
// functions of tests/simt and the launch.
#pragma once

#include "tests/standin/toolkit/cuda_runtime_api.h"

#if defined(__CUDACC__)
#include <tuple>
#include <type_traits>

#include "tests/simt/device_functions.h"
#include "tests/standin/standin.h"

// Instead of core/cuda_launch.h's own: `extern __shared__` means nothing to a C++ compiler.
#define GHOST_DYNAMIC_SHARED(T, name) \
  T* const name = static_cast<T*>(::ghost::simt::detail::dynamic_shared(std::source_location::current()))
#define GHOST_CHECK_ALIGNED(pointer, bytes) \
  ::ghost::simt::detail::check_aligned(pointer, bytes, std::source_location::current())

// The arguments are copied now, the kernel runs when its stream gets there.
template <class... Params, class... Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Params...), Args&&... args) {
  static_assert((!std::is_reference_v<Params> && ...), "a kernel takes its parameters by value");
  static_assert((std::is_trivially_copyable_v<Params> && ...), "a kernel's parameters are copied as bytes");
  static_assert((size_t{0} + ... + sizeof(Params)) <= 4096, "a kernel takes at most 4096 bytes of parameters");
  using Call = std::tuple<void (*)(Params...), std::tuple<Params...>>;
  const Call call{kernel, {static_cast<Params>(args)...}};
  const ghost::standin::Arguments arguments{&std::get<1>(call), sizeof(std::get<1>(call))};
  return ghost::standin::launch(reinterpret_cast<const void*>(kernel), config->stream, arguments, [call, c = *config] {
    ghost::simt::detail::run_grid({reinterpret_cast<const void*>(std::get<0>(call)), c.gridDim, c.blockDim,
                                   c.dynamicSmemBytes,
                                   [](const void* arguments) {
                                     const auto& [function, values] = *static_cast<const Call*>(arguments);
                                     std::apply(function, values);
                                   },
                                   &call});
  });
}
#endif
