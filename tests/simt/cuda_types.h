// CUDA's qualifiers and vector types for a plain C++ compiler. Written from the CUDA C++ Programming Guide; no toolkit
// header is read, so this works where no toolkit is installed.
#pragma once

#include <cstddef>
#include <cstdint>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)
#define __grid_constant__

// Static shared memory is a static variable (one block runs at a time) in a section of its own, which shared_memory.ld
// bounds, so that it can be poisoned before every block. g++ forgets a section attribute inside of templates, but not
// this one, which puts the variable into .noinit.
#if defined(__clang__)
#define __shared__ static __attribute__((section("ghost_shared")))
#else
#define __shared__ static __attribute__((noinit))
#endif

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1)  // NOLINT(google-explicit-constructor): CUDA's own
      : x(x_), y(y_), z(z_) {}
};

enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault
};

// name1 .. name4 with make_ functions; alignments are those of nvcc.
#define GHOST_SIMT_VECTOR_TYPES(name, T, align2, align4)             \
  struct name##1 {                                                   \
    T x;                                                             \
  };                                                                 \
  struct alignas(align2) name##2 {                                   \
    T x, y;                                                          \
  };                                                                 \
  struct name##3 {                                                   \
    T x, y, z;                                                       \
  };                                                                 \
  struct alignas(align4) name##4 {                                   \
    T x, y, z, w;                                                    \
  };                                                                 \
  inline name##1 make_##name##1(T x) { return {x}; }                 \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; }         \
  inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; } \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }

GHOST_SIMT_VECTOR_TYPES(char, signed char, 2, 4)
GHOST_SIMT_VECTOR_TYPES(uchar, unsigned char, 2, 4)
GHOST_SIMT_VECTOR_TYPES(short, short, 4, 8)
GHOST_SIMT_VECTOR_TYPES(ushort, unsigned short, 4, 8)
GHOST_SIMT_VECTOR_TYPES(int, int, 8, 16)
GHOST_SIMT_VECTOR_TYPES(uint, unsigned, 8, 16)
GHOST_SIMT_VECTOR_TYPES(longlong, long long, 16, 16)
GHOST_SIMT_VECTOR_TYPES(ulonglong, unsigned long long, 16, 16)
GHOST_SIMT_VECTOR_TYPES(float, float, 8, 16)
GHOST_SIMT_VECTOR_TYPES(double, double, 16, 16)
#undef GHOST_SIMT_VECTOR_TYPES
