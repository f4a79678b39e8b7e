#include "core/simd_targets.h"
#include "kernels/epilogue_rows.h"
#include "kernels/gemm.h"
#include "kernels/pool.h"
#include "kernels/squeeze_excite.h"
#include "kernels/widened.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/squeeze_excite_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/epilogue_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {

// dgate[c] = sum over the image's pixels of dy * act(scale * z + shift)
template <class Act, class T>
void gate_gradient(const Tensor& dy, const Tensor& z, const cpu::RowEpilogue& epilogue, const Tensor& dgate,
                   int64_t image) {
  const int64_t c = z.channels(), pixels = z.pixels() / z.dim(0);
  const T* const first_z = z.data<T>() + image * pixels * z.pitch();
  const T* const first_dy = dy.data<T>() + image * pixels * dy.pitch();
  const T *const scale = epilogue.scale.data<T>(), *const shift = epilogue.shift.data<T>();
  sum_pixels<T>(pixels, c, dgate.data<T>() + image * c, [&](auto d, int64_t pixel, int64_t i) HWY_ATTR {
    const auto y = epilogue_at<Act>(d, first_z + pixel * z.pitch(), scale, shift, i);
    return hn::Mul(hn::LoadU(d, first_dy + pixel * dy.pitch() + i), y);
  });
}

void gate_gradient_image(const Tensor& dy, const Tensor& z, const cpu::RowEpilogue& epilogue, const Tensor& dgate,
                         int64_t image) {
  visit_float(z.dtype(), [&]<class T>(TypeTag<T>) {
    visit_activation(epilogue.activation,
                     [&]<class Act>(Act) { gate_gradient<Act, T>(dy, z, epilogue, dgate, image); });
  });
}

// dx = dy * gate + dp / (h * w), or dx +=; gate and dp are one image's rows.
template <class T>
void map_gradient(const T* dy, const T* gate, const T* dp, T factor, T* dx, int64_t channels, bool accumulate) {
  for_vectors(hn::ScalableTag<T>(), 0, channels, [&](auto d, int64_t i) HWY_ATTR {
    const auto pooled = hn::Mul(hn::LoadU(d, dp + i), hn::Set(d, factor));
    auto value = hn::MulAdd(hn::LoadU(d, dy + i), hn::LoadU(d, gate + i), pooled);
    if (accumulate) value = hn::Add(value, hn::LoadU(d, dx + i));
    hn::StoreU(value, d, dx + i);
  });
}

