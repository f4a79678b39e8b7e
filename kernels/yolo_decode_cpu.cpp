#include "core/parallel.h"
#include "kernels/yolo_box.h"
#include "kernels/yolo_candidates.h"

namespace ghost {
namespace {

// The candidates of anchor `a` of a map, appended.
template <class T>
void decode_anchor(const yolo::MapView<T>& map, int64_t a, int64_t place, const DecodeBoxesOptions& options,
                   std::vector<YoloCandidate>& candidates) {
  const T* const x = map.data + map.offset(a) + 4;
  const T objectness = yolo::sigmoid(x[0]), threshold = static_cast<T>(options.score_threshold);
  if (!(objectness >= threshold)) return;
  const auto offer = [&](int64_t label, T score) {
    if (!(score >= threshold)) return;
    const yolo::CentredBox<T> box = map.box(a, false);
    if (!yolo::is_finite(box)) return;
    const auto cx = static_cast<double>(box.x), cy = static_cast<double>(box.y);
    const double w = static_cast<double>(box.w) / 2, h = static_cast<double>(box.h) / 2;
    candidates.push_back({{cx - w, cy - h, cx + w, cy + h}, static_cast<double>(score), place, label});
  };
  if (options.multi_label) {
    for (int64_t c = 0; c < map.classes; ++c) offer(c, objectness * yolo::sigmoid(x[1 + c]));
    return;
  }
  int64_t best = 0;
  for (int64_t c = 1; c < map.classes; ++c)
    if (x[1 + c] > x[1 + best]) best = c;
  offer(best, objectness * yolo::sigmoid(x[1 + best]));
}

}  // namespace

cpu::YoloCandidates cpu::yolo_candidates(const std::vector<Tensor>& maps, const DecodeBoxesOptions& options) {
  YoloCandidates pictures(static_cast<size_t>(maps[0].dim(0)));
  visit_float(maps[0].dtype(), [&]<class T>(TypeTag<T>) {
    parallel_for(maps[0].dim(0), [&](int64_t image) {
      int64_t before = 0;  // anchors of the maps before
      for (int l = 0; l < kYoloMaps; ++l) {
        const auto map = yolo::map_view<T>(maps[static_cast<size_t>(l)], l, options.anchors);
        const int64_t count = map.h * map.w * kYoloAnchors;
        for (int64_t a = 0; a < count; ++a)
          decode_anchor(map, image * count + a, before + a, options, pictures[static_cast<size_t>(image)]);
        before += count;
      }
    });
  });
  return pictures;
}

}  // namespace ghost
