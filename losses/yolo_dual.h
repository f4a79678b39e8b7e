// Numbers that carry their derivatives by a box's centre and size, on both devices: forward-mode differentiation of the
// box terms of the YOLO loss.
#pragma once

#include <cmath>

#include "core/host_device.h"

namespace ghost::yolo {

// A value and its derivatives by the predicted box's cx, cy, w, h.
template <class T>
struct Dual {
  T value, d[4];
};

template <class T>
GHOST_HD inline Dual<T> constant(T value) {
  return {value, {0, 0, 0, 0}};
}
// value's change for a change of each operand: da * a + db * b.
template <class T>
GHOST_HD inline Dual<T> combine(T value, T da, const Dual<T>& a, T db, const Dual<T>& b) {
  Dual<T> result{value, {}};
  for (int i = 0; i < 4; ++i) result.d[i] = da * a.d[i] + db * b.d[i];
  return result;
}
template <class T>
GHOST_HD inline Dual<T> chain(T value, T da, const Dual<T>& a) {
  Dual<T> result{value, {}};
  for (int i = 0; i < 4; ++i) result.d[i] = da * a.d[i];
  return result;
}
template <class T>
GHOST_HD inline Dual<T> operator+(const Dual<T>& a, const Dual<T>& b) {
  return combine(a.value + b.value, T(1), a, T(1), b);
}
template <class T>
GHOST_HD inline Dual<T> operator-(const Dual<T>& a, const Dual<T>& b) {
  return combine(a.value - b.value, T(1), a, T(-1), b);
}
template <class T>
GHOST_HD inline Dual<T> operator*(const Dual<T>& a, const Dual<T>& b) {
  return combine(a.value * b.value, b.value, a, a.value, b);
}
template <class T>
GHOST_HD inline Dual<T> operator/(const Dual<T>& a, const Dual<T>& b) {
  const T quotient = a.value / b.value;
  return combine(quotient, 1 / b.value, a, -quotient / b.value, b);
}
// A NaN in `a` stays.
template <class T>
GHOST_HD inline Dual<T> smaller(const Dual<T>& a, const Dual<T>& b) {
  return b.value < a.value ? b : a;
}
template <class T>
GHOST_HD inline Dual<T> larger(const Dual<T>& a, const Dual<T>& b) {
  return b.value > a.value ? b : a;
}
template <class T>
GHOST_HD inline Dual<T> at_least(const Dual<T>& a, double low) {
  return larger(a, constant(static_cast<T>(low)));
}

template <class T>
GHOST_HD inline Dual<T> arctangent(const Dual<T>& a) {
  return chain(std::atan(a.value), 1 / (1 + a.value * a.value), a);
}
template <class T>
GHOST_HD inline Dual<T> exponential(const Dual<T>& a) {
  const T value = std::exp(a.value);
  return chain(value, value, a);
}
template <class T>
GHOST_HD inline Dual<T> absolute(const Dual<T>& a) {
  return a.value < 0 ? chain(-a.value, T(-1), a) : a;
}

}  // namespace ghost::yolo
