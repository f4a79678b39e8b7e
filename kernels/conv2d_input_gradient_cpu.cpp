#include <algorithm>

#include "kernels/conv2d_panels.h"
#include "kernels/panel_gemm.h"

namespace ghost::cpu {
namespace {

// Input pixels at (phase_y + stride * a, phase_x + stride * b): all are reached by the same taps, from output pixels
// (a + tap.i, b + tap.j). So no product is spent on taps that miss, and every pixel of dx is written by one thread.
struct Tap {
  int64_t i, j, place;  // place: r * kw + s
};

struct Phase {
  Phase(const Conv2dSizes& sizes, int64_t phase_y, int64_t phase_x)
      : y(phase_y),
        x(phase_x),
        height(count(sizes.h, phase_y, sizes.stride)),
        width(count(sizes.w, phase_x, sizes.stride)) {
    for (int64_t r = 0; r < sizes.kh; ++r) {
      for (int64_t s = 0; s < sizes.kw; ++s) {
        const int64_t i = phase_y + sizes.top - r, j = phase_x + sizes.left - s;
        if (i % sizes.stride == 0 && j % sizes.stride == 0)
          taps.push_back({i / sizes.stride, j / sizes.stride, r * sizes.kw + s});
      }
    }
  }
  static int64_t count(int64_t size, int64_t phase, int64_t stride) {
    return size > phase ? (size - phase + stride - 1) / stride : 0;
  }

  int64_t y, x, height, width;
  std::vector<Tap> taps;
};

template <class T>
struct InputGradient {
  const Conv2dSizes& sizes;
  const Phase& phase;
  const Tensor &dz, &dx;
  const bool accumulate;

  // Row (tap, o) of the product's right side: the weight's input channels.
  Tensor right_side(const Tensor& weight, int64_t group) const {
    const int64_t taps = static_cast<int64_t>(phase.taps.size());
    const Tensor rows({taps * sizes.group_out, sizes.group_in}, weight.options());
    T* to = rows.data<T>();
    for (const Tap& tap : phase.taps) {
      for (int64_t o = 0; o < sizes.group_out; ++o) {
        const T* const from = weight.data<T>() + (group * sizes.group_out + o) * sizes.columns + tap.place;
        for (int64_t k = 0; k < sizes.group_in; ++k) *to++ = from[k * sizes.taps];
      }
    }
    return rows;
  }

  void gather(int64_t group, int64_t row, int64_t rows, T* out) const {
    const int64_t o = sizes.group_out, map = phase.height * phase.width;
    for (int64_t r = row; r < row + rows; ++r) {
      const int64_t image = r / map, a = r % map / phase.width, b = r % phase.width;
      for (const Tap& tap : phase.taps) {
        const int64_t i = a + tap.i, j = b + tap.j;
        if (i < 0 || i >= sizes.oh || j < 0 || j >= sizes.ow) {
          std::fill_n(out, o, T(0));
        } else {
          std::copy_n(dz.data<T>() + ((image * sizes.oh + i) * sizes.ow + j) * dz.pitch() + group * o, o, out);
        }
        out += o;
      }
    }
  }

  void scatter(int64_t group, int64_t row, int64_t rows, const T* sums) const {
    const int64_t k = sizes.group_in, map = phase.height * phase.width;
    for (int64_t r = row; r < row + rows; ++r, sums += k) {
      const int64_t image = r / map, y = phase.y + r % map / phase.width * sizes.stride,
                    x = phase.x + r % phase.width * sizes.stride;
      T* const to = dx.data<T>() + ((image * sizes.h + y) * sizes.w + x) * dx.pitch() + group * k;
      for (int64_t i = 0; i < k; ++i) to[i] = accumulate ? to[i] + sums[i] : sums[i];
    }
  }

  void run(const Tensor& weight, int64_t group) const {
    const int64_t k = static_cast<int64_t>(phase.taps.size()) * sizes.group_out, n = sizes.group_in;
    const Tensor packed({packed_size<T>(k, n)}, weight.options());
    pack_matrix(k, n, right_side(weight, group).template data<T>(), n, 1, packed.data<T>(), 0, n);
    const int64_t total = sizes.n * phase.height * phase.width;
    parallel_chunks(total, panel_rows(total, (k + n) * static_cast<int64_t>(sizeof(T))),
                    [&](int64_t begin, int64_t end) {
                      const int64_t rows = end - begin;
                      T* const panel = scratch<T>(kInputScratch, rows * k);
                      gather(group, begin, rows, panel);
                      if (sizes.stride == 1) {  // the phase is the whole map: its rows are dx's
                        panel_gemm(rows, n, k, panel, k, packed.data<T>(),
                                   dx.data<T>() + begin * dx.pitch() + group * n, dx.pitch(), accumulate);
                        return;
                      }
                      T* const sums = scratch<T>(kOutputScratch, rows * n);
                      panel_gemm(rows, n, k, panel, k, packed.data<T>(), sums, n, false);
                      scatter(group, begin, rows, sums);
                    });
  }
};

}  // namespace

void conv2d_gather_input_gradient(const Tensor& dz, const Tensor& weight, const Conv2dProblem& problem,
                                  const Tensor& dx, bool accumulate) {
  const Conv2dSizes sizes(dx.shape(), weight.shape(), dz.shape(), problem);
  visit_float(dx.dtype(), [&]<class T>(TypeTag<T>) {
    for (int64_t y = 0; y < sizes.stride; ++y) {
      for (int64_t x = 0; x < sizes.stride; ++x) {
        const Phase phase(sizes, y, x);
        for (int64_t group = 0; group < sizes.groups; ++group)
          InputGradient<T>{sizes, phase, dz, dx, accumulate}.run(weight, group);
      }
    }
  });
}

}  // namespace ghost::cpu
