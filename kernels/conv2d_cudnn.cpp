// Dense and grouped convolutions: cuDNN computes, small kernels of our own do what is around it.
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "core/allocator.h"
#include "core/cuda.h"
#include "core/tensor_ops.h"
#include "kernels/batch_norm.h"
#include "kernels/conv2d.h"
#include "kernels/cublaslt.h"
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

void run_convolution(ConvolutionPass pass, const Tensor& x, const Tensor& weight, const Tensor& z,
                     const Conv2dProblem& problem) {
  plan_cache(x.device())
      .run(convolution_problem(pass, x, weight, z, problem), x.raw_data(), weight.raw_data(), z.raw_data());
}

void add_product(const Tensor& dz, const Tensor& weight, const Tensor& dx) {
  matmul(dz, weight, {}, dx, {.accumulate = true});
}

}  // namespace

#include "kernels/conv2d_passes-inl.h"

}  // namespace ghost::cuda
