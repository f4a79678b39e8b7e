// Depthwise convolution on the CPU, backward, in one pass: a task walks down a band of output rows, loads each row of
// dz and of the activated input once into rings, adds to its partial weight gradient, and writes the input gradient's
// rows as soon as the rows of dz they need are there.
#include "core/parallel.h"
#include "kernels/depthwise_conv2d_rows.h"
#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/depthwise_conv2d_backward_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/depthwise_conv2d_rows-inl.h"

#ifndef GHOST_DEPTHWISE_BACKWARD_ARGUMENTS
#define GHOST_DEPTHWISE_BACKWARD_ARGUMENTS
namespace ghost::cpu {

template <class T>
struct DepthwiseBackward {
  DepthwiseShape shape;
  MapView<const T> x;
  EpilogueView<T> epilogue;
  GradientView<T> dz;
  const T* taps;  // pack_taps, by phase
  MapView<T> dx;  // no data: not wanted
  bool accumulate_dx;
  bool weight_wanted, bias_wanted;
  T* partials;  // {n * bands, taps + 1, c}: weight gradient and, last, bias gradient of each task; null: not wanted
};

}  // namespace ghost::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {

// sums[tap] += sum over columns of dz[column] * y[column * stride + tap], for kRows rows of taps in one go.
template <int kRows, int kWidth, int kStride, class D, class T = hn::TFromD<D>>
HWY_INLINE void weight_rows(D d, const T* HWY_RESTRICT dz, const T* const* y, int64_t columns, T* HWY_RESTRICT sums) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const T* HWY_RESTRICT rows[kRows];
  hn::Vec<D> parts[kRows * kWidth];
#pragma GCC unroll 32
  for (int i = 0; i < kRows * kWidth; ++i) parts[i] = hn::Zero(d);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) rows[r] = y[r];
  for (int64_t column = 0; column < columns; ++column) {
    const auto gradient = hn::Load(d, dz + column * lanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int s = 0; s < kWidth; ++s)
        parts[r * kWidth + s] =
            hn::MulAdd(gradient, hn::Load(d, rows[r] + (column * kStride + s) * lanes), parts[r * kWidth + s]);
  }
#pragma GCC unroll 32
  for (int i = 0; i < kRows * kWidth; ++i)
    hn::Store(hn::Add(hn::Load(d, sums + i * lanes), parts[i]), d, sums + i * lanes);
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void weight_rows_any(D d, const T* dz, const T* const* y, int64_t columns, const cpu::DepthwiseShape& shape,
                                T* sums) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < shape.kh; ++r)
    for (int64_t s = 0; s < shape.kw; ++s, sums += lanes) {
      auto part = hn::Zero(d);
      for (int64_t column = 0; column < columns; ++column)
        part =
            hn::MulAdd(hn::Load(d, dz + column * lanes), hn::Load(d, y[r] + (column * shape.stride + s) * lanes), part);
      hn::Store(hn::Add(hn::Load(d, sums), part), d, sums);
    }
}

template <class D>
struct PutGradient {
  HWY_INLINE void operator()(int64_t column, hn::Vec<D> sum) const {
    hn::TFromD<D>* const place = dx + column * step;
    strip.store(accumulate ? hn::Add(strip.load(place), sum) : sum, place);
  }
  Strip<D> strip;
  hn::TFromD<D>* dx;
  int64_t step;
  bool accumulate;
};

