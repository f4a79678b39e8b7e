// Matches are few: their kernels count as reading and writing the anchors' numbers once.
#include "core/launch.h"
#include "core/meta.h"
#include "losses/yolo_loss_kernels.h"

namespace ghost::meta {
namespace {

constexpr int64_t kFloat = 4, kNumbers = 5;  // an anchor's box and objectness

int64_t matches_of(const YoloLossState& state, int l) { return state.targets.matched[static_cast<size_t>(l)]; }

int64_t match_bytes(const YoloLossState& state, int l) {
  return matches_of(state, l) * (kNumbers + state.options.num_classes) * kFloat;
}

void map_sums(const YoloLossState& state, int l) {
  const Tensor& roles = state.roles[static_cast<size_t>(l)];
  const TensorOptions floats = state.maps[0].options();
  const int64_t matches = matches_of(state, l), room = state.targets.place.numel();
  const Tensor partials({yolo_sum_blocks(roles.numel()), 2}, floats), losses({room, 2}, floats);
  roles.fill(kYoloNegative);
  if (room > 0) {
    kernel("yolo_roles_kernel", matches * static_cast<int64_t>(sizeof(int64_t) + sizeof(int32_t)));
    kernel("yolo_matches_kernel", match_bytes(state, l) + matches * 2 * kFloat);
  }
  kernel("yolo_objectness_kernel",
         bytes_of({roles, state.targets.truth, state.targets.truth_map, partials}) + roles.numel() * kNumbers * kFloat);
  kernel("yolo_map_sums_kernel", matches * 2 * kFloat + bytes_of({partials, state.sums.rows(l, 1)}));
}

}  // namespace

void yolo_loss_forward(const YoloLossState& state, const Tensor& loss) {
  for (int l = 0; l < kYoloMaps; ++l) map_sums(state, l);
  kernel("yolo_total_kernel", {state.sums, state.factors, state.totals, loss});
}

void yolo_loss_backward(const YoloLossState& state, const Tensor& dloss, const std::vector<Tensor>& dmaps) {
  for (int l = 0; l < kYoloMaps; ++l) {
    const Tensor &dmap = dmaps[static_cast<size_t>(l)], &roles = state.roles[static_cast<size_t>(l)];
    if (!dmap.defined() || dmap.empty()) continue;
    kernel("yolo_background_gradient_kernel", bytes_of({roles, dloss, dmap}) + roles.numel() * kFloat);
    if (state.targets.place.numel() > 0) kernel("yolo_match_gradient_kernel", 2 * match_bytes(state, l));
  }
}

}  // namespace ghost::meta
