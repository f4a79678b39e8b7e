// Channels cut into strips of one vector, compiled once per instruction set: the channels of a map are its SIMD
// dimension.
#if defined(GHOST_CHANNEL_STRIPS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GHOST_CHANNEL_STRIPS_INL_H
#undef GHOST_CHANNEL_STRIPS_INL_H
#else
#define GHOST_CHANNEL_STRIPS_INL_H
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <utility>

#include "kernels/activation_simd-inl.h"
#include "kernels/channel_strips.h"

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A vector's worth of channels, from channel `begin` on: the first `used` of its lanes, or all of them if kWhole.
template <class D, bool kWhole>
struct Strip {
  using T = hn::TFromD<D>;
  using V = hn::Vec<D>;
  static constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(D()));
  D d;
  int64_t index, begin, used;

  HWY_INLINE V load(const T* from) const {
    return kWhole || used == kLanes ? hn::LoadU(d, from)
                                    : hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(used)), d, from);
  }
  HWY_INLINE void store(V value, T* to) const {
    if (kWhole || used == kLanes)
      hn::StoreU(value, d, to);
    else
      hn::BlendedStore(value, hn::FirstN(d, static_cast<size_t>(used)), d, to);
  }
  // Per-channel values; `otherwise` where there are none.
  HWY_INLINE V channels(const T* values, double otherwise) const {
    return values ? load(values + begin) : constant(d, otherwise);
  }
};

// Lanes of the strips of for_each_strip, all but the last.
template <class T>
constexpr int64_t kStripLanes = static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<T>()));

// body(strip) for the strips of channels [begin, end); the last one takes half a vector where that holds it.
template <class T, class Body>
HWY_INLINE void for_each_strip(int64_t begin, int64_t end, const Body& body) {
  using Whole = hn::ScalableTag<T>;
  constexpr int64_t kLanes = kStripLanes<T>, kHalf = kLanes > 1 ? kLanes / 2 : 1;
  int64_t index = 0;
  for (; end - begin >= kLanes; begin += kLanes) body(Strip<Whole, true>{{}, index++, begin, kLanes});
  if (end - begin > kHalf)
    body(Strip<Whole, false>{{}, index, begin, end - begin});
  else if (begin < end)
    body(Strip<hn::CappedTag<T, kHalf>, false>{{}, index, begin, end - begin});
}

// How far ahead of the pixel it works on a loop over a feature map asks memory for, in elements.
inline int64_t prefetch_distance(int64_t pitch) {
  constexpr int64_t kAhead = 1024;
  return (kAhead + pitch - 1) / pitch * pitch;
}

// An activation that only the run decides on: one call per vector.
struct AnyActivation {
  Activation which;
};
template <class D, class V>
HWY_NOINLINE V activation_value(AnyActivation act, D d, V x) {
  V y = x;
  visit_activation(act.which, [&](auto known) HWY_ATTR { y = activation_value(known, d, x); });
  return y;
}
template <class D, class V>
HWY_NOINLINE V activation_gradient(AnyActivation act, D d, V x, V dy) {
  V dx = dy;
  visit_activation(act.which, [&](auto known) HWY_ATTR { dx = activation_gradient(known, d, x, dy); });
  return dx;
}

// visit_activation with loops of their own for the common activations only: each costs build time.
template <class Visit>
HWY_INLINE void visit_common_activation(Activation activation, const Visit& visit) {
  switch (activation) {
    case Activation::kNone: return visit(Identity{});
    case Activation::kRelu: return visit(Relu{});
    case Activation::kRelu6: return visit(Relu6{});
    default: return visit(AnyActivation{activation});
  }
}

// body(std::integral_constant<int, i>) for i in [0, kCount): a loop unrolled for certain, so that arrays of vectors
// that it indexes stay in registers. Its lambdas are marked GHOST_UNROLLED: called, they would keep them in memory.
#undef GHOST_UNROLLED
#define GHOST_UNROLLED HWY_ATTR __attribute__((always_inline))
template <int kCount, class Body>
HWY_INLINE void unrolled(const Body& body) {
  [&]<int... i>(std::integer_sequence<int, i...>) GHOST_UNROLLED { (body(std::integral_constant<int, i>{}), ...); }
  (std::make_integer_sequence<int, kCount>{});
}

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#endif  // once per target
