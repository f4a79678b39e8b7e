// How a depthwise convolution is cut into tasks on the CPU, shared by its forward and backward code.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/channel_strips.h"
#include "kernels/depthwise_conv2d.h"

namespace ghost::cpu {

// Sizes of one problem with multiplier 1, and its tasks: (image, band of output rows, group of channels). The cut
// depends on the problem alone.
struct DepthwiseShape {
  static constexpr int64_t kWantedTasks = 16;
  static constexpr int64_t kLeastGroup = 64;
  static constexpr int64_t kRowElements = 64 << 10;  // of the kh rows that a task keeps, so that they stay in cache
  static constexpr int64_t kLanePad = 16;            // no vector is longer, in elements

  DepthwiseShape(const Shape& x, const Shape& weight, const Conv2dProblem& problem, const Shape& z)
      : n(x[0]),
        h(x[1]),
        w(x[2]),
        c(x[3]),
        oh(z[1]),
        ow(z[2]),
        kh(weight[2]),
        kw(weight[3]),
        stride(problem.stride),
        top(problem.padding.top),
        left(problem.padding.left) {
    // As many channels as fit, since memory likes long runs; fewer where there are too few images for all threads.
    const int64_t fitting = kRowElements / std::max<int64_t>(kh * w, 1);
    const int64_t sharing = c * std::max<int64_t>(n, 1) / kWantedTasks;
    group = std::max(std::min(fitting, sharing) / kLeastGroup, int64_t{1}) * kLeastGroup;
    groups = (c + group - 1) / group;
    const int64_t units = std::max<int64_t>(n * groups, 1);
    const int64_t wanted = (kWantedTasks + units - 1) / units;
    band = std::max<int64_t>(8, (oh + wanted - 1) / wanted);
    bands = (oh + band - 1) / band;
  }
  int64_t taps() const { return kh * kw; }
  int64_t tasks() const { return parts() * groups; }
  int64_t parts() const { return n * bands; }  // tasks that share a channel
  int64_t weight_pitch() const { return (c + kLanePad - 1) / kLanePad * kLanePad + kLanePad; }

  int64_t n, h, w, c, oh, ow, kh, kw, stride, top, left;
  int64_t group, groups, band, bands;
};

struct DepthwiseTask {
  DepthwiseTask(const DepthwiseShape& shape, int64_t task)
      : part(task / shape.groups),
        image(part / shape.bands),
        channel_begin(task % shape.groups * shape.group),
        channel_end(std::min(channel_begin + shape.group, shape.c)),
        row_begin(part % shape.bands * shape.band),
        row_end(std::min(row_begin + shape.band, shape.oh)) {}
  int64_t part, image, channel_begin, channel_end, row_begin, row_end;
};

// The order of taps for the forward pass: as in the weight.
inline std::vector<int64_t> taps_in_order(const DepthwiseShape& shape) {
  std::vector<int64_t> order;
  for (int64_t tap = 0; tap < shape.taps(); ++tap) order.push_back(tap);
  return order;
}

// For the input gradient, kernel row by kernel row: the taps that meet the same phase of input columns side by side,
// last one first, so that a phase's columns read neighbouring columns of dz in ascending order.
inline std::vector<int64_t> taps_by_phase(const DepthwiseShape& shape) {
  std::vector<int64_t> order;
  for (int64_t r = 0; r < shape.kh; ++r)
    for (int64_t phase = 0; phase < std::min(shape.stride, shape.kw); ++phase)
      for (int64_t s = phase + (shape.kw - 1 - phase) / shape.stride * shape.stride; s >= phase; s -= shape.stride)
        order.push_back(r * shape.kw + s);
  return order;
}

// Weight {c, 1, kh, kw} with channels innermost: element [position * weight_pitch + channel], 0 past c.
// order[position]: a tap.
template <class T>
std::vector<T> pack_taps(const Tensor& weight, const DepthwiseShape& shape, const std::vector<int64_t>& order) {
  const T* source = weight.data<T>();
  const int64_t pitch = shape.weight_pitch(), taps = shape.taps();
  std::vector<T> packed(static_cast<size_t>(taps * pitch), T(0));
  for (int64_t position = 0; position < taps; ++position)
    for (int64_t channel = 0; channel < shape.c; ++channel)
      packed[static_cast<size_t>(position * pitch + channel)] =
          source[channel * taps + order[static_cast<size_t>(position)]];
  return packed;
}

// Multiplier > 1: x with its epilogue applied and each channel repeated `multiplier` times, which makes it
// multiplier 1.
Tensor repeat_each_channel(const Tensor& x, const Epilogue& x_epilogue, int64_t multiplier);
// The way back: dx[c] (+)= sum over the channels of `repeated` that came from c.
void sum_each_channel(const Tensor& repeated, int64_t multiplier, const Tensor& dx, bool accumulate);

}  // namespace ghost::cpu
