// Dense and grouped convolutions: cuDNN computes, small kernels of our own do what is around it. The epilogue of x and
// the raw gradient are materialised first; bias, moments and bias gradient are passes of their own.
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "core/allocator.h"
#include "core/cuda.h"
#include "core/tensor_ops.h"
#include "kernels/batch_norm.h"
#include "kernels/conv2d.h"
#include "kernels/cuda_channels.h"
#include "kernels/cuda_require.h"
#include "kernels/cudnn_plan.h"

namespace ghost::cuda {
namespace {

// A detector in three passes at ten picture sizes has about 3000 problems; a plan holds a few KiB.
constexpr size_t kPlans = 4096;

// One device's cuDNN handle and its plans, the most recently used first.
class PlanCache {
 public:
  explicit PlanCache(const Device& device) : device_(device) {
    const cudaStream_t stream = current_stream(device);
    check_cudnn(cudnn().create(&handle_), "cudnnCreate");
    check_cudnn(cudnn().set_stream(handle_, stream), "cudnnSetStream");
  }

  // Work is only put on the stream here, so one lock costs little; a handle serves one thread at a time.
  void run(const ConvolutionProblem& problem, void* x, void* weight, void* z) {
    const std::lock_guard lock(mutex_);
    current_stream(device_);  // cuDNN works on the thread's current device
    const ConvolutionPlan& plan = find(problem);
    const std::shared_ptr<void> workspace = cuda_allocate(plan.workspace, device_);
    CudnnDescriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, std::vector<int64_t>{kXId, kWeightId, kZId});
    pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, std::vector<void*>{x, weight, z});
    pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace.get());
    pack.finalize();
    check_cudnn(cudnn().execute(handle_, plan.descriptor.handle(), pack.handle()), "cudnnBackendExecute");
  }

 private:
  using Entry = std::pair<const ConvolutionProblem, ConvolutionPlan>;

  const ConvolutionPlan& find(const ConvolutionProblem& problem) {
    if (const auto known = places_.find(problem); known != places_.end()) {
      plans_.splice(plans_.begin(), plans_, known->second);
      return known->second->second;
    }
    plans_.emplace_front(problem, build_plan(problem, {handle_, nullptr}, kWorkspaceLimit));
    places_[problem] = plans_.begin();
    if (plans_.size() > kPlans) {
      places_.erase(plans_.back().first);
      plans_.pop_back();
    }
    return plans_.front().second;
  }

  const Device device_;
  std::mutex mutex_;
  cudnnHandle_t handle_ = nullptr;
  std::list<Entry> plans_;
  std::map<ConvolutionProblem, std::list<Entry>::iterator> places_;
};

// Never destroyed: at exit the driver may be gone before static objects are.
PlanCache& plan_cache(const Device& device) {
  static std::mutex mutex;
  static std::map<int, PlanCache*>& caches = *new std::map<int, PlanCache*>;
  const std::lock_guard lock(mutex);
  PlanCache*& cache = caches[device.index()];
  if (cache == nullptr) cache = new PlanCache(device);
  return *cache;
}

// x, the weight and z as tensors on one device, whichever of them the pass writes. `weight` is in our layout.
struct Convolution {
  Tensor x, weight, z;
  Conv2dProblem problem;

  void run(ConvolutionPass pass) const {
    const bool reorder = !is_channels_last(weight), writes_weight = pass == ConvolutionPass::kBackwardWeight;
    const Tensor reordered = reorder ? Tensor(weight.shape(), weight.options()) : weight;
    if (reorder && !writes_weight) weight_to_channels_last(weight, reordered);
    plan_cache(x.device())
        .run(convolution_problem(pass, x, reordered, z, problem), x.raw_data(), reordered.raw_data(), z.raw_data());
    if (reorder && writes_weight) weight_from_channels_last(reordered, weight);
  }
};

Tensor materialized(const Tensor& x, const Epilogue& epilogue) {
  if (epilogue.identity()) return x;
  const Tensor y(x.shape(), x.options());
  epilogue_forward(x, epilogue, y);
  return y;
}

void input_gradient(const Tensor& weight, const Tensor& dz, const Conv2dProblem& problem, bool accumulate,
                    const Tensor& dx) {
  // Not every engine takes beta = 1; adding afterwards is right with each of them.
  const Tensor fresh = accumulate ? Tensor(dx.shape(), dx.options()) : dx;
  Convolution{fresh, weight, dz, problem}.run(ConvolutionPass::kBackwardInput);
  if (accumulate) tensor_add(fresh, dx);
}

}  // namespace

void conv2d_forward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const Tensor& bias,
                    const Conv2dProblem& problem, const Tensor& z, const ChannelMoments* moments) {
  require_float32("conv2d", {x, weight, bias, z});
  if (!z.empty()) {
    Convolution{materialized(x, x_epilogue), weight, z, problem}.run(ConvolutionPass::kForward);
    if (bias.defined()) add_channel_bias(bias, z);
  }
  if (moments) batch_norm_moments(z, *moments);
}

void conv2d_backward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const RawGradient& dz,
                     const Conv2dProblem& problem, const Conv2dGradients& gradients) {
  require_float32("conv2d", {x, weight, dz.dy});
  if (dz.dy.empty()) {
    if (gradients.dx && !gradients.accumulate_dx) gradients.dx->fill(0);
    if (gradients.dweight) gradients.dweight->fill(0);
    if (gradients.dbias) gradients.dbias->fill(0);
    return;
  }
  const Tensor gradient = materialize(dz);
  if (gradients.dx) input_gradient(weight, gradient, problem, gradients.accumulate_dx, *gradients.dx);
  if (gradients.dweight)
    Convolution{materialized(x, x_epilogue), *gradients.dweight, gradient, problem}.run(
        ConvolutionPass::kBackwardWeight);
  if (gradients.dbias) channel_sums(gradient, *gradients.dbias);
}

}  // namespace ghost::cuda
