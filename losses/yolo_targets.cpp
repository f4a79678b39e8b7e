#include "losses/yolo_targets.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace ghost {
namespace {

struct Match {
  std::array<float, 4> box{};
  std::vector<int64_t> classes;  // bits
};

struct Truth {
  std::vector<float> boxes;
  std::vector<int32_t> maps;
  std::vector<int64_t> first{0};
};

// Widths and heights laid corner on corner.
double size_overlap(double w, double h, const Anchor& anchor) {
  const double shared = std::min(w, anchor[0]) * std::min(h, anchor[1]);
  return shared / (w * h + anchor[0] * anchor[1] - shared);
}

size_t best_anchor(double w, double h, const std::vector<Anchor>& anchors) {
  size_t best = 0;
  for (size_t i = 1; i < anchors.size(); ++i)
    if (size_overlap(w, h, anchors[i]) > size_overlap(w, h, anchors[best])) best = i;
  return best;
}

int64_t cell(float centre, int64_t stride, int64_t cells) {
  // Clamped as a float first: far outside, the quotient fits no integer.
  const double place = std::clamp(std::floor(static_cast<double>(centre) / static_cast<double>(stride)), 0.0,
                                  static_cast<double>(cells - 1));
  return static_cast<int64_t>(place);
}

void check_box(const float* box, int64_t label, int64_t index, int64_t classes) {
  for (int i = 0; i < 4; ++i)
    GHOST_CHECK_AS(kData, std::isfinite(box[i]), "yolo_loss: boxes[", index, "] is (", box[0], ", ", box[1], ", ",
                   box[2], ", ", box[3], "), it must be finite");
  GHOST_CHECK_AS(kData, label >= 0 && label < classes, "yolo_loss: labels[", index, "] is ", label,
                 ", it must lie in [0, ", classes, "). Check the class count of the model against the data set.");
}

using Matches = std::array<std::map<int64_t, Match>, kYoloMaps>;

void match_box(const float* box, int64_t label, int64_t image, const YoloGrid& grid, const YoloLossOptions& loss,
               Matches& matches, Truth& truth) {
  const size_t anchor = best_anchor(static_cast<double>(box[2]), static_cast<double>(box[3]), loss.anchors);
  const auto map = static_cast<size_t>(kYoloMaps - 1) - anchor / kYoloAnchors;
  const int64_t h = grid.h[map], w = grid.w[map], stride = yolo_stride(static_cast<int>(map));
  truth.boxes.insert(truth.boxes.end(), box, box + 4);
  truth.maps.push_back(static_cast<int32_t>(map));
  const int64_t place = ((image * h + cell(box[1], stride, h)) * w + cell(box[0], stride, w)) * kYoloAnchors +
                        static_cast<int64_t>(anchor % kYoloAnchors);
  Match& match = matches[map][place];
  std::copy(box, box + 4, match.box.begin());
  match.classes.resize(static_cast<size_t>((loss.num_classes + 63) / 64));
  auto& word = match.classes[static_cast<size_t>(label / 64)];
  word = static_cast<int64_t>(static_cast<uint64_t>(word) | uint64_t{1} << (label % 64));
}

void check_targets(const DetectionTargets& targets, int64_t images) {
  const Tensor &boxes = targets.boxes, &labels = targets.labels, &first = targets.first;
  GHOST_CHECK(first.dtype() == DType::kInt64 && first.shape() == Shape{images + 1} && first.device().is_cpu(),
              "yolo_loss: targets.first is ", first.dtype(), ' ', first.shape(), " on ", first.device(), "; ", images,
              " pictures need int64 [", images + 1, "] on the CPU");
  GHOST_CHECK(labels.dtype() == DType::kInt64 && labels.rank() == 1 && labels.device().is_cpu(),
              "yolo_loss: targets.labels is ", labels.dtype(), ' ', labels.shape(),
              ", it must be int64 [m] on the CPU");
  const int64_t m = labels.dim(0);
  GHOST_CHECK(boxes.dtype() == DType::kFloat32 && boxes.shape() == (Shape{m, 4}) && boxes.device().is_cpu() &&
                  boxes.contiguous(),
              "yolo_loss: targets.boxes is ", boxes.dtype(), ' ', boxes.shape(), "; ", m,
              " labels need dense float32 [", m, ", 4] on the CPU");
  const int64_t* const at = first.data<int64_t>();
  GHOST_CHECK(at[0] == 0 && at[images] == m, "yolo_loss: targets.first goes from ", at[0], " to ", at[images],
              ", it must go from 0 to the number of boxes, ", m);
  for (int64_t i = 0; i < images; ++i)
    GHOST_CHECK(at[i] <= at[i + 1], "yolo_loss: targets.first falls from ", at[i], " to ", at[i + 1], " at picture ",
                i);
}

// {rows, columns} for `values`, of which there may be fewer rows.
template <class T>
Tensor rows_of(const std::vector<T>& values, int64_t rows, int64_t columns) {
  Tensor result({rows, columns}, {dtype_of<T>, Device::cpu()});
  std::copy(values.begin(), values.end(), result.data<T>());
  return result;
}

YoloTargets to_tensors(const Matches& matches, const Truth& truth, int64_t words, const TensorOptions& options,
                       int64_t room) {
  YoloTargets result;
  std::vector<int64_t> places, classes, first_match{0};
  std::vector<float> boxes;
  for (size_t map = 0; map < kYoloMaps; ++map) {
    for (const auto& [place, match] : matches[map]) {
      places.push_back(place);
      boxes.insert(boxes.end(), match.box.begin(), match.box.end());
      classes.insert(classes.end(), match.classes.begin(), match.classes.end());
    }
    first_match.push_back(static_cast<int64_t>(places.size()));
    result.matched[map] = first_match[map + 1] - first_match[map];
  }
  const int64_t m = std::max(static_cast<int64_t>(places.size()), room);
  const int64_t k = std::max(static_cast<int64_t>(truth.maps.size()), room);
  const Device device = options.device;
  result.first = Tensor::from(first_match, {kYoloMaps + 1}).to(device);
  result.place = rows_of(places, m, 1).reshape({m}).to(device);
  result.box = rows_of(boxes, m, 4).to(options.dtype).to(device);
  result.classes = rows_of(classes, m, words).to(device);
  result.truth = rows_of(truth.boxes, k, 4).to(options.dtype).to(device);
  result.truth_map = rows_of(truth.maps, k, 1).reshape({k}).to(device);
  result.truth_first = Tensor::from(truth.first, {static_cast<int64_t>(truth.first.size())}).to(device);
  return result;
}

}  // namespace

