// Depthwise convolution on the CPU, backward, in one pass: a task walks down a band of output rows, loads each row of
// dz and of the activated input once into rings, adds to its partial weight gradient, and writes the input gradient's
// rows as soon as the rows of dz they need are there.
#include "core/parallel.h"
#include "core/simd_targets.h"
#include "kernels/depthwise_conv2d_rows.h"
#include "kernels/widened.h"

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
  T* partials;  // {parts, taps + 1, c}: weight gradient and, last, bias gradient of each task; null: not wanted
};

}  // namespace ghost::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {

// parts[r][tap] += sum of dz[column] * y[r][column * kStride + tap] over kBlock columns, each input read once.
template <int kRows, int kWidth, int kStride, int kBlock, class D, class T = hn::TFromD<D>>
HWY_INLINE void weight_block(D d, const T* HWY_RESTRICT dz, const T* const* rows, int64_t column,
                             hn::Vec<D>* HWY_RESTRICT parts) {
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(D()));
  hn::Vec<D> gradients[kBlock];
  unrolled<kBlock>([&](auto b) GHOST_UNROLLED { gradients[b] = hn::Load(d, dz + (column + b) * kLanes); });
  unrolled<kRows>([&](auto r) GHOST_UNROLLED {
    const T* HWY_RESTRICT y = rows[r] + column * kStride * kLanes;
    unrolled<(kBlock - 1) * kStride + kWidth>([&](auto i) GHOST_UNROLLED {
      const auto value = hn::Load(d, y + i * kLanes);
      unrolled<kBlock>([&](auto b) GHOST_UNROLLED {
        constexpr int kTap = i - b * kStride, kPart = r * kWidth + kTap;
        if constexpr (kTap >= 0 && kTap < kWidth) parts[kPart] = hn::MulAdd(gradients[b], value, parts[kPart]);
      });
    });
  });
}

// sums[tap] += sum over columns of dz[column] * y[column * stride + tap], for kRows rows of taps in one go.
template <int kRows, int kWidth, int kStride, class D, class T = hn::TFromD<D>>
HWY_INLINE void weight_rows(D d, const T* dz, const T* const* y, int64_t columns, T* sums) {
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(D()));
  constexpr int kBlock = kWidth == 3 ? 4 : 2;  // so that all fits into registers
  hn::Vec<D> parts[kRows * kWidth];
  const T* rows[kRows];
  unrolled<kRows>([&](auto r) GHOST_UNROLLED { rows[r] = y[r]; });
  unrolled<kRows * kWidth>([&](auto i) GHOST_UNROLLED { parts[i] = hn::Zero(d); });
  int64_t column = 0;
  for (; column + kBlock <= columns; column += kBlock)
    weight_block<kRows, kWidth, kStride, kBlock>(d, dz, rows, column, parts);
  for (; column < columns; ++column) weight_block<kRows, kWidth, kStride, 1>(d, dz, rows, column, parts);
  unrolled<kRows * kWidth>([&](auto i) GHOST_UNROLLED {
    hn::Store(hn::Add(hn::Load(d, sums + i * kLanes), parts[i]), d, sums + i * kLanes);
  });
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

template <class D, bool kWhole>
struct PutGradient {
  HWY_INLINE void operator()(int64_t column, hn::Vec<D> sum) const {
    hn::TFromD<D>* const place = dx + column * step;
    hwy::Prefetch(place + next_row);
    strip.store(accumulate ? hn::Add(strip.load(place), sum) : sum, place);
  }
  Strip<D, kWhole> strip;
  hn::TFromD<D>* dx;
  int64_t step, next_row;
  bool accumulate;
};

template <class T>
struct BackwardTask {
  BackwardTask(const cpu::DepthwiseBackward<T>& job, int64_t index)
      : job(job),
        shape(job.shape),
        task(shape, index),
        strips((task.channel_end - task.channel_begin + kStripLanes<T> - 1) / kStripLanes<T>) {
    const int64_t reach = (shape.kw - 1) / shape.stride;  // columns of dz before the first that an input column needs
    const int64_t y_columns = (shape.ow - 1) * shape.stride + shape.kw;
    const int64_t dz_columns = reach + std::max(shape.ow, (shape.w - 1 + shape.left) / shape.stride + 1);
    y_ring = {nullptr, job.weight_wanted ? shape.kh : 0, y_columns, -shape.left};
    dz_ring = {nullptr, shape.kh, dz_columns, -reach};
    const int64_t y_elements = y_ring.elements(strips), dz_elements = dz_ring.elements(strips);
    const int64_t all = y_elements + dz_elements + strips * sums_pitch();
    y_ring.data = scratch<T>(0, all);
    dz_ring.data = y_ring.data + y_elements;
    sums = dz_ring.data + dz_elements;
    std::fill_n(y_ring.data, all, T(0));
    y_rows.resize(static_cast<size_t>(shape.kh));
    strip_rows.resize(y_rows.size());
    rows.resize(static_cast<size_t>(shape.kh));
  }

