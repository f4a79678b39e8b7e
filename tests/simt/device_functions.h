// CUDA's device functions for a plain C++ compiler: barriers, warp functions, atomics, mathematics. Overloads are those
// that CUDA has, so that what compiles here compiles there.
#pragma once

#include <math.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <source_location>
#include <type_traits>

#include "tests/simt/scheduler.h"

inline constexpr const uint3& threadIdx = ghost::simt::detail::thread_index;
inline constexpr const uint3& blockIdx = ghost::simt::detail::block_index;
inline constexpr const dim3& blockDim = ghost::simt::detail::block_size;
inline constexpr const dim3& gridDim = ghost::simt::detail::grid_size;
inline constexpr int warpSize = 32;

using GhostSimtPlace = std::source_location;

// --- barriers ---
inline void __syncthreads(const GhostSimtPlace& where = GhostSimtPlace::current()) {
  ghost::simt::detail::barrier(0, where);
}
inline int __syncthreads_count(int predicate, const GhostSimtPlace& where = GhostSimtPlace::current()) {
  return ghost::simt::detail::barrier(predicate, where).count;
}
inline int __syncthreads_and(int predicate, const GhostSimtPlace& where = GhostSimtPlace::current()) {
  const auto votes = ghost::simt::detail::barrier(predicate, where);
  return votes.count == votes.threads;
}
inline int __syncthreads_or(int predicate, const GhostSimtPlace& where = GhostSimtPlace::current()) {
  return ghost::simt::detail::barrier(predicate, where).count > 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, const GhostSimtPlace& where = GhostSimtPlace::current()) {
  ghost::simt::detail::warp_barrier(mask, where);
}
inline void __threadfence() { ghost::simt::detail::fence(); }
inline void __threadfence_block() { ghost::simt::detail::fence(); }

// --- votes and shuffles ---
inline unsigned __ballot_sync(unsigned mask, int predicate, const GhostSimtPlace& where = GhostSimtPlace::current()) {
  return ghost::simt::detail::warp_vote(mask, predicate != 0, where).ballot;
}
inline int __any_sync(unsigned mask, int predicate, const GhostSimtPlace& where = GhostSimtPlace::current()) {
  return ghost::simt::detail::warp_vote(mask, predicate != 0, where).ballot != 0;
}
inline int __all_sync(unsigned mask, int predicate, const GhostSimtPlace& where = GhostSimtPlace::current()) {
  const auto votes = ghost::simt::detail::warp_vote(mask, predicate != 0, where);
  return votes.ballot == votes.lanes;
}

namespace ghost::simt::detail {
template <class T>
T shuffle(unsigned mask, T value, int source, const GhostSimtPlace& where) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8, "CUDA shuffles values of at most 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = warp_exchange(mask, bits, source, where);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
}  // namespace ghost::simt::detail

