// Which instruction sets our SIMD kernels are compiled for; include before hwy/foreach_target.h. Left out: sets whose
// vectors have no size at compile time (our kernels keep arrays of vectors in registers), and ones that cost build time
// and give floating point next to nothing over the one below: x86-64 gets AVX-512, AVX2 and, on older machines,
// Highway's scalar code.
#pragma once

// GHOST_SIMD=native leaves out one more (cmake/GhostSimd.cmake).
#if defined(GHOST_WITHOUT_AVX2)
#define GHOST_LEFT_OUT HWY_AVX2
#elif defined(GHOST_WITHOUT_AVX512)
#define GHOST_LEFT_OUT HWY_AVX3
#else
#define GHOST_LEFT_OUT 0
#endif

#define HWY_DISABLED_TARGETS \
  (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV | HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | GHOST_LEFT_OUT)
