// CUDA's qualifiers, vector types and the few runtime calls that .cu host code uses, for a plain C++ compiler. Written
// from the CUDA C++ Programming Guide; no toolkit header is read, so this works where no toolkit is installed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

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

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault
};
enum cudaFuncAttribute {
  cudaFuncAttributeMaxDynamicSharedMemorySize = 8,
  cudaFuncAttributePreferredSharedMemoryCarveout = 9
};
enum cudaDeviceAttr {
  cudaDevAttrMaxThreadsPerBlock = 1,
  cudaDevAttrWarpSize = 10,
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97
};
using cudaStream_t = struct GhostSimtStream*;

namespace ghost::simt::detail {
void allow_dynamic_shared(const void* kernel, int bytes);
}

// Everything runs at once, in order: there is one stream and it is the calling thread.
inline cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t = nullptr) {
  if (bytes > 0) std::memset(p, value, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t = nullptr) {
  if (bytes > 0) std::memmove(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                                     size_t height, cudaMemcpyKind, cudaStream_t = nullptr) {
  if (width > to_pitch || width > from_pitch) return cudaErrorInvalidValue;
  for (size_t row = 0; row < height; ++row)
    std::memmove(static_cast<char*>(to) + row * to_pitch, static_cast<const char*>(from) + row * from_pitch, width);
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaPeekAtLastError() { return cudaSuccess; }
inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
inline const char* cudaGetErrorString(cudaError_t status) {
  return status == cudaSuccess ? "no error" : "invalid value";
}

template <class... Params>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Params...), cudaFuncAttribute attribute, int value) {
  if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize)
    ghost::simt::detail::allow_dynamic_shared(reinterpret_cast<const void*>(kernel), value);
  return cudaSuccess;
}

// A small device: few multiprocessors, so that grid-stride loops turn more than once.
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int /*device*/) {
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock: *value = 1024; return cudaSuccess;
    case cudaDevAttrWarpSize: *value = 32; return cudaSuccess;
    case cudaDevAttrMultiProcessorCount: *value = 2; return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 227 * 1024; return cudaSuccess;
  }
  return cudaErrorInvalidValue;
}
