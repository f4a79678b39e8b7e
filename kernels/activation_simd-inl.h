// The activations of activation_functors.h on Highway vectors, and what an epilogue and a raw gradient (feature.h) do
// to one vector. NaN stays NaN. Compiled once per instruction set: include from a foreach_target source after
// hwy/highway.h.
#if defined(GHOST_ACTIVATION_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GHOST_ACTIVATION_SIMD_INL_H
#undef GHOST_ACTIVATION_SIMD_INL_H
#else
#define GHOST_ACTIVATION_SIMD_INL_H
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "kernels/activation_functors.h"

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D, class V = hn::Vec<D>>
HWY_INLINE V constant(D d, double value) {
  return hn::Set(d, static_cast<hn::TFromD<D>>(value));
}

// max(bound, x) and min(bound, x), and NaN where x is. x86's instructions return their second operand then; other
// machines' and Highway's own scalar code return the number.
template <class V>
HWY_INLINE V at_least(V bound, V x) {
#if HWY_ARCH_X86 && HWY_TARGET < HWY_EMU128
  return hn::Max(bound, x);
#else
  return hn::IfThenElse(hn::Lt(x, bound), bound, x);
#endif
}
template <class V>
HWY_INLINE V at_most(V bound, V x) {
#if HWY_ARCH_X86 && HWY_TARGET < HWY_EMU128
  return hn::Min(bound, x);
#else
  return hn::IfThenElse(hn::Gt(x, bound), bound, x);
#endif
}

template <class D, class V>
HWY_INLINE V sigmoid_of(D d, V x) {
  // exp(88) is still finite in float; beyond it the result is 0 to the last bit. hn::Exp makes NaN 0.
  const V e = hn::Exp(d, hn::Min(constant(d, sizeof(hn::TFromD<D>) == 4 ? 88.0 : 700.0), hn::Neg(x)));
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Div(constant(d, 1), hn::Add(constant(d, 1), e)));
}
template <class D, class V>
HWY_INLINE V tanh_softplus_of(D d, V x) {
  const V e = hn::Exp(d, hn::Min(constant(d, 20), x));
  const V n = hn::Mul(e, hn::Add(e, constant(d, 2)));
  const V t = hn::Div(n, hn::Add(n, constant(d, 2)));
  return hn::IfThenElse(hn::Gt(x, constant(d, 20)), constant(d, 1), hn::IfThenElse(hn::IsNaN(x), x, t));
}
template <class D, class V>
HWY_INLINE V clamped(D d, V x, double high) {
  return at_most(constant(d, high), at_least(hn::Zero(d), x));
}
// `value` where low < x < high, else 0.
template <class D, class V>
HWY_INLINE V inside(D d, V x, double low, double high, V value) {
  return hn::IfThenElseZero(hn::And(hn::Gt(x, constant(d, low)), hn::Lt(x, constant(d, high))), value);
}
template <class D, class V>
HWY_INLINE V hard_sigmoid_of(D d, V x) {
  return hn::Mul(clamped(d, hn::Add(x, constant(d, 3)), 6), constant(d, 1.0 / 6));
}

// act(x).
template <class D, class V>
HWY_INLINE V activation_value(Identity, D, V x) {
  return x;
}
template <class D, class V>
HWY_INLINE V activation_value(Relu, D d, V x) {
  return at_least(hn::Zero(d), x);
}
template <class D, class V>
HWY_INLINE V activation_value(Relu6, D d, V x) {
  return clamped(d, x, 6);
}
template <class D, class V>
HWY_INLINE V activation_value(LeakyRelu, D d, V x) {
  return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(constant(d, 0.1), x));
}
template <class D, class V>
HWY_INLINE V activation_value(Sigmoid, D d, V x) {
  return sigmoid_of(d, x);
}
template <class D, class V>
HWY_INLINE V activation_value(HardSigmoid, D d, V x) {
  return hard_sigmoid_of(d, x);
}
template <class D, class V>
HWY_INLINE V activation_value(HardSigmoidKeras, D d, V x) {
  return clamped(d, hn::MulAdd(constant(d, 0.2), x, constant(d, 0.5)), 1);
}
template <class D, class V>
HWY_INLINE V activation_value(HardSwish, D d, V x) {
  return hn::Mul(x, hard_sigmoid_of(d, x));
}
template <class D, class V>
HWY_INLINE V activation_value(Swish, D d, V x) {
  return hn::Mul(x, sigmoid_of(d, x));
}
template <class D, class V>
HWY_INLINE V activation_value(Mish, D d, V x) {
  return hn::Mul(x, tanh_softplus_of(d, x));
}

// dy * act'(x).
template <class D, class V>
HWY_INLINE V activation_gradient(Identity, D, V, V dy) {
  return dy;
}
template <class D, class V>
HWY_INLINE V activation_gradient(Relu, D d, V x, V dy) {
  return hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), dy);
}
template <class D, class V>
HWY_INLINE V activation_gradient(Relu6, D d, V x, V dy) {
  return inside(d, x, 0, 6, dy);
}
template <class D, class V>
HWY_INLINE V activation_gradient(LeakyRelu, D d, V x, V dy) {
  return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), dy, hn::Mul(constant(d, 0.1), dy));
}
template <class D, class V>
HWY_INLINE V activation_gradient(Sigmoid, D d, V x, V dy) {
  const V s = sigmoid_of(d, x);
  return hn::Mul(dy, hn::Mul(s, hn::Sub(constant(d, 1), s)));
}
template <class D, class V>
HWY_INLINE V activation_gradient(HardSigmoid, D d, V x, V dy) {
  return inside(d, x, -3, 3, hn::Mul(dy, constant(d, 1.0 / 6)));
}
template <class D, class V>
HWY_INLINE V activation_gradient(HardSigmoidKeras, D d, V x, V dy) {
  const V y = hn::MulAdd(constant(d, 0.2), x, constant(d, 0.5));
  return inside(d, y, 0, 1, hn::Mul(dy, constant(d, 0.2)));
}
template <class D, class V>
HWY_INLINE V activation_gradient(HardSwish, D d, V x, V dy) {
  const V slope = hn::Add(hard_sigmoid_of(d, x), inside(d, x, -3, 3, hn::Mul(x, constant(d, 1.0 / 6))));
  return hn::Mul(dy, slope);
}
template <class D, class V>
HWY_INLINE V activation_gradient(Swish, D d, V x, V dy) {
  const V s = sigmoid_of(d, x);
  return hn::Mul(dy, hn::Mul(s, hn::MulAdd(x, hn::Sub(constant(d, 1), s), constant(d, 1))));
}
template <class D, class V>
HWY_INLINE V activation_gradient(Mish, D d, V x, V dy) {
  const V t = tanh_softplus_of(d, x);
  const V rest = hn::Mul(hn::Mul(x, hn::Sub(constant(d, 1), hn::Mul(t, t))), sigmoid_of(d, x));
  return hn::Mul(dy, hn::Add(t, rest));
}

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#endif
