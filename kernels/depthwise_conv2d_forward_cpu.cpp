// Depthwise convolution on the CPU, forward. A task walks down a band of output rows: it loads each input row once,
// with its epilogue applied, into a ring of as many rows as the kernel is high, then writes the output row and adds it
// to the moments.
#include "core/parallel.h"
#include "core/simd_targets.h"
#include "kernels/channel_moments.h"
#include "kernels/depthwise_conv2d_rows.h"
#include "kernels/widened.h"

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

// Mean and squared deviations of one strip. The sums are taken around `pivot`, which is first one of the values and,
// from the second row on, the first row's mean: then the mean's distance to the pivot is at most the square root of the
// number of rows times the standard deviation, so nothing cancels.
template <class V>
struct StripMoments {
  HWY_INLINE void add(V value) {
    const V deviation = hn::Sub(value, pivot);
    sum = hn::Add(sum, deviation);
    squares = hn::MulAdd(deviation, deviation, squares);
  }
  V pivot, sum, squares;
};

// The moments of a task's strips, in memory.
template <class T>
struct TaskMoments {
  static int64_t elements(int64_t strips) { return 3 * strips * kStripLanes<T>; }
  TaskMoments(T* memory, int64_t strips)
      : pivots(memory), sums(pivots + strips * kStripLanes<T>), squares(sums + strips * kStripLanes<T>) {
    std::fill_n(memory, elements(strips), T(0));
  }
  template <class D>
  HWY_INLINE void add(D d, int64_t index, const StripMoments<hn::Vec<D>>& part) const {
    T *const sum = sums + index * kStripLanes<T>, *const square = squares + index * kStripLanes<T>;
    hn::Store(hn::Add(hn::Load(d, sum), part.sum), d, sum);
    hn::Store(hn::Add(hn::Load(d, square), part.squares), d, square);
  }
  // Makes the mean of the `count` values so far the pivot.
  template <class D>
  HWY_INLINE void recenter(D d, int64_t index, int64_t count) const {
    T *const pivot = pivots + index * kStripLanes<T>, *const sum = sums + index * kStripLanes<T>;
    T* const square = squares + index * kStripLanes<T>;
    const auto total = hn::Load(d, sum), shift = hn::Mul(total, constant(d, 1 / static_cast<double>(count)));
    hn::Store(at_least(hn::Zero(d), hn::NegMulAdd(total, shift, hn::Load(d, square))), d, square);
    hn::Store(hn::Add(hn::Load(d, pivot), shift), d, pivot);
    hn::Store(hn::Zero(d), d, sum);
  }
  T *pivots, *sums, *squares;
};

template <int kStride, class D, bool kWhole>
struct PutOutput {
  using T = hn::TFromD<D>;
  HWY_INLINE void operator()(int64_t column, hn::Vec<D> sum) const {
    strip.store(sum, z + column * pitch);
    hwy::Prefetch(next_z + column * pitch);
    unrolled<kStride * kStride>([&](auto i) GHOST_UNROLLED {
      hwy::Prefetch(next_x + (i / kStride) * x_row + (column * kStride + i % kStride) * x_pitch);
    });
  }
  Strip<D, kWhole> strip;
  T* z;
  int64_t pitch;
  // What the next row will read and write is fetched meanwhile, a little with each output: memory works while the
  // stencil computes.
  const T *next_z, *next_x;
  int64_t x_row, x_pitch;
};

template <int kStride, class D, bool kWhole>
struct PutCounted {
  HWY_INLINE void operator()(int64_t column, hn::Vec<D> sum) {
    output(column, sum);
    moments.add(sum);
  }
  PutOutput<kStride, D, kWhole> output;
  StripMoments<hn::Vec<D>> moments;
};

template <class T>
struct ForwardTask {
  ForwardTask(const cpu::DepthwiseForward<T>& job, int64_t index)
      : job(job),
        shape(job.shape),
        task(shape, index),
        strips((task.channel_end - task.channel_begin + kStripLanes<T> - 1) / kStripLanes<T>),
        ring{nullptr, shape.kh, (shape.ow - 1) * shape.stride + shape.kw, -shape.left},
        memory(scratch<T>(0, ring.elements(strips) + TaskMoments<T>::elements(strips))),
        moments(memory + ring.elements(strips), strips) {
    ring.data = memory;
    std::fill_n(memory, ring.elements(strips), T(0));
    rows.resize(static_cast<size_t>(shape.kh));
  }

  void run() {
    ring.next = std::max<int64_t>(0, task.row_begin * shape.stride - shape.top);
    for (int64_t row = task.row_begin; row < task.row_end; ++row) {
      const int64_t above = row * shape.stride - shape.top;
      load_rows(std::max(ring.next, above), std::min(above + shape.kh, shape.h));
      write_row(row, above);
      if (job.moments && row == task.row_begin) recenter(shape.ow);
    }
    if (!job.moments) return;
    const int64_t count = (task.row_end - task.row_begin) * shape.ow;
    recenter(count);
    job.moments->set(task.part, task.channel_begin, task.channel_end, moments.pivots, moments.squares, count);
  }

