// Depthwise convolution on the CPU, forward. A task walks down a band of output rows: it loads each input row once,
// with its epilogue applied, into a ring of as many rows as the kernel is high, then writes the output row and adds it
// to the moments.
#include "core/parallel.h"
#include "kernels/channel_moments.h"
#include "kernels/depthwise_conv2d_rows.h"
#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/depthwise_conv2d_forward_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/depthwise_conv2d_rows-inl.h"

#ifndef GHOST_DEPTHWISE_FORWARD_ARGUMENTS
#define GHOST_DEPTHWISE_FORWARD_ARGUMENTS
namespace ghost::cpu {

template <class T>
struct DepthwiseForward {
  DepthwiseShape shape;
  MapView<const T> x;
  EpilogueView<T> epilogue;
  const T* taps;  // pack_taps
  const T* bias;
  MapView<T> z;
  MomentTiles<T>* moments;  // null: not wanted
};

}  // namespace ghost::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {

// Mean and squared deviations of one strip over the rows seen so far (Chan et al., 1983). Sums are taken around the
// mean so far, or around one of the first row's own values, so they do not cancel.
template <class D>
struct StripMoments {
  using V = hn::Vec<D>;
  using T = hn::TFromD<D>;
  HWY_INLINE StripMoments(D tag, V around) : d(tag), pivot(around), sum(hn::Zero(tag)), squares(hn::Zero(tag)) {}
  HWY_INLINE void add(V value) {
    const V deviation = hn::Sub(value, pivot);
    sum = hn::Add(sum, deviation);
    squares = hn::MulAdd(deviation, deviation, squares);
  }
  // Joins `count` values added since with `before` values of which mean and m2 tell.
  HWY_INLINE void join(int64_t count, int64_t before, T* mean, T* m2) const {
    const double n = static_cast<double>(count), all = static_cast<double>(count + before);
    const V shift = hn::Mul(sum, constant(d, 1 / n));
    const V own = hn::Max(hn::Zero(d), hn::NegMulAdd(sum, shift, squares)), own_mean = hn::Add(pivot, shift);
    if (before == 0) {
      hn::Store(own_mean, d, mean);
      hn::Store(own, d, m2);
      return;
    }
    const V old = hn::Load(d, mean), delta = hn::Sub(own_mean, old);
    hn::Store(hn::MulAdd(delta, constant(d, n / all), old), d, mean);
    const V between = hn::Mul(hn::Mul(delta, delta), constant(d, n * static_cast<double>(before) / all));
    hn::Store(hn::Add(hn::Add(hn::Load(d, m2), own), between), d, m2);
  }
  D d;
  V pivot, sum, squares;
};

template <class D>
struct PutOutput {
  HWY_INLINE void operator()(int64_t column, hn::Vec<D> sum) const { strip.store(sum, z + column * pitch); }
  Strip<D> strip;
  hn::TFromD<D>* z;
  int64_t pitch;
};

template <class D>
struct PutCounted {
  HWY_INLINE void operator()(int64_t column, hn::Vec<D> sum) {
    output(column, sum);
    moments.add(sum);
  }
  PutOutput<D> output;
  StripMoments<D> moments;
};

