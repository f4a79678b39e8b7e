// The formulas of the YOLO loss, once for both devices.
#pragma once

#include "kernels/yolo_box.h"
#include "losses/yolo_dual.h"
#include "losses/yolo_loss.h"

namespace ghost::yolo {

inline constexpr double kTiny = 1e-6;  // quotients' smallest divisor; boxes are in units of cells

// The predicted box with its derivatives, and the truth; both as corners too.
template <class T>
struct BoxPair {
  GHOST_HD BoxPair(const CentredBox<T>& box, const CentredBox<T>& truth)
      : x{box.x, {1, 0, 0, 0}},
        y{box.y, {0, 1, 0, 0}},
        w{box.w, {0, 0, 1, 0}},
        h{box.h, {0, 0, 0, 1}},
        tx(constant(truth.x)),
        ty(constant(truth.y)),
        tw(constant(truth.w)),
        th(constant(truth.h)) {
    const Dual<T> half = constant(T(0.5));
    const Dual<T> left = x - w * half, right = x + w * half, top = y - h * half, bottom = y + h * half;
    const Dual<T> tleft = tx - tw * half, tright = tx + tw * half, ttop = ty - th * half, tbottom = ty + th * half;
    const Dual<T> shared = at_least(smaller(right, tright) - larger(left, tleft), 0) *
                           at_least(smaller(bottom, tbottom) - larger(top, ttop), 0);
    joint = w * h + tw * th - shared;
    iou = shared / at_least(joint, kTiny);
    hull_w = at_least(larger(right, tright) - smaller(left, tleft), 0);
    hull_h = at_least(larger(bottom, tbottom) - smaller(top, ttop), 0);
  }
  Dual<T> x, y, w, h, tx, ty, tw, th;
  Dual<T> iou, joint, hull_w, hull_h;  // hull: the smallest box around both
};

// Squared distance of the centres over the squared diagonal of the hull (Zheng et al., 2020).
template <class T>
GHOST_HD inline Dual<T> distance_term(const BoxPair<T>& p) {
  const Dual<T> dx = p.x - p.tx, dy = p.y - p.ty;
  return (dx * dx + dy * dy) / at_least(p.hull_w * p.hull_w + p.hull_h * p.hull_h, kTiny);
}

// alpha * v: v the difference of the aspect ratios' angles. alpha is differentiated like the rest.
template <class T>
GHOST_HD inline Dual<T> aspect_term(const BoxPair<T>& p) {
  constexpr double kFourOverPiSquared = 0.40528473456935108578;
  const Dual<T> angle = arctangent(p.w / at_least(p.h, kTiny)) - arctangent(p.tw / at_least(p.th, kTiny));
  const Dual<T> v = constant(static_cast<T>(kFourOverPiSquared)) * angle * angle;
  return v * v / at_least(constant(T(1)) - p.iou + v, kTiny);
}

template <class T>
GHOST_HD inline Dual<T> hull_term(const BoxPair<T>& p) {
  const Dual<T> hull = p.hull_w * p.hull_h;
  return (hull - p.joint) / at_least(hull, kTiny);
}

template <class T>
GHOST_HD inline Dual<T> fourth_power_of_gap(const Dual<T>& a, const Dual<T>& b) {
  const Dual<T> one = constant(T(1));
  const Dual<T> gap = one - exponential(constant(T(0)) - absolute(a - b) / at_least(larger(a, b), kTiny));
  const Dual<T> square = gap * gap;
  return square * square;
}

// Half the sum of angle-weighted distance and shape (Gevorgyan, 2022). sin(2 alpha) is written as 2 |dx dy| / (dx^2 +
// dy^2).
template <class T>
GHOST_HD inline Dual<T> siou_term(const BoxPair<T>& p) {
  const Dual<T> dx = p.x - p.tx, dy = p.y - p.ty, two = constant(T(2)), half = constant(T(0.5));
  const Dual<T> gamma = absolute(dx * dy) * two / at_least(dx * dx + dy * dy, 1e-12) - two;
  const Dual<T> u = dx / at_least(p.hull_w, kTiny), v = dy / at_least(p.hull_h, kTiny);
  const Dual<T> distance = two - exponential(gamma * u * u) - exponential(gamma * v * v);
  const Dual<T> shape = fourth_power_of_gap(p.w, p.tw) + fourth_power_of_gap(p.h, p.th);
  return (distance + shape) * half;
}

// 1 - the overlap measure, with derivatives by cx, cy, w, h of the predicted box.
template <class T>
GHOST_HD inline Dual<T> box_loss(const CentredBox<T>& box, const CentredBox<T>& truth, BoxLoss kind) {
  const BoxPair<T> pair(box, truth);
  const Dual<T> loss = constant(T(1)) - pair.iou;
  switch (kind) {
    case BoxLoss::kCiou: return loss + distance_term(pair) + aspect_term(pair);
    case BoxLoss::kDiou: return loss + distance_term(pair);
    case BoxLoss::kGiou: return loss + hull_term(pair);
    case BoxLoss::kSiou: return loss + siou_term(pair);
  }
  return loss;
}

// log(1 + exp(x)) without overflow.
template <class T>
GHOST_HD inline T softplus(T x) {
  return (x > 0 ? x : x < 0 ? T(0) : x) + std::log1p(std::exp(-std::fabs(x)));
}
// -target log s(x) - (1 - target) log(1 - s(x)) and its derivative by x.
template <class T>
GHOST_HD inline T cross_entropy(T x, T target) {
  return softplus(x) - target * x;
}
template <class T>
GHOST_HD inline T cross_entropy_slope(T x, T target) {
  return sigmoid(x) - target;
}

// Objectness of an anchor that should (target) or should not hold an object: cross entropy, under `focal` times
// weight * s(y)^gamma (Lin et al., 2017), y the logit towards the wrong answer.
struct Objectness {
  bool focal;
  double alpha, gamma;

  template <class T>
  GHOST_HD T weight(bool target) const {
    return focal ? static_cast<T>(target ? alpha : 1 - alpha) : T(1);
  }
  template <class T>
  GHOST_HD T loss(T x, bool target) const {
    const T y = target ? -x : x;
    if (!focal) return softplus(y);
    return weight<T>(target) * std::pow(sigmoid(y), static_cast<T>(gamma)) * softplus(y);
  }
  template <class T>
  GHOST_HD T slope(T x, bool target) const {
    const T y = target ? -x : x, sign = target ? T(-1) : T(1), wrong = sigmoid(y);
    if (!focal) return sign * wrong;
    const T power = static_cast<T>(gamma);
    return sign * weight<T>(target) * std::pow(wrong, power) * (power * sigmoid(-y) * softplus(y) + wrong);
  }
};

}  // namespace ghost::yolo
