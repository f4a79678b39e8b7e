// Which instruction sets our SIMD kernels are compiled for; include before hwy/foreach_target.h. Left out: sets whose vectors
// have no size at compile time (our kernels keep arrays of vectors in registers), and SSSE3, where next to nothing stops.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV | HWY_SSSE3)
