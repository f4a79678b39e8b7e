// What the YOLO loss of either device does for one anchor.
#pragma once

#include "losses/yolo_formulas.h"
#include "losses/yolo_loss_kernels.h"

namespace ghost::yolo {

template <class T>
GHOST_HD inline CentredBox<T> load_box(const T* box, T scale) {
  return {box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale};
}

template <class T>
struct TruthView {
  const T* boxes;
  const int32_t* maps;
  const int64_t* first;
  T threshold;
  bool same_level;

  // Whether the anchor's box overlaps one of its picture enough not to count as background.
  GHOST_HD bool covers(const MapView<T>& map, int64_t a) const {
    const int64_t image = map.image(a), begin = first[image], end = first[image + 1];
    if (begin == end) return false;
    const CentredBox<T> box = map.box(a, false);
    for (int64_t i = begin; i < end; ++i)
      if ((!same_level || maps[i] == map.map) && overlap(box, load_box(boxes + i * 4, T(1))) >= threshold) return true;
    return false;
  }
};

template <class T>
struct MatchView {
  const int64_t* place;
  const T* boxes;
  const int64_t* classes;
  int64_t count, words;
  T smoothing;
  T input_area;
  BoxLoss kind;
  bool by_size;  // generation 2: small boxes weigh up to twice

  GHOST_HD T box_weight(int64_t i) const {
    return by_size ? 2 - boxes[i * 4 + 2] * boxes[i * 4 + 3] / input_area : T(1);
  }
  GHOST_HD Dual<T> box_loss(const MapView<T>& map, int64_t i) const {
    return yolo::box_loss(map.box(place[i], true), load_box(boxes + i * 4, 1 / map.stride), kind);
  }
  // Derivatives of the box loss by the four logits.
  GHOST_HD void box_slopes(const MapView<T>& map, int64_t i, T* slopes) const {
    const T* const t = map.data + map.offset(place[i]);
    const CentredBox<T> box = map.box(place[i], true);
    const Dual<T> loss = box_loss(map, i);
    for (int k = 0; k < 2; ++k) slopes[k] = loss.d[k] * sigmoid(t[k]) * sigmoid(-t[k]);
    slopes[2] = size_logit_clamped(t[2]) ? T(0) : loss.d[2] * box.w;
    slopes[3] = size_logit_clamped(t[3]) ? T(0) : loss.d[3] * box.h;
  }
  GHOST_HD T class_target(int64_t i, int64_t c, int64_t classes_count) const {
    const bool on = (static_cast<uint64_t>(classes[i * words + c / 64]) >> (c % 64) & 1) != 0;
    return (on ? 1 - smoothing : T(0)) + smoothing / static_cast<T>(classes_count);
  }
};

template <class T>
MapView<T> map_view(const YoloLossState& state, int map) {
  return map_view<T>(state.maps[static_cast<size_t>(map)], map, state.options.anchors);
}

template <class T>
TruthView<T> truth_view(const YoloLossState& state) {
  const YoloTargets& targets = state.targets;
  return {targets.truth.data<T>(), targets.truth_map.data<int32_t>(), targets.truth_first.data<int64_t>(),
          static_cast<T>(state.options.ignore_threshold), state.options.ignore_same_level};
}

template <class T>
MatchView<T> match_view(const YoloLossState& state, int map) {
  const YoloTargets& targets = state.targets;
  const int64_t first = targets.first_match[static_cast<size_t>(map)], words = targets.classes.dim(1);
  const Tensor& x = state.maps[0];
  return {targets.place.data<int64_t>() + first,
          targets.box.data<T>() + first * 4,
          targets.classes.data<int64_t>() + first * words,
          targets.matched(map),
          words,
          static_cast<T>(state.options.label_smoothing),
          static_cast<T>(x.dim(1) * x.dim(2) * 1024),
          state.options.box_loss,
          state.options.generation == 2};
}

inline Objectness objectness_of(const YoloLossOptions& options) {
  return {options.focal, options.focal_alpha, options.focal_gamma};
}

}  // namespace ghost::yolo