template <class T>
struct BackwardTask {
  static constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<T>()));

  BackwardTask(const cpu::DepthwiseBackward<T>& job, int64_t index)
      : job(job),
        shape(job.shape),
        task(shape, index),
        strips((task.channel_end - task.channel_begin + kLanes - 1) / kLanes) {
    const int64_t reach = (shape.kw - 1) / shape.stride;  // columns of dz before the first that an input column needs
    const int64_t y_columns = std::max(shape.left + shape.w, (shape.ow - 1) * shape.stride + shape.kw);
    const int64_t dz_columns = reach + std::max(shape.ow, (shape.w - 1 + shape.left) / shape.stride + 1);
    const int64_t y_rows = job.weight_wanted ? shape.kh : 0, sums_per_strip = shape.taps() + 1;
    const int64_t zero_columns = std::max(y_columns, dz_columns), row = strips * kLanes;
    T* memory =
        scratch<T>(0, row * (y_rows * y_columns + shape.kh * dz_columns + sums_per_strip) + zero_columns * kLanes);
    const auto take = [&](int64_t count) {
      T* const part = std::exchange(memory, memory + count);
      std::fill_n(part, count, T(0));
      return part;
    };
    y_ring = {take(row * y_rows * y_columns), y_rows, y_columns, shape.left, kLanes, 0};
    dz_ring = {take(row * shape.kh * dz_columns), shape.kh, dz_columns, reach, kLanes, 0};
    sums = take(row * sums_per_strip);
    zeros = take(zero_columns * kLanes);
    y_rows_of.resize(static_cast<size_t>(shape.kh));
    rows.resize(static_cast<size_t>(shape.kh));
  }

  void run() {
    const int64_t reach = (shape.kh - 1) / shape.stride;  // rows of dz above the band that its input rows need
    y_ring.next = std::max<int64_t>(0, task.row_begin * shape.stride - shape.top);
    int64_t dx_next = input_row(task.row_begin);
    for (int64_t row = job.dx.data ? std::max<int64_t>(0, task.row_begin - reach) : task.row_begin; row < task.row_end;
         ++row) {
      load_gradient(row);
      if (row < task.row_begin) continue;
      if (job.partials) add_weight_gradient(row);
      if (!job.dx.data) continue;
      for (const int64_t end = input_row(row + 1); dx_next < end; ++dx_next) write_input_gradient(dx_next);
    }
    if (job.partials) write_partials();
  }

  // The first input row that no output row before `row` completes.
  int64_t input_row(int64_t row) const {
    if (row == 0) return 0;
    return row == shape.oh ? shape.h : std::clamp<int64_t>(row * shape.stride - shape.top, 0, shape.h);
  }

  template <class Body>
  HWY_INLINE void each_strip(const Body& body) const {
    for_each_strip<T>(task.channel_begin, task.channel_end, body);
  }

  HWY_INLINE void load_gradient(int64_t row) {
    const T *const dy = job.dz.dy.row(task.image, row), *const z =
                                                            job.dz.plain ? nullptr : job.dz.z.row(task.image, row);
    each_strip([&](const auto& strip) HWY_ATTR {
      load_gradient_row(strip, job.dz, dy, z, shape.ow,
                        dz_ring.row(strip.index, row, static_cast<int64_t>(hn::Lanes(strip.d))));
    });
  }

  HWY_INLINE void add_weight_gradient(int64_t row) {
    const int64_t above = row * shape.stride - shape.top, end = std::min(above + shape.kh, shape.h);
    if (job.weight_wanted) {
      for (int64_t y = std::max(y_ring.next, above); y < end; ++y) {
        const T* const from = job.x.row(task.image, y);
        each_strip([&](const auto& strip) HWY_ATTR {
          load_epilogue_row(strip, job.epilogue, task.image, from, job.x.pitch, shape.w,
                            y_ring.row(strip.index, y, static_cast<int64_t>(hn::Lanes(strip.d))));
        });
      }
      y_ring.next = std::max(y_ring.next, end);
    }
    each_strip([&](const auto& strip) HWY_ATTR { add_strip(strip, row, above); });
  }

  template <class D>
  HWY_INLINE void add_bias_gradient(D d, const T* dz, T* sum) {
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    auto total = hn::Zero(d);
    for (int64_t column = 0; column < shape.ow; ++column) total = hn::Add(total, hn::Load(d, dz + column * lanes));
    hn::Store(hn::Add(hn::Load(d, sum), total), d, sum);
  }

  template <class D>
  HWY_INLINE void add_strip(const Strip<D>& strip, int64_t row, int64_t above) {
    const D d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    T* const own = sums + strip.index * (shape.taps() + 1) * kLanes;
    const T* const dz = dz_ring.row(strip.index, row, lanes);
    if (job.bias_wanted) add_bias_gradient(d, dz, own + shape.taps() * lanes);
    if (!job.weight_wanted) return;
    for (int64_t r = 0; r < shape.kh; ++r) {
      const bool inside = above + r >= 0 && above + r < shape.h;
      y_rows_of[static_cast<size_t>(r)] =
          inside ? y_ring.row(strip.index, above + r, lanes) - shape.left * lanes : zeros;
    }
    const T* const* y = y_rows_of.data();
    visit_stencil(shape.kh == shape.kw ? shape.kw : 0, shape.stride, [&](auto width, auto stride) HWY_ATTR {
      constexpr int kWidth = width, kStride = stride;
      if constexpr (kWidth == 5) {
        // As many sums as registers hold: all 25 where there are 32, 10 where there are 16.
        constexpr bool kAll = HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON;
        if constexpr (kAll) {
          weight_rows<5, 5, kStride>(d, dz, y, shape.ow, own);
        } else {
          weight_rows<2, 5, kStride>(d, dz, y, shape.ow, own);
          weight_rows<2, 5, kStride>(d, dz, y + 2, shape.ow, own + 10 * lanes);
          weight_rows<1, 5, kStride>(d, dz, y + 4, shape.ow, own + 20 * lanes);
        }
      } else if constexpr (kWidth > 0) {
        weight_rows<kWidth, kWidth, kStride>(d, dz, y, shape.ow, own);
      } else {
        weight_rows_any(d, dz, y, shape.ow, shape, own);
      }
    });
  }

  HWY_INLINE void write_input_gradient(int64_t y) {
    T* const out = job.dx.row(task.image, y);
    each_strip([&](const auto& strip) HWY_ATTR { write_strip(strip, y, out + strip.begin); });
  }

  // dx[y, x] = sum of dz[(y + top - r) / stride, (x + left - s) / stride] * weight[r, s] over the r, s that divide.
  template <class D>
  HWY_INLINE void write_strip(const Strip<D>& strip, int64_t y, T* out) {
    const D d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), stride = shape.stride, tap_pitch = shape.weight_pitch();
    for (int64_t x = 0; x < std::min(stride, shape.w); ++x) {
      const int64_t phase = (x + shape.left) % stride;
      const int64_t taps = phase < shape.kw ? (shape.kw - 1 - phase) / stride + 1 : 0;
      const int64_t skipped = phase_begin(phase), first = (x + shape.left - phase) / stride - (taps - 1);
      int64_t count = 0;
      for (int64_t r = (y + shape.top) % stride; r < shape.kh && taps > 0; r += stride) {
        const int64_t row = (y + shape.top - r) / stride;
        if (y + shape.top < r || row >= shape.oh) continue;
        rows[static_cast<size_t>(count++)] = {dz_ring.row(strip.index, row, lanes) + first * lanes,
                                              job.taps + (r * shape.kw + skipped) * tap_pitch + strip.begin};
      }
      const int64_t columns = (shape.w - x + stride - 1) / stride, step = stride * job.dx.pitch;
      T* const to = out + x * job.dx.pitch;
      const StencilSize size{count, taps, 1, tap_pitch};
      visit_phase(taps, [&](auto width) HWY_ATTR {
        stencil_row<width, 1>(d, rows.data(), size, columns, hn::Zero(d),
                              PutGradient<D>{strip, to, step, job.accumulate_dx});
      });
    }
  }

  // Position of a phase's first tap in a row of taps_by_phase.
  int64_t phase_begin(int64_t phase) const {
    int64_t position = 0;
    for (int64_t before = 0; before < std::min(phase, shape.kw); ++before)
      position += (shape.kw - 1 - before) / shape.stride + 1;
    return position;
  }

  void write_partials() {
    const int64_t count = shape.taps() + 1;
    T* const out = job.partials + (task.image * shape.bands + task.band) * count * shape.c;
    each_strip([&](const auto& strip) HWY_ATTR {
      const T* own = sums + strip.index * count * kLanes;
      const int64_t lanes = static_cast<int64_t>(hn::Lanes(strip.d));
      for (int64_t i = 0; i < count; ++i) std::copy_n(own + i * lanes, strip.used, out + i * shape.c + strip.begin);
    });
  }

  const cpu::DepthwiseBackward<T>& job;
  const cpu::DepthwiseShape& shape;
  const cpu::DepthwiseTask task;
  const int64_t strips;
  RowRing<T> y_ring, dz_ring;
  T *sums, *zeros;
  std::vector<const T*> y_rows_of;
  std::vector<StencilRow<T>> rows;
};

