#include <algorithm>

#include "core/parallel.h"
#include "losses/yolo_anchors.h"

namespace ghost {
namespace {

constexpr int64_t kAnchors = 384, kMatches = 8;  // of a task

struct Sums {
  double first = 0, second = 0;
};

// Adds up what body(begin, end) returns for fixed chunks, in their order.
template <class Body>
Sums chunk_sums(int64_t count, int64_t chunk, const Body& body) {
  std::vector<Sums> parts(static_cast<size_t>((count + chunk - 1) / chunk));
  parallel_chunks(count, chunk,
                  [&](int64_t begin, int64_t end) { parts[static_cast<size_t>(begin / chunk)] = body(begin, end); });
  Sums sum;
  for (const Sums& part : parts) {
    sum.first += part.first;
    sum.second += part.second;
  }
  return sum;
}

// Loss of objectness and the number of anchors that have one. `roles` holds the matches, gets the ignored.
template <class T>
Sums objectness_sums(const YoloLossState& state, int map, const Tensor& roles) {
  const auto view = yolo::map_view<T>(state, map);
  const auto truth = yolo::truth_view<T>(state);
  const auto objectness = yolo::objectness_of(state.options);
  int32_t* const role = roles.data<int32_t>();
  return chunk_sums(roles.numel(), kAnchors, [&](int64_t begin, int64_t end) {
    Sums sum;
    for (int64_t a = begin; a < end; ++a) {
      if (role[a] < 0 && truth.covers(view, a)) role[a] = kYoloIgnored;
      if (role[a] == kYoloIgnored) continue;
      sum.first += static_cast<double>(objectness.loss(view.data[view.offset(a) + 4], role[a] >= 0));
      sum.second += 1;
    }
    return sum;
  });
}

template <class T>
yolo::MatchView<T> located(const YoloLossState& state, int map) {
  yolo::MatchView<T> matches = yolo::match_view<T>(state, map);
  matches.locate();
  return matches;
}

// Box and class losses.
template <class T>
Sums match_sums(const YoloLossState& state, int map) {
  const auto view = yolo::map_view<T>(state, map);
  const auto matches = located<T>(state, map);
  return chunk_sums(matches.count, kMatches, [&](int64_t begin, int64_t end) {
    Sums sum;
    for (int64_t i = begin; i < end; ++i) {
      sum.first += static_cast<double>(matches.box_weight(i) * matches.box_loss(view, i).value);
      const T* const x = view.data + view.offset(matches.place[i]) + 5;
      for (int64_t c = 0; c < view.classes; ++c)
        sum.second += static_cast<double>(yolo::cross_entropy(x[c], matches.class_target(i, c, view.classes)));
    }
    return sum;
  });
}

template <class T>
void map_gradient(const YoloLossState& state, int map, T dloss, const Tensor& dmap) {
  const auto view = yolo::map_view<T>(state, map);
  const auto matches = located<T>(state, map);
  const auto objectness = yolo::objectness_of(state.options);
  const Tensor& roles = state.roles[static_cast<size_t>(map)];
  const int32_t* const role = roles.data<int32_t>();
  const double* const factors = state.factors.data<double>() + static_cast<ptrdiff_t>(map) * 3;
  const T of_box = dloss * static_cast<T>(factors[0]), of_class = dloss * static_cast<T>(factors[1]);
  const T of_object = dloss * static_cast<T>(factors[2]);
  parallel_chunks(roles.numel(), kAnchors, [&](int64_t begin, int64_t end) {
    for (int64_t a = begin; a < end; ++a) {
      T* const dx = dmap.data<T>() + a / kYoloAnchors * dmap.pitch() + a % kYoloAnchors * (5 + view.classes);
      std::fill_n(dx, 5 + view.classes, T(0));
      if (role[a] == kYoloIgnored) continue;
      const T* const x = view.data + view.offset(a);
      dx[4] = of_object * objectness.slope(x[4], role[a] >= 0);
      if (role[a] < 0) continue;
      matches.box_slopes(view, role[a], dx);
      for (int i = 0; i < 4; ++i) dx[i] *= of_box * matches.box_weight(role[a]);
      for (int64_t c = 0; c < view.classes; ++c)
        dx[5 + c] = of_class * yolo::cross_entropy_slope(x[5 + c], matches.class_target(role[a], c, view.classes));
    }
  });
}

}  // namespace

void cpu::yolo_loss_forward(const YoloLossState& state, const Tensor& loss) {
  visit_float(loss.dtype(), [&]<class T>(TypeTag<T>) {
    for (int l = 0; l < kYoloMaps; ++l) {
      const Tensor& roles = state.roles[static_cast<size_t>(l)];
      roles.fill(kYoloNegative);
      const auto matches = located<T>(state, l);
      for (int64_t i = 0; i < matches.count; ++i) roles.data<int32_t>()[matches.place[i]] = static_cast<int32_t>(i);
      const Sums match = match_sums<T>(state, l), object = objectness_sums<T>(state, l, roles);
      double* const sums = state.sums.data<double>() + static_cast<ptrdiff_t>(l) * 4;
      sums[0] = match.first;
      sums[1] = match.second;
      sums[2] = object.first;
      sums[3] = object.second;
    }
    double* const totals = state.totals.defined() ? state.totals.data<double>() : nullptr;
    *loss.data<T>() = static_cast<T>(yolo::rule_of(state).finish(
        state.targets.first.data<int64_t>(), state.sums.data<double>(), state.factors.data<double>(), totals));
    if (totals) totals[kTotalLoss] += static_cast<double>(*loss.data<T>());
  });
}

void cpu::yolo_loss_backward(const YoloLossState& state, const Tensor& dloss, const std::vector<Tensor>& dmaps) {
  visit_float(dloss.dtype(), [&]<class T>(TypeTag<T>) {
    for (int l = 0; l < kYoloMaps; ++l)
      if (dmaps[static_cast<size_t>(l)].defined())
        map_gradient<T>(state, l, *dloss.data<T>(), dmaps[static_cast<size_t>(l)]);
  });
}

}  // namespace ghost
