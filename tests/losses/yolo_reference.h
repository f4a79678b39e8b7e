// The YOLO loss by the book: every anchor of every map in turn, in double, without derivatives. Shares no code with
// losses/.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "losses/yolo_loss.h"

namespace ghost::test {

struct PlainBox {
  double x, y, w, h;
};

inline double plain_iou(const PlainBox& a, const PlainBox& b) {
  const double w = std::min(a.x + a.w / 2, b.x + b.w / 2) - std::max(a.x - a.w / 2, b.x - b.w / 2);
  const double h = std::min(a.y + a.h / 2, b.y + b.h / 2) - std::max(a.y - a.h / 2, b.y - b.h / 2);
  const double shared = std::max(w, 0.0) * std::max(h, 0.0);
  return shared / (a.w * a.h + b.w * b.h - shared);
}

inline double plain_box_loss(const PlainBox& a, const PlainBox& b, BoxLoss kind) {
  const double iou = plain_iou(a, b), dx = a.x - b.x, dy = a.y - b.y;
  const double hull_w = std::max(a.x + a.w / 2, b.x + b.w / 2) - std::min(a.x - a.w / 2, b.x - b.w / 2);
  const double hull_h = std::max(a.y + a.h / 2, b.y + b.h / 2) - std::min(a.y - a.h / 2, b.y - b.h / 2);
  const double diou = iou - (dx * dx + dy * dy) / (hull_w * hull_w + hull_h * hull_h);
  if (kind == BoxLoss::kDiou) return 1 - diou;
  if (kind == BoxLoss::kCiou) {
    const double pi = std::acos(-1), v = 4 / pi / pi * std::pow(std::atan(a.w / a.h) - std::atan(b.w / b.h), 2);
    return 1 - (diou - (v == 0 ? 0 : v / (1 - iou + v) * v));
  }
  if (kind == BoxLoss::kGiou) {
    const double both = (a.w * a.h + b.w * b.h) / (1 + iou);
    return 1 - (iou - (hull_w * hull_h - both) / (hull_w * hull_h));
  }
  // SIoU with the angle as the paper writes it.
  const double sigma = std::hypot(dx, dy), sine = std::min(std::fabs(dx), std::fabs(dy)) / sigma;
  const double gamma = 2 - std::cos(2 * std::asin(sine) - std::acos(-1) / 2);
  const double distance = 2 - std::exp(-gamma * std::pow(dx / hull_w, 2)) - std::exp(-gamma * std::pow(dy / hull_h, 2));
  const double shape = std::pow(1 - std::exp(-std::fabs(a.w - b.w) / std::max(a.w, b.w)), 4) +
                       std::pow(1 - std::exp(-std::fabs(a.h - b.h) / std::max(a.h, b.h)), 4);
  return 1 - (iou - (distance + shape) / 2);
}

struct PlainYolo {
  PlainYolo(const std::vector<Tensor>& maps, const DetectionTargets& targets, const YoloLossOptions& options)
      : options(options) {
    const std::vector<double> boxes = targets.boxes.to_vector(), first = targets.first.to_vector();
    const std::vector<double> labels = targets.labels.to_vector();
    double kept_matches = 0;
    for (size_t l = 0; l < 3; ++l) {
      values = maps[l].to_vector();
      h = maps[l].dim(1);
      w = maps[l].dim(2);
      box_sum = object_sum = class_sum = positives = kept = 0;
      for (int64_t image = 0; image < maps[l].dim(0); ++image) {
        truth.clear();
        classes.clear();
        for (auto i = static_cast<size_t>(first[static_cast<size_t>(image)]);
             i < static_cast<size_t>(first[static_cast<size_t>(image) + 1]); ++i) {
          if (boxes[4 * i + 2] <= 0 || boxes[4 * i + 3] <= 0) continue;
          truth.push_back({boxes[4 * i], boxes[4 * i + 1], boxes[4 * i + 2], boxes[4 * i + 3]});
          classes.push_back(static_cast<int64_t>(labels[i]));
        }
        for (int64_t a = 0; a < h * w * 3; ++a) visit(l, image, a);
      }
      const double c = static_cast<double>(options.num_classes), area = 1024.0 * maps[0].dim(1) * maps[0].dim(2);
      const bool means = options.generation == 3;
      box += box_sum * (means ? options.box_weight / std::max(positives, 1.0) : 1);
      objectness += object_sum * (options.focal ? options.focal_ratio : 1) *
                    (means ? options.balance[l] * options.object_weight * area / 173056 / std::max(kept, 1.0) : 1);
      class_loss += class_sum * (means ? options.class_weight * c / 80 / std::max(positives, 1.0) / c : 1);
      kept_matches += std::max(positives, 1.0);
      matched[l] = static_cast<int64_t>(positives);
    }
    if (options.generation == 2) {
      box /= kept_matches;
      objectness /= kept_matches;
      class_loss /= kept_matches;
    }
  }
  double loss() const { return box + objectness + class_loss; }