std::vector<Tensor> YoloTargets::tensors() const { return {first, place, box, classes, truth, truth_map, truth_first}; }

YoloTargets YoloTargets::with(const std::vector<Tensor>& t) const {
  return {t[0], t[1], t[2], t[3], t[4], t[5], t[6], matched};
}

YoloGrid yolo_grid(const Shape& images) {
  YoloGrid grid{images[0], {}, {}};
  for (int map = 0; map < kYoloMaps; ++map) {
    grid.h[static_cast<size_t>(map)] = images[1] / yolo_stride(map);
    grid.w[static_cast<size_t>(map)] = images[2] / yolo_stride(map);
  }
  return grid;
}

YoloTargets assign_yolo_targets(const DetectionTargets& targets, const YoloGrid& grid, const YoloLossOptions& loss,
                                const TensorOptions& options, int64_t room) {
  check_targets(targets, grid.images);
  Matches matches;
  Truth truth;
  const int64_t* const first = targets.first.data<int64_t>();
  for (int64_t image = 0; image < grid.images; ++image) {
    for (int64_t i = first[image]; i < first[image + 1]; ++i) {
      const float* const box = targets.boxes.data<float>() + i * 4;
      const int64_t label = targets.labels.data<int64_t>()[i];
      check_box(box, label, i, loss.num_classes);
      if (box[2] > 0 && box[3] > 0) match_box(box, label, image, grid, loss, matches, truth);
    }
    truth.first.push_back(static_cast<int64_t>(truth.maps.size()));
  }
  return to_tensors(matches, truth, (loss.num_classes + 63) / 64, options, room);
}

}  // namespace ghost