void depthwise_backward_task_float(const cpu::DepthwiseBackward<float>& job, int64_t task) {
  BackwardTask<float>(job, task).run();
}
void depthwise_backward_task_double(const cpu::DepthwiseBackward<double>& job, int64_t task) {
  BackwardTask<double>(job, task).run();
}

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ghost {

HWY_EXPORT(depthwise_backward_task_float);
HWY_EXPORT(depthwise_backward_task_double);

namespace {

void run_task(const cpu::DepthwiseBackward<float>& job, int64_t task) {
  HWY_DYNAMIC_DISPATCH(depthwise_backward_task_float)(job, task);
}
void run_task(const cpu::DepthwiseBackward<double>& job, int64_t task) {
  HWY_DYNAMIC_DISPATCH(depthwise_backward_task_double)(job, task);
}

// The tasks' partial sums, added up in the order of the tasks.
template <class T>
void add_partials(const std::vector<T>& partials, const cpu::DepthwiseShape& shape, const Conv2dGradients& gradients) {
  const int64_t taps = shape.taps(), count = (taps + 1) * shape.c, tiles = shape.n * shape.bands;
  T* const dweight = gradients.dweight ? gradients.dweight->data<T>() : nullptr;
  T* const dbias = gradients.dbias ? gradients.dbias->data<T>() : nullptr;
  parallel_chunks(count, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double sum = 0;
      for (int64_t tile = 0; tile < tiles; ++tile)
        sum += static_cast<double>(partials[static_cast<size_t>(tile * count + i)]);
      const int64_t tap = i / shape.c, channel = i % shape.c;
      if (tap < taps && dweight) dweight[channel * taps + tap] = static_cast<T>(sum);
      if (tap == taps && dbias) dbias[channel] = static_cast<T>(sum);
    }
  });
}