template <class T>
struct ForwardTask {
  static constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<T>()));

  ForwardTask(const cpu::DepthwiseForward<T>& job, int64_t index)
      : job(job),
        shape(job.shape),
        task(shape, index),
        strips((task.channel_end - task.channel_begin + kLanes - 1) / kLanes) {
    const int64_t columns = std::max(shape.left + shape.w, (shape.ow - 1) * shape.stride + shape.kw);
    const int64_t ring_elements = strips * shape.kh * columns * kLanes, zero_elements = columns * kLanes;
    T* memory = scratch<T>(0, ring_elements + zero_elements + 2 * strips * kLanes);
    ring = {memory, shape.kh, columns, shape.left, kLanes, 0};
    ring.clear(strips);
    zeros = std::fill_n(memory + ring_elements, zero_elements, T(0)) - zero_elements;
    means = zeros + zero_elements;
    squares = means + strips * kLanes;
    rows.resize(static_cast<size_t>(shape.kh));
  }

  void run() {
    ring.next = std::max<int64_t>(0, task.row_begin * shape.stride - shape.top);
    for (int64_t row = task.row_begin; row < task.row_end; ++row) {
      const int64_t above = row * shape.stride - shape.top;
      load_rows(std::max(ring.next, above), std::min(above + shape.kh, shape.h));
      for_each_strip<T>(task.channel_begin, task.channel_end,
                        [&](const auto& strip) HWY_ATTR { write_row(strip, row, above); });
    }
    if (job.moments)
      job.moments->set(task.image * shape.bands + task.band, task.channel_begin, task.channel_end, means, squares,
                       (task.row_end - task.row_begin) * shape.ow);
  }

  HWY_INLINE void load_rows(int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y) {
      const T* from = job.x.row(task.image, y);
      for_each_strip<T>(task.channel_begin, task.channel_end, [&](const auto& strip) HWY_ATTR {
        load_epilogue_row(strip, job.epilogue, task.image, from, job.x.pitch, shape.w,
                          ring.row(strip.index, y, static_cast<int64_t>(hn::Lanes(strip.d))));
      });
    }
    ring.next = std::max(ring.next, end);
  }

  template <class D>
  HWY_INLINE void write_row(const Strip<D>& strip, int64_t row, int64_t above) {
    const D d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), tap_pitch = shape.weight_pitch();
    for (int64_t r = 0; r < shape.kh; ++r) {
      const bool inside = above + r >= 0 && above + r < shape.h;
      rows[static_cast<size_t>(r)] = {inside ? ring.row(strip.index, above + r, lanes) - shape.left * lanes : zeros,
                                      job.taps + r * shape.kw * tap_pitch + strip.begin};
    }
    const auto bias = strip.channels(job.bias, 0);
    T* const z = job.z.row(task.image, row) + strip.begin;
    const StencilSize size{shape.kh, shape.kw, shape.stride, tap_pitch};
    T *const mean = means + strip.index * kLanes, *const m2 = squares + strip.index * kLanes;
    visit_stencil(shape.kw, shape.stride, [&](auto kw, auto stride) HWY_ATTR {
      if (!job.moments) {
        stencil_row<kw, stride>(d, rows.data(), size, shape.ow, bias, PutOutput<D>{strip, z, job.z.pitch});
        return;
      }
      hn::Vec<D> pivot = bias;
      if (row == task.row_begin)
        stencil_block<kw, stride, 1>(d, rows.data(), size, shape.ow / 2, &pivot);
      else
        pivot = hn::Load(d, mean);
      const PutCounted<D> start{{strip, z, job.z.pitch}, StripMoments<D>(d, pivot)};
      const PutCounted<D> done = stencil_row<kw, stride>(d, rows.data(), size, shape.ow, bias, start);
      done.moments.join(shape.ow, (row - task.row_begin) * shape.ow, mean, m2);
    });
  }

  const cpu::DepthwiseForward<T>& job;
  const cpu::DepthwiseShape& shape;
  const cpu::DepthwiseTask task;
  const int64_t strips;
  RowRing<T> ring;
  T *zeros, *means, *squares;
  std::vector<StencilRow<T>> rows;
};

void depthwise_forward_task_float(const cpu::DepthwiseForward<float>& job, int64_t task) {
  ForwardTask<float>(job, task).run();
}
void depthwise_forward_task_double(const cpu::DepthwiseForward<double>& job, int64_t task) {
  ForwardTask<double>(job, task).run();
}

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ghost {

HWY_EXPORT(depthwise_forward_task_float);
HWY_EXPORT(depthwise_forward_task_double);

namespace {

void run_task(const cpu::DepthwiseForward<float>& job, int64_t task) {
  HWY_DYNAMIC_DISPATCH(depthwise_forward_task_float)(job, task);
}
void run_task(const cpu::DepthwiseForward<double>& job, int64_t task) {
  HWY_DYNAMIC_DISPATCH(depthwise_forward_task_double)(job, task);
}

template <class T>
void forward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const Tensor& bias,
             const Conv2dProblem& problem, const Tensor& z, const ChannelMoments* moments) {
  const cpu::DepthwiseShape shape(x.shape(), weight.shape(), problem, z.shape());
  cpu::MomentTiles<T> tiles(moments ? shape.n * shape.bands : 0, shape.c);
  if (!z.empty()) {
    const std::vector<T> taps = cpu::pack_taps<T>(weight, shape, cpu::taps_in_order(shape));
    const cpu::DepthwiseForward<T> job{shape,
                                       cpu::MapView<const T>(x),
                                       cpu::EpilogueView<T>(x_epilogue),
                                       taps.data(),
                                       cpu::data_or_null<const T>(bias),
                                       cpu::MapView<T>(z),
                                       moments ? &tiles : nullptr};
    parallel_for(shape.tasks(), [&](int64_t task) { run_task(job, task); });
  }
  if (moments) tiles.combine(*moments);
}

}  // namespace

void cpu::depthwise_conv2d_forward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight,
                                   const Tensor& bias, const Conv2dProblem& problem, const Tensor& z,
                                   const ChannelMoments* moments) {
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    const int64_t multiplier = weight.dim(0) / std::max<int64_t>(x.channels(), 1);
    if (multiplier == 1) return forward<T>(x, x_epilogue, weight, bias, problem, z, moments);
    const Tensor repeated = repeat_each_channel(x, x_epilogue, multiplier);
    forward<T>(repeated, {}, weight, bias, problem, z, moments);
  });
}

}  // namespace ghost
#endif  // HWY_ONCE
