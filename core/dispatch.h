// One declaration gives all devices' signatures; one macro chooses. This is the only place that knows whether the
// build has CUDA. meta:: counts what cuda:: would start (core/meta.h).
#pragma once

#include "core/device.h"

#define GHOST_DECLARE_KERNEL(...) \
  namespace cpu {                 \
  __VA_ARGS__;                    \
  }                               \
  namespace cuda {                \
  __VA_ARGS__;                    \
  }                               \
  namespace meta {                \
  __VA_ARGS__;                    \
  }

#ifdef GHOST_WITH_CUDA
#define GHOST_DISPATCH(where, ...) \
  ((where).is_cuda() ? cuda::__VA_ARGS__ : (where).is_meta() ? meta::__VA_ARGS__ : cpu::__VA_ARGS__)
#else  // Device::cuda() has already refused in this build.
#define GHOST_DISPATCH(where, ...) \
  ((where).is_meta() ? meta::__VA_ARGS__ : (::ghost::require_cpu(where), cpu::__VA_ARGS__))
#endif