template <class T>
void backward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const RawGradient& dz,
              const Conv2dProblem& problem, const Conv2dGradients& gradients) {
  const cpu::DepthwiseShape shape(x.shape(), weight.shape(), problem, dz.dy.shape());
  const bool sums_wanted = gradients.dweight || gradients.dbias;
  std::vector<T> partials(sums_wanted ? static_cast<size_t>(shape.n * shape.bands * (shape.taps() + 1) * shape.c) : 0);
  if (!dz.dy.empty() && !x.empty()) {
    const std::vector<T> taps = cpu::pack_taps<T>(weight, shape, cpu::taps_by_phase(shape));
    const cpu::DepthwiseBackward<T> job{shape,
                                        cpu::MapView<const T>(x),
                                        cpu::EpilogueView<T>(x_epilogue),
                                        cpu::GradientView<T>(dz),
                                        taps.data(),
                                        cpu::MapView<T>(gradients.dx ? *gradients.dx : Tensor()),
                                        gradients.accumulate_dx,
                                        gradients.dweight != nullptr,
                                        gradients.dbias != nullptr,
                                        sums_wanted ? partials.data() : nullptr};
    parallel_for(shape.tasks(), [&](int64_t task) { run_task(job, task); });
  }
  if (dz.dy.empty() && gradients.dx && !gradients.accumulate_dx) gradients.dx->fill(0);
  if (sums_wanted) add_partials(partials, shape, gradients);
}

}  // namespace

void cpu::depthwise_conv2d_backward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight,
                                    const RawGradient& dz, const Conv2dProblem& problem,
                                    const Conv2dGradients& gradients) {
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    const int64_t multiplier = weight.dim(0) / std::max<int64_t>(x.channels(), 1);
    if (multiplier == 1) return backward<T>(x, x_epilogue, weight, dz, problem, gradients);
    const Tensor repeated = repeat_each_channel(x, x_epilogue, multiplier);
    Tensor repeated_dx;
    Conv2dGradients repeated_gradients = gradients;
    if (gradients.dx) {
      repeated_dx = Tensor(repeated.shape(), repeated.options());
      repeated_gradients.dx = &repeated_dx;
      repeated_gradients.accumulate_dx = false;
    }
    backward<T>(repeated, {}, weight, dz, problem, repeated_gradients);
    if (gradients.dx) sum_each_channel(repeated_dx, multiplier, *gradients.dx, gradients.accumulate_dx);
  });
}

}  // namespace ghost
#endif  // HWY_ONCE
