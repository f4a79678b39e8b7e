#include "kernels/batch_norm.h"

#include "kernels/batch_norm_node.h"

namespace ghost {

void check_batch_norm(const char* op, int64_t channels, const BatchNormState& state, const BatchNormOptions& options) {
  const auto check = [&](const char* name, const Tensor& tensor) {
    GHOST_CHECK(tensor.defined() && tensor.shape() == Shape({channels}), op, ": ", name, " has shape ", tensor.shape(),
                ", but the map has ", channels, " channels. Give one value per channel.");
  };
  check("gamma", state.gamma.defined() ? state.gamma.value() : Tensor());
  check("beta", state.beta.defined() ? state.beta.value() : Tensor());
  check("running_mean", state.running_mean);
  check("running_var", state.running_var);
  GHOST_CHECK(options.eps > 0, op, ": eps is ", options.eps, "; it must be greater than 0");
  GHOST_CHECK(options.momentum >= 0 && options.momentum <= 1, op, ": momentum is ", options.momentum,
              "; it is the share of the new value, 0 to 1");
}

BatchNormSaved run_batch_norm(const BatchNormState& state, const BatchNormOptions& options, Activation activation,
                              int64_t count, const Tensor& scale, const Tensor& shift,
                              const std::function<void(const ChannelMoments*)>& compute) {
  const bool training = options.training, update = training && count > 0;
  const ScaleShift to{.gamma = state.gamma.value(),
                      .beta = state.beta.value(),
                      .eps = options.eps,
                      .momentum = options.momentum,
                      .count = count,
                      .running_mean = update ? state.running_mean : Tensor(),
                      .running_var = update ? state.running_var : Tensor(),
                      .scale = scale,
                      .shift = shift};
  const auto statistic = [&](const Tensor& running) {
    return training ? Tensor(running.shape(), running.options()) : running;
  };
  const ChannelMoments moments{statistic(state.running_mean), statistic(state.running_var), &to};
  compute(training ? &moments : nullptr);
  if (!training) GHOST_DISPATCH(scale.device(), batch_norm_scale_shift(moments, to));
  const Epilogue epilogue{.scale = scale, .shift = shift, .activation = activation, .gate = {}};
  return {epilogue, {moments.mean, moments.variance}, to.gamma, options.eps, training};
}

RawGradient batch_norm_gradient(const Tensor& dy, const Tensor& z, const BatchNormSaved& saved, Gradients& grads,
                                int gamma_input) {
  const Tensor& scale = saved.epilogue.scale;
  const int64_t channels = scale.numel();
  RawGradient dz{dy, z, saved.epilogue, Tensor({3, channels}, scale.options())};
  const bool parameters = grads.needed(gamma_input) || grads.needed(gamma_input + 1);
  if (!saved.training && !parameters) {  // frozen: dz = scale * g, nothing to sum
    dz.coefficients.fill(0);
    dz.coefficients.rows(0, 1).reshape({channels}).copy_from(scale);
    return dz;
  }
  const Tensor dgamma(saved.gamma.shape(), saved.gamma.options()), dbeta(saved.gamma.shape(), saved.gamma.options());
  GHOST_DISPATCH(z.device(),
                 batch_norm_backward(dz, saved.moments, saved.gamma, saved.eps, saved.training, dgamma, dbeta));
  grads.set(gamma_input, dgamma);
  grads.set(gamma_input + 1, dbeta);
  return dz;
}

Feature batch_norm(const Feature& x, const BatchNormState& state, const BatchNormOptions& options,
                   Activation activation) {
  GHOST_CHECK(x.shape().rank() == 4, "batch_norm: a map {n, h, w, c} is needed, got ", x.shape());
  const Variable map = materialize(x);
  const Tensor z = map.value();
  check_batch_norm("batch_norm", z.channels(), state, options);
  const Shape per_channel{z.channels()};
  const BatchNormSaved saved =
      run_batch_norm(state, options, activation, z.pixels(), Tensor(per_channel, z.sum_options()),
                     Tensor(per_channel, z.sum_options()), [&](const ChannelMoments* moments) {
                       if (moments) GHOST_DISPATCH(z.device(), batch_norm_moments(z, *moments));
                     });
  const Variable raw =
      record("batch_norm", {map, state.gamma, state.beta}, z, [z, saved](const Tensor& dy, Gradients& grads) {
        const RawGradient dz = batch_norm_gradient(dy, z, saved, grads, 1);
        if (grads.needed(0)) grads.set(0, materialize(dz));
      });
  return {raw, saved.epilogue};
}

}  // namespace ghost