  double box = 0, objectness = 0, class_loss = 0;
  std::array<int64_t, 3> matched{};
  int64_t ignored = 0;

 private:
  // Where a box belongs: map, row, column, anchor of the nine.
  std::array<int64_t, 4> home(const PlainBox& box) const {
    double best = -1;
    int64_t anchor = 0;
    for (int64_t k = 0; k < 9; ++k) {
      const auto& [aw, ah] = options.anchors[static_cast<size_t>(k)];
      const double overlap = plain_iou({0, 0, box.w, box.h}, {0, 0, aw, ah});
      if (overlap > best) {
        best = overlap;
        anchor = k;
      }
    }
    const int64_t map = 2 - anchor / 3, cell = 32 >> map;
    const auto place = [&](double centre, int64_t cells) {
      return std::min(std::max(static_cast<int64_t>(centre / static_cast<double>(cell)), int64_t{0}), cells - 1);
    };
    return {map, place(box.y, h), place(box.x, w), anchor};
  }

  static double bce(double x, double target) {
    const double p = 1 / (1 + std::exp(-x));
    return -target * std::log(p) - (1 - target) * std::log(1 - p);
  }
  double object_loss(double x, bool on) const {
    const double p = 1 / (1 + std::exp(-x));
    const double weight = on ? options.focal_alpha * std::pow(1 - p, options.focal_gamma)
                             : (1 - options.focal_alpha) * std::pow(p, options.focal_gamma);
    return bce(x, on) * (options.focal ? weight : 1);
  }

  void visit(size_t l, int64_t image, int64_t a) {
    const int64_t row = a / 3 / w, column = a / 3 % w, k = a % 3, c = options.num_classes, cell = 32 >> l;
    const double* const t = values.data() + ((image * h + row) * w + column) * 3 * (5 + c) + k * (5 + c);
    const int64_t of_nine = (2 - static_cast<int64_t>(l)) * 3 + k;
    const auto& [aw, ah] = options.anchors[static_cast<size_t>(of_nine)];
    const double size = static_cast<double>(cell);
    const PlainBox box{(1 / (1 + std::exp(-t[0])) + static_cast<double>(column)) * size,
                       (1 / (1 + std::exp(-t[1])) + static_cast<double>(row)) * size, std::exp(t[2]) * aw,
                       std::exp(t[3]) * ah};
    const PlainBox* mine = nullptr;
    std::vector<double> wanted(static_cast<size_t>(c), options.label_smoothing / static_cast<double>(c));
    bool covered = false;
    for (size_t i = 0; i < truth.size(); ++i) {
      const std::array<int64_t, 4> at = home(truth[i]);
      if (plain_iou(box, truth[i]) >= options.ignore_threshold &&
          (!options.ignore_same_level || at[0] == static_cast<int64_t>(l)))
        covered = true;
      if (at != std::array<int64_t, 4>{static_cast<int64_t>(l), row, column, of_nine}) continue;
      mine = &truth[i];
      wanted[static_cast<size_t>(classes[i])] =
          1 - options.label_smoothing + options.label_smoothing / static_cast<double>(c);
    }
    if (mine == nullptr && covered) {
      ++ignored;
      return;
    }
    kept += 1;
    object_sum += object_loss(t[4], mine != nullptr);
    if (mine == nullptr) return;
    positives += 1;
    const double weight =
        options.generation == 2 ? 2 - mine->w * mine->h / (size * size * static_cast<double>(h * w)) : 1;
    box_sum += weight * plain_box_loss(box, *mine, options.box_loss);
    for (int64_t i = 0; i < c; ++i) class_sum += bce(t[5 + i], wanted[static_cast<size_t>(i)]);
  }

  const YoloLossOptions& options;
  std::vector<double> values;
  std::vector<PlainBox> truth;
  std::vector<int64_t> classes;
  int64_t h = 0, w = 0;
  double box_sum = 0, object_sum = 0, class_sum = 0, positives = 0, kept = 0;
};

}  // namespace ghost::test
