#include "kernels/meta_bytes.h"
#include "kernels/pool.h"
#include "kernels/squeeze_excite.h"

namespace ghost::meta {

void squeeze_excite_forward(const Tensor& z, const Epilogue& epilogue, const SqueezeExciteTensors& weights, Activation,
                            const SqueezeExciteSaved& saved, const Tensor& gate) {
  if (z.empty()) return;
  global_average_pool_forward(z, epilogue, saved.pooled);
  const int64_t flops = 2 * z.dim(0) * weights.reduce_weight.numel();
  kernel("fc_kernel", {saved.pooled, weights.reduce_weight, weights.reduce_bias, saved.reduced}, flops);
  kernel("fc_kernel", {saved.reduced, weights.expand_weight, weights.expand_bias, saved.expanded, gate}, flops);
}

void squeeze_excite_backward(const Tensor& dy, const Tensor& z, const Epilogue& epilogue,
                             const SqueezeExciteTensors& weights, Activation, const SqueezeExciteSaved& saved,
                             const Tensor& gate, const SqueezeExciteTensors& weight_gradients, const Tensor& dx,
                             bool accumulate_dx) {
  if (z.empty()) {
    for (const Tensor& gradient : {weight_gradients.reduce_weight, weight_gradients.reduce_bias,
                                   weight_gradients.expand_weight, weight_gradients.expand_bias})
      if (gradient.defined()) gradient.fill(0);
    return;
  }
  const Tensor de({z.dim(0), z.channels()}, gate.options()), dpooled(de.shape(), gate.options());
  const Tensor dq({z.dim(0), weights.reduce_weight.dim(0)}, gate.options());
  const int64_t flops = 2 * z.dim(0) * weights.reduce_weight.numel();
  kernel("gate_gradient_kernel", bytes_of(z, epilogue) + bytes_of({dy, saved.expanded, de}));
  kernel("fc_input_gradient_kernel", {de, weights.expand_weight, saved.reduced, dq}, flops);
  kernel("fc_input_gradient_kernel", {dq, weights.reduce_weight, dpooled}, flops);
  const auto& [reduce_weight, reduce_bias, expand_weight, expand_bias] = weight_gradients;
  if (reduce_weight.defined() || reduce_bias.defined() || expand_weight.defined() || expand_bias.defined())
    kernel("fc_weight_gradient_kernel",
           {de, saved.reduced, dq, saved.pooled, reduce_weight, reduce_bias, expand_weight, expand_bias}, 2 * flops);
  if (dx.defined())
    kernel("squeeze_excite_input_kernel", bytes_of({dy, gate, dpooled}) + bytes_written(dx, accumulate_dx));
}

}  // namespace ghost::meta