// `width` cuts the warp into groups; a source outside of the caller's group means the caller's own value.
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              const GhostSimtPlace& where = GhostSimtPlace::current()) {
  const int base = ghost::simt::detail::lane() & ~(width - 1);
  return ghost::simt::detail::shuffle(mask, value, base + (source & (width - 1)), where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 const GhostSimtPlace& where = GhostSimtPlace::current()) {
  const int lane = ghost::simt::detail::lane(), base = lane & ~(width - 1), source = lane - static_cast<int>(delta);
  return ghost::simt::detail::shuffle(mask, value, source < base ? lane : source, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   const GhostSimtPlace& where = GhostSimtPlace::current()) {
  const int lane = ghost::simt::detail::lane(), end = (lane & ~(width - 1)) + width;
  const int source = lane + static_cast<int>(delta);
  return ghost::simt::detail::shuffle(mask, value, source >= end ? lane : source, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  const GhostSimtPlace& where = GhostSimtPlace::current()) {
  const int lane = ghost::simt::detail::lane(), end = (lane & ~(width - 1)) + width;
  const int source = lane ^ lanes;
  return ghost::simt::detail::shuffle(mask, value, source >= end ? lane : source, where);
}

// --- atomics (relaxed, as CUDA's) ---
namespace ghost::simt::detail {
// Replaces *p by change(*p) and gives the old value.
template <class T, class Change>
T atomic_update(T* p, const Change& change) {
  check_aligned(p, sizeof(T), GhostSimtPlace::current());
  const std::atomic_ref<T> place(*p);
  T old = place.load(std::memory_order_relaxed);
  while (!place.compare_exchange_weak(old, change(old), std::memory_order_relaxed)) {
  }
  return old;
}
}  // namespace ghost::simt::detail

#define GHOST_SIMT_ATOMIC(name, T, expression)                                                \
  inline T name(T* p, T value) {                                                              \
    return ghost::simt::detail::atomic_update(p, [value](T old) -> T { return expression; }); \
  }
#define GHOST_SIMT_INTEGER_ATOMICS(T)                        \
  GHOST_SIMT_ATOMIC(atomicMax, T, old > value ? old : value) \
  GHOST_SIMT_ATOMIC(atomicMin, T, old < value ? old : value) \
  GHOST_SIMT_ATOMIC(atomicAnd, T, old& value)                \
  GHOST_SIMT_ATOMIC(atomicOr, T, old | value)                \
  GHOST_SIMT_ATOMIC(atomicXor, T, old ^ value)
GHOST_SIMT_ATOMIC(atomicAdd, int, static_cast<int>(static_cast<unsigned>(old) + static_cast<unsigned>(value)))
GHOST_SIMT_ATOMIC(atomicAdd, unsigned, old + value)
GHOST_SIMT_ATOMIC(atomicAdd, unsigned long long, old + value)
GHOST_SIMT_ATOMIC(atomicAdd, float, old + value)
GHOST_SIMT_ATOMIC(atomicAdd, double, old + value)
GHOST_SIMT_ATOMIC(atomicSub, int, static_cast<int>(static_cast<unsigned>(old) - static_cast<unsigned>(value)))
GHOST_SIMT_ATOMIC(atomicSub, unsigned, old - value)
GHOST_SIMT_ATOMIC(atomicInc, unsigned, old >= value ? 0u : old + 1)
GHOST_SIMT_ATOMIC(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)
GHOST_SIMT_INTEGER_ATOMICS(int)
GHOST_SIMT_INTEGER_ATOMICS(unsigned)
GHOST_SIMT_INTEGER_ATOMICS(unsigned long long)
#undef GHOST_SIMT_INTEGER_ATOMICS
#undef GHOST_SIMT_ATOMIC

#define GHOST_SIMT_EXCHANGE(T)                                                  \
  inline T atomicExch(T* p, T value) {                                          \
    return ghost::simt::detail::atomic_update(p, [value](T) { return value; }); \
  }
#define GHOST_SIMT_COMPARE(T)                                                                                       \
  inline T atomicCAS(T* p, T compare, T value) {                                                                    \
    return ghost::simt::detail::atomic_update(p, [compare, value](T old) { return old == compare ? value : old; }); \
  }
GHOST_SIMT_EXCHANGE(int)
GHOST_SIMT_EXCHANGE(unsigned)
GHOST_SIMT_EXCHANGE(unsigned long long)
GHOST_SIMT_EXCHANGE(float)
GHOST_SIMT_COMPARE(int)
GHOST_SIMT_COMPARE(unsigned)
GHOST_SIMT_COMPARE(unsigned long long)
GHOST_SIMT_COMPARE(unsigned short)
#undef GHOST_SIMT_EXCHANGE
#undef GHOST_SIMT_COMPARE

// --- loads and stores with a cache hint ---
template <class T>
T __ldg(const T* p) {
  return *p;
}
template <class T>
T __ldcs(const T* p) {
  return *p;
}
template <class T>
T __ldcg(const T* p) {
  return *p;
}
template <class T>
void __stcs(T* p, T value) {
  *p = value;
}
template <class T>
void __stcg(T* p, T value) {
  *p = value;
}

// --- mathematics ---
// The __f*_rn functions are never contracted into an fma; the empty asm keeps the compiler from doing so.
namespace ghost::simt::detail {
template <class T>
T uncontracted(T value) {
#if defined(__x86_64__)
  asm("" : "+x"(value));
#elif defined(__aarch64__)
  asm("" : "+w"(value));
#endif
  return value;
}
}  // namespace ghost::simt::detail
inline float __fadd_rn(float a, float b) { return ghost::simt::detail::uncontracted(a + b); }
inline float __fsub_rn(float a, float b) { return ghost::simt::detail::uncontracted(a - b); }
inline float __fmul_rn(float a, float b) { return ghost::simt::detail::uncontracted(a * b); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline double __dadd_rn(double a, double b) { return ghost::simt::detail::uncontracted(a + b); }
inline double __dmul_rn(double a, double b) { return ghost::simt::detail::uncontracted(a * b); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __frsqrt_rn(float a) { return 1.0f / sqrtf(a); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float a) { return expf(a); }
inline float __exp10f(float a) { return powf(10.0f, a); }
inline float __logf(float a) { return logf(a); }
inline float __log2f(float a) { return log2f(a); }
inline float __powf(float a, float b) { return powf(a, b); }
inline float __sinf(float a) { return sinf(a); }
inline float __cosf(float a) { return cosf(a); }
inline float __saturatef(float a) { return a > 0.0f ? (a < 1.0f ? a : 1.0f) : 0.0f; }  // NaN gives 0, as on the device
inline float rsqrtf(float a) { return 1.0f / sqrtf(a); }
inline double rsqrt(double a) { return 1.0 / sqrt(a); }

inline int __float_as_int(float a) { return std::bit_cast<int>(a); }
inline unsigned __float_as_uint(float a) { return std::bit_cast<unsigned>(a); }
inline float __int_as_float(int a) { return std::bit_cast<float>(a); }
inline float __uint_as_float(unsigned a) { return std::bit_cast<float>(a); }
inline long long __double_as_longlong(double a) { return std::bit_cast<long long>(a); }
inline double __longlong_as_double(long long a) { return std::bit_cast<double>(a); }
inline int __float2int_rn(float a) { return static_cast<int>(lrintf(a)); }
inline int __float2int_rz(float a) { return static_cast<int>(a); }
inline int __float2int_rd(float a) { return static_cast<int>(floorf(a)); }
inline int __float2int_ru(float a) { return static_cast<int>(ceilf(a)); }
inline float __int2float_rn(int a) { return static_cast<float>(a); }
inline float __uint2float_rn(unsigned a) { return static_cast<float>(a); }

inline int __popc(unsigned a) { return std::popcount(a); }
inline int __popcll(unsigned long long a) { return std::popcount(a); }
inline int __clz(int a) { return std::countl_zero(static_cast<unsigned>(a)); }
inline int __clzll(long long a) { return std::countl_zero(static_cast<unsigned long long>(a)); }
inline int __ffs(int a) { return a == 0 ? 0 : std::countr_zero(static_cast<unsigned>(a)) + 1; }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((uint64_t{a} * b) >> 32); }

#define GHOST_SIMT_MIN_MAX(T)                      \
  inline T min(T a, T b) { return b < a ? b : a; } \
  inline T max(T a, T b) { return a < b ? b : a; }
GHOST_SIMT_MIN_MAX(int)
GHOST_SIMT_MIN_MAX(unsigned)
GHOST_SIMT_MIN_MAX(long)
GHOST_SIMT_MIN_MAX(unsigned long)
GHOST_SIMT_MIN_MAX(long long)
GHOST_SIMT_MIN_MAX(unsigned long long)
#undef GHOST_SIMT_MIN_MAX
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