void map_gradient_range(const Tensor& dy, const Tensor& gate, const Tensor& dp, const Tensor& dx, bool accumulate,
                        int64_t begin, int64_t end) {
  visit_float(dy.dtype(), [&]<class T>(TypeTag<T>) {
    const int64_t c = dy.channels(), pixels = dy.pixels() / dy.dim(0);
    const T factor = static_cast<T>(1.0 / static_cast<double>(pixels));
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      const int64_t image = pixel / pixels;
      map_gradient(dy.data<T>() + pixel * dy.pitch(), gate.data<T>() + image * c, dp.data<T>() + image * c, factor,
                   dx.data<T>() + pixel * dx.pitch(), c, accumulate);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ghost {

HWY_EXPORT(gate_gradient_image);
HWY_EXPORT(map_gradient_range);

namespace {

constexpr int64_t kRowBlock = 16;  // rows of a product done by one task

// y {n, o} = x {n, k} weight^T + bias
template <class T>
void fully_connected(const T* x, const Tensor& weight, const Tensor& bias, const Tensor& y) {
  const int64_t n = y.dim(0), o = y.dim(1), k = weight.dim(1);
  parallel_chunks(n, kRowBlock, [&](int64_t begin, int64_t end) {
    T* const rows = y.data<T>() + begin * o;
    gemm<T>(false, true, end - begin, o, k, x + begin * k, k, weight.data<T>(), k, rows, o, false);
    for (int64_t i = 0; i < (end - begin) * o; ++i) rows[i] += bias.data<T>()[i % o];
  });
}

// dx {n, k} = dy {n, o} weight {o, k}
template <class T>
void input_gradient(const Tensor& dy, const Tensor& weight, const Tensor& dx) {
  const int64_t o = dy.dim(1), k = dx.dim(1);
  parallel_chunks(dy.dim(0), kRowBlock, [&](int64_t begin, int64_t end) {
    gemm<T>(false, false, end - begin, k, o, dy.data<T>() + begin * o, o, weight.data<T>(), k, dx.data<T>() + begin * k,
            k, false);
  });
}

// dweight {o, k} = dy^T x and dbias {o} = the sum of dy's rows; either may be undefined.
template <class T>
void weight_gradient(const Tensor& dy, const Tensor& x, const Tensor& dweight, const Tensor& dbias) {
  const int64_t n = dy.dim(0), o = dy.dim(1), k = x.dim(1);
  if (dweight.defined())
    parallel_chunks(o, 4 * kRowBlock, [&](int64_t begin, int64_t end) {
      gemm<T>(true, false, end - begin, k, n, dy.data<T>() + begin, o, x.data<T>(), k, dweight.data<T>() + begin * k, k,
              false);
    });
  if (!dbias.defined()) return;
  dbias.fill(0);
  for (int64_t i = 0; i < n * o; ++i) dbias.data<T>()[i % o] += dy.data<T>()[i];
}

// y = act(x), and dy *= act'(x), on the small [n, c] and [n, r] matrices.
void activate_all(const Tensor& x, Activation activation, const Tensor& y) {
  cpu::epilogue_forward(x, {.scale = {}, .shift = {}, .activation = activation, .gate = {}}, y);
}
void mask_all(const Tensor& dy, const Tensor& x, Activation activation) {
  cpu::raw_gradient({dy, x, {.scale = {}, .shift = {}, .activation = activation, .gate = {}}, {}}, dy);
}

}  // namespace

void cpu::squeeze_excite_forward(const Tensor& z, const Epilogue& epilogue, const SqueezeExciteTensors& weights,
                                 Activation gate_activation, const SqueezeExciteSaved& saved, const Tensor& gate) {
  if (z.empty()) return;
  if (is_half(z.dtype()))
    return squeeze_excite_forward(Widened::read(z), epilogue, weights, gate_activation, saved, gate);
  global_average_pool_forward(z, epilogue, saved.pooled);
  visit_float(z.dtype(), [&]<class T>(TypeTag<T>) {
    fully_connected(saved.pooled.data<T>(), weights.reduce_weight, weights.reduce_bias, saved.reduced);
    const Tensor hidden(saved.reduced.shape(), z.options());
    activate_all(saved.reduced, Activation::kRelu, hidden);
    fully_connected(hidden.data<T>(), weights.expand_weight, weights.expand_bias, saved.expanded);
    activate_all(saved.expanded, gate_activation, gate);
  });
}

void cpu::squeeze_excite_backward(const Tensor& dy, const Tensor& z, const Epilogue& epilogue,
                                  const SqueezeExciteTensors& weights, Activation gate_activation,
                                  const SqueezeExciteSaved& saved, const Tensor& gate,
                                  const SqueezeExciteTensors& weight_gradients, const Tensor& dx, bool accumulate_dx) {
  if (is_half(z.dtype())) {
    Widened half;
    return squeeze_excite_backward(half.read(dy), half.read(z), epilogue, weights, gate_activation, saved, gate,
                                   weight_gradients, half.write(dx, accumulate_dx), accumulate_dx);
  }
  const Tensor dexpanded(gate.shape(), gate.options()), dreduced(saved.reduced.shape(), gate.options());
  const Tensor dpooled(gate.shape(), gate.options());
  if (!z.empty()) {
    const RowEpilogue ready(z, epilogue, 1);
    const auto sum = HWY_DYNAMIC_DISPATCH(gate_gradient_image);
    parallel_for(z.dim(0), [&](int64_t image) { sum(dy, z, ready, dexpanded, image); });
  }
  visit_float(z.dtype(), [&]<class T>(TypeTag<T>) {
    mask_all(dexpanded, saved.expanded, gate_activation);
    const Tensor hidden(saved.reduced.shape(), z.options());
    activate_all(saved.reduced, Activation::kRelu, hidden);
    weight_gradient<T>(dexpanded, hidden, weight_gradients.expand_weight, weight_gradients.expand_bias);
    input_gradient<T>(dexpanded, weights.expand_weight, dreduced);
    mask_all(dreduced, saved.reduced, Activation::kRelu);
    weight_gradient<T>(dreduced, saved.pooled, weight_gradients.reduce_weight, weight_gradients.reduce_bias);
    if (dx.defined()) input_gradient<T>(dreduced, weights.reduce_weight, dpooled);
  });
  if (!dx.defined()) return;
  const auto run = HWY_DYNAMIC_DISPATCH(map_gradient_range);
  for_pixel_ranges(dx, 1, [&](int64_t begin, int64_t end) { run(dy, gate, dpooled, dx, accumulate_dx, begin, end); });
}

}  // namespace ghost
#endif  // HWY_ONCE
