// Channels cut into strips of one vector, compiled once per instruction set: the channels of a map are its SIMD
// dimension.
#if defined(GHOST_CHANNEL_STRIPS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GHOST_CHANNEL_STRIPS_INL_H
#undef GHOST_CHANNEL_STRIPS_INL_H
#else
#define GHOST_CHANNEL_STRIPS_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/activation_simd-inl.h"
#include "kernels/channel_strips.h"

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A vector's worth of channels: the first `used` of its lanes, from channel `begin` on.
template <class D>
struct Strip {
  using T = hn::TFromD<D>;
  using V = hn::Vec<D>;
  D d;
  int64_t index, begin, used;

  bool full() const { return used == static_cast<int64_t>(hn::Lanes(d)); }
  HWY_INLINE V load(const T* from) const {
    return HWY_LIKELY(full()) ? hn::LoadU(d, from) : hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(used)), d, from);
  }
  HWY_INLINE void store(V value, T* to) const {
    if (HWY_LIKELY(full()))
      hn::StoreU(value, d, to);
    else
      hn::BlendedStore(value, hn::FirstN(d, static_cast<size_t>(used)), d, to);
  }
  // Per-channel values; `otherwise` where there are none.
  HWY_INLINE V channels(const T* values, double otherwise) const {
    return values ? load(values + begin) : constant(d, otherwise);
  }
};

// body(strip) for the strips of channels [begin, end); the last one takes half a vector where that holds it.
template <class T, class Body>
HWY_INLINE void for_each_strip(int64_t begin, int64_t end, const Body& body) {
  const hn::ScalableTag<T> whole;
  constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<T>()), kHalf = kLanes > 1 ? kLanes / 2 : 1;
  int64_t index = 0;
  for (; end - begin > kHalf; begin += kLanes)
    body(Strip<hn::ScalableTag<T>>{whole, index++, begin, HWY_MIN(kLanes, end - begin)});
  if (begin < end) body(Strip<hn::CappedTag<T, kHalf>>{{}, index, begin, end - begin});
}

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#endif  // once per target