  template <class Body>
  HWY_INLINE void each_strip(const Body& body) const {
    for_each_strip<T>(task.channel_begin, task.channel_end, body);
  }

  void recenter(int64_t count) const {
    each_strip([&](const auto& strip) HWY_ATTR { moments.recenter(strip.d, strip.index, count); });
  }

  void load_rows(int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y) {
      const T* const from = job.x.row(task.image, y);
      ring.fill(task, y, shape.w, [&](const auto& strip, int64_t column, int64_t count, T* to) HWY_ATTR {
        load_epilogue(strip, job.epilogue, task.image, from + column * job.x.pitch, job.x.pitch, count, to);
      });
    }
    ring.next = std::max(ring.next, end);
  }

  void write_row(int64_t row, int64_t above) {
    const Stencil<T> stencil{rows.data(),         shape.kh, shape.kw, shape.stride, 0, ring.strip_pitch(),
                             shape.weight_pitch()};
    for (int64_t r = 0; r < shape.kh; ++r) {
      const bool inside = above + r >= 0 && above + r < shape.h;
      rows[static_cast<size_t>(r)] = {inside ? ring.row(above + r) : ring.zero_row(),
                                      job.taps + r * shape.kw * shape.weight_pitch() + task.channel_begin};
    }
    T* const z = job.z.row(task.image, row);
    const T* const next_z = z + (row + 1 < shape.oh ? shape.ow * job.z.pitch : 0);
    const T* const next_x = job.x.row(task.image, std::clamp<int64_t>(above + shape.kh, 0, shape.h - 1));
    visit_stencil<T>(shape.kw, shape.stride, [&](auto kw, auto stride) HWY_ATTR {
      if (job.moments && row == task.row_begin) choose_pivots<kw, stride>(stencil);
      each_strip([&](const auto& strip) HWY_ATTR { write_columns<kw, stride>(strip, stencil, z, next_z, next_x); });
    });
  }

  template <int kWidth, int kStride>
  HWY_INLINE void choose_pivots(const Stencil<T>& stencil) const {
    each_strip([&](const auto& strip) HWY_ATTR {
      auto pivot = strip.channels(job.bias, 0);
      stencil_block<kWidth, kStride, 1>(strip, stencil, shape.ow / 2, &pivot);
      hn::Store(pivot, strip.d, moments.pivots + strip.index * kStripLanes<T>);
    });
  }

  template <int kWidth, int kStride, class D, bool kWhole>
  HWY_INLINE void write_columns(const Strip<D, kWhole>& strip, const Stencil<T>& stencil, T* z, const T* next_z,
                                const T* next_x) const {
    const D d;
    const auto bias = strip.channels(job.bias, 0), zero = hn::Zero(d);
    const PutOutput<kStride, D, kWhole> output{
        strip,      z + strip.begin, job.z.pitch, next_z + strip.begin, next_x + strip.begin, shape.w * job.x.pitch,
        job.x.pitch};
    if (!job.moments) {
      put_columns<kWidth, kStride>(strip, stencil, 0, shape.ow, bias, output);
      return;
    }
    const auto pivot = hn::Load(d, moments.pivots + strip.index * kStripLanes<T>);
    const PutCounted<kStride, D, kWhole> start{output, {pivot, zero, zero}};
    const auto done = put_columns<kWidth, kStride>(strip, stencil, 0, shape.ow, bias, start);
    moments.add(d, strip.index, done.moments);
  }

  const cpu::DepthwiseForward<T>& job;
  const cpu::DepthwiseShape& shape;
  const cpu::DepthwiseTask task;
  const int64_t strips;
  RowRing<T> ring;
  T* const memory;
  const TaskMoments<T> moments;
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
  cpu::MomentTiles<T> tiles(moments ? shape.parts() : 0, shape.c);
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
  if (is_half(x.dtype())) {
    {
      Widened half;
      depthwise_conv2d_forward(half.read(x), x_epilogue, weight, bias, problem, half.write(z), nullptr);
    }
    if (moments) batch_norm_moments(z, *moments);
    return;
  }
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    const int64_t multiplier = weight.dim(0) / std::max<int64_t>(x.channels(), 1);
    if (multiplier == 1) return forward<T>(x, x_epilogue, weight, bias, problem, z, moments);
    const Tensor repeated = repeat_each_channel(x, x_epilogue, multiplier);
    forward<T>(repeated, {}, weight, bias, problem, z, moments);
  });
}

}  // namespace ghost
#endif  // HWY_ONCE