  int64_t sums_pitch() const { return (shape.taps() + 1) * kStripLanes<T>; }

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
    const T* const dy = job.dz.dy.row(task.image, row);
    const T* const z = job.dz.plain ? nullptr : job.dz.z.row(task.image, row);
    dz_ring.fill(task, row, shape.ow, [&](const auto& strip, int64_t column, int64_t count, T* to) HWY_ATTR {
      load_raw_gradient(strip, job.dz, dy + column * job.dz.dy.pitch, z ? z + column * job.dz.z.pitch : z, count, to);
    });
  }

  HWY_INLINE void load_inputs(int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y) {
      const T* const from = job.x.row(task.image, y);
      y_ring.fill(task, y, shape.w, [&](const auto& strip, int64_t column, int64_t count, T* to) HWY_ATTR {
        load_epilogue(strip, job.epilogue, task.image, from + column * job.x.pitch, job.x.pitch, count, to);
      });
    }
    y_ring.next = std::max(y_ring.next, end);
  }

  void add_weight_gradient(int64_t row) {
    if (job.weight_wanted) {
      const int64_t above = row * shape.stride - shape.top;
      load_inputs(std::max(y_ring.next, above), std::min(above + shape.kh, shape.h));
      for (int64_t r = 0; r < shape.kh; ++r) {
        const bool inside = above + r >= 0 && above + r < shape.h;
        y_rows[static_cast<size_t>(r)] = inside ? y_ring.row(above + r) : y_ring.zero_row();
      }
    }
    each_strip([&](const auto& strip) HWY_ATTR { add_strip(strip, row); });
  }

  template <class D>
  HWY_INLINE void add_bias_gradient(D d, const T* dz, T* sum) {
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    auto total = hn::Zero(d);
    for (int64_t column = 0; column < shape.ow; ++column) total = hn::Add(total, hn::Load(d, dz + column * lanes));
    hn::Store(hn::Add(hn::Load(d, sum), total), d, sum);
  }

  template <class D, bool kWhole>
  HWY_INLINE void add_strip(const Strip<D, kWhole>& strip, int64_t row) {
    const D d;
    constexpr int64_t lanes = Strip<D, kWhole>::kLanes;
    T* const own = sums + strip.index * sums_pitch();
    const T* const dz = dz_ring.row(row) + strip.index * dz_ring.strip_pitch() - dz_ring.first * lanes;
    if (job.bias_wanted) add_bias_gradient(d, dz, own + shape.taps() * lanes);
    if (!job.weight_wanted) return;
    for (size_t r = 0; r < y_rows.size(); ++r) strip_rows[r] = y_rows[r] + strip.index * y_ring.strip_pitch();
    const T* const* const y = strip_rows.data();
    visit_stencil<T>(shape.kh == shape.kw ? shape.kw : 0, shape.stride, [&](auto width, auto stride) HWY_ATTR {
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

  // The rows of dz that input row y meets, with the kernel row of each from position `skipped` on. How many there are.
  int64_t find_rows(int64_t y, int64_t skipped) {
    int64_t count = 0;
    for (int64_t r = (y + shape.top) % shape.stride; r < shape.kh; r += shape.stride) {
      const int64_t row = (y + shape.top - r) / shape.stride;
      if (y + shape.top < r || row >= shape.oh) continue;
      rows[static_cast<size_t>(count++)] = {
          dz_ring.row(row), job.taps + (r * shape.kw + skipped) * shape.weight_pitch() + task.channel_begin};
    }
    return count;
  }

  // dx[y, x] = sum of dz[(y + top - r) / stride, (x + left - s) / stride] * weight[r, s] over the r, s that divide: one
  // stencil for each phase of x.
  void write_input_gradient(int64_t y) {
    const int64_t stride = shape.stride, pitch = job.dx.pitch;
    const int64_t next_row = y + 1 < shape.h ? shape.w * pitch : 0;
    for (int64_t x = 0; x < std::min(stride, shape.w); ++x) {
      const int64_t phase = (x + shape.left) % stride;
      const int64_t taps = phase < shape.kw ? (shape.kw - 1 - phase) / stride + 1 : 0;
      const int64_t first = (x + shape.left - phase) / stride - (taps - 1) - dz_ring.first;
      const int64_t count = taps > 0 ? find_rows(y, phase_begin(phase)) : 0;
      const Stencil<T> stencil{rows.data(), count, taps, 1, first, dz_ring.strip_pitch(), shape.weight_pitch()};
      const int64_t columns = (shape.w - x + stride - 1) / stride;
      T* const out = job.dx.row(task.image, y) + x * pitch;
      visit_phase<T>(taps, [&](auto width) HWY_ATTR {
        each_strip([&](const auto& strip) HWY_ATTR {
          const PutGradient put{strip, out + strip.begin, stride * pitch, next_row, job.accumulate_dx};
          put_columns<width, 1>(strip, stencil, 0, columns, hn::Zero(strip.d), put);
        });
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
    T* const out = job.partials + task.part * count * shape.c;
    each_strip([&](const auto& strip) HWY_ATTR {
      const T* own = sums + strip.index * sums_pitch();
      for (int64_t i = 0; i < count; ++i)
        std::copy_n(own + i * strip.kLanes, strip.used, out + i * shape.c + strip.begin);
    });
  }

  const cpu::DepthwiseBackward<T>& job;
  const cpu::DepthwiseShape& shape;
  const cpu::DepthwiseTask task;
  const int64_t strips;
  RowRing<T> y_ring, dz_ring;
  T* sums;
  std::vector<const T*> y_rows, strip_rows;  // what the kernel's rows meet, in the first strip and in one strip
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
  const int64_t taps = shape.taps(), count = (taps + 1) * shape.c, tiles = shape.parts();
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
  std::vector<T> partials(sums_wanted ? static_cast<size_t>(shape.parts() * (shape.taps() + 1) * shape.c) : 0);
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
  if (is_half(x.dtype())) {
    Widened half;
    return depthwise_conv2d_backward(half.read(x), x_epilogue, weight, half.read(dz), problem, half.write(gradients));
  }
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
