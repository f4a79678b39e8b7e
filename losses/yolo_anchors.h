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
  const int64_t* first;  // of the map, and of the next one
  const int64_t* place;
  const T* boxes;
  const int64_t* classes;
  int64_t words;
  int64_t count;  // known after locate()
  T smoothing;
  T input_area;
  BoxLoss kind;
  bool by_size;  // generation 2: small boxes weigh up to twice

  // Goes to the map's own rows; once, where `first` can be read.
  GHOST_HD void locate() {
    place += first[0];
    boxes += first[0] * 4;
    classes += first[0] * words;
    count = first[1] - first[0];
  }
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

// Before locate().
template <class T>
MatchView<T> match_view(const YoloLossState& state, int map) {
  const YoloTargets& targets = state.targets;
  const Tensor& x = state.maps[0];
  return {targets.first.data<int64_t>() + map,
          targets.place.data<int64_t>(),
          targets.box.data<T>(),
          targets.classes.data<int64_t>(),
          targets.classes.dim(1),
          0,
          static_cast<T>(state.options.label_smoothing),
          static_cast<T>(x.dim(1) * x.dim(2) * 1024),
          state.options.box_loss,
          state.options.generation == 2};
}

inline Objectness objectness_of(const YoloLossOptions& options) {
  return {options.focal, options.focal_alpha, options.focal_gamma};
}

// How the maps' sums become a loss.
struct LossRule {
  bool means;                    // generation 3: over a map's matches; else over all maps'
  double box, classes, focal;    // means: their weights; focal: of objectness, else
  double objectness[kYoloMaps];  // means: its weight
  double anchors[kYoloMaps];

  // The loss; `factors` and `totals` (or null) as YoloLossState has them. totals[kTotalLoss] is the caller's.
  GHOST_HD double finish(const int64_t* first, const double* sums, double* factors, double* totals) const {
    double total = 0;
    for (int l = 0; l < kYoloMaps; ++l, sums += 4, factors += 3) {
      const double matches = static_cast<double>(first[l + 1] - first[l]), kept = sums[3];
      const double of_box = means ? box / at_least_one(matches) : whole(first);
      const double of_classes = means ? classes / at_least_one(matches) : of_box;
      const double weight = means ? objectness[l] : focal * of_box, share = means ? at_least_one(kept) : 1;
      const double terms[3] = {of_box * sums[0], of_classes * sums[1], weight * sums[2] / share};
      total += terms[0] + terms[1] + terms[2];
      factors[0] = of_box;
      factors[1] = of_classes;
      factors[2] = weight / share;
      if (totals == nullptr) continue;
      totals[kTotalBox] += terms[0];
      totals[kTotalClasses] += terms[1];
      totals[kTotalObjectness] += terms[2];
      totals[kTotalMatched + l] += matches;
      totals[kTotalIgnored] += anchors[l] - kept;
    }
    return total;
  }

 private:
  GHOST_HD static double at_least_one(double count) { return count > 1 ? count : 1; }
  GHOST_HD static double whole(const int64_t* first) {
    double count = 0;
    for (int l = 0; l < kYoloMaps; ++l) count += at_least_one(static_cast<double>(first[l + 1] - first[l]));
    return 1 / count;
  }
};

inline LossRule rule_of(const YoloLossState& state) {
  const YoloLossOptions& options = state.options;
  const double focal = options.focal ? options.focal_ratio : 1;
  LossRule rule{options.generation == 3, options.box_weight, options.class_weight / 80, focal, {}, {}};
  for (size_t l = 0; l < kYoloMaps; ++l) {
    const Tensor& x = state.maps[l];
    const auto stride = static_cast<double>(yolo_stride(static_cast<int>(l)));
    const double area = static_cast<double>(x.dim(1) * x.dim(2)) * stride * stride;
    rule.objectness[l] = options.balance[l] * options.object_weight * focal * area / (416.0 * 416.0);
    rule.anchors[l] = static_cast<double>(state.roles[l].numel());
  }
  return rule;
}

}  // namespace ghost::yolo
