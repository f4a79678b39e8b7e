#include <cublasLt.h>

#include <bit>
#include <map>
#include <memory>
#include <mutex>

#include "core/allocator.h"
#include "core/cuda.h"
#include "core/error.h"
#include "core/shared_library_cuda.h"
#include "kernels/cublaslt.h"
#include "kernels/cuda_require.h"
#include "kernels/tf32.h"

namespace ghost::cuda {
namespace {

constexpr size_t kWorkspaceLimit = size_t{32} << 20;

struct CublasLtApi {
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtGetStatusName) status_name;
  decltype(&cublasLtGetStatusString) status_string;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmulDescCreate) create_operation;
  decltype(&cublasLtMatmulDescDestroy) destroy_operation;
  decltype(&cublasLtMatmulDescSetAttribute) set_operation;
  decltype(&cublasLtMatrixLayoutCreate) create_layout;
  decltype(&cublasLtMatrixLayoutDestroy) destroy_layout;
  decltype(&cublasLtMatmulPreferenceCreate) create_preference;
  decltype(&cublasLtMatmulPreferenceDestroy) destroy_preference;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference;
};

CublasLtApi load() {
  const SharedLibrary& library = cublaslt_library();
  CublasLtApi api{};
  const auto find = [&]<class Function>(Function& function, const char* symbol) {
    function = library.function<Function>(symbol);
  };
  find(api.create, "cublasLtCreate");
  find(api.status_name, "cublasLtGetStatusName");
  find(api.status_string, "cublasLtGetStatusString");
  find(api.matmul, "cublasLtMatmul");
  find(api.heuristic, "cublasLtMatmulAlgoGetHeuristic");
  find(api.create_operation, "cublasLtMatmulDescCreate");
  find(api.destroy_operation, "cublasLtMatmulDescDestroy");
  find(api.set_operation, "cublasLtMatmulDescSetAttribute");
  find(api.create_layout, "cublasLtMatrixLayoutCreate");
  find(api.destroy_layout, "cublasLtMatrixLayoutDestroy");
  find(api.create_preference, "cublasLtMatmulPreferenceCreate");
  find(api.destroy_preference, "cublasLtMatmulPreferenceDestroy");
  find(api.set_preference, "cublasLtMatmulPreferenceSetAttribute");
  return api;
}

const CublasLtApi& cublaslt() {
  static const CublasLtApi api = load();
  return api;
}

void check_cublas(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  GHOST_FAIL(kDevice, "cuBLASLt: ", call, " failed with ", cublaslt().status_name(status), ": ",
             cublaslt().status_string(status));
}

// Destroys a cuBLASLt descriptor with the member of CublasLtApi that is named.
template <auto Destroy>
struct Destroyer {
  template <class Opaque>
  void operator()(Opaque* descriptor) const noexcept {
    const cublasStatus_t status = (cublaslt().*Destroy)(descriptor);
    if (status != CUBLAS_STATUS_SUCCESS) log_cuda_failure("cuBLASLt's destroy", cublaslt().status_string(status));
  }
};
using Operation = std::unique_ptr<cublasLtMatmulDescOpaque_t, Destroyer<&CublasLtApi::destroy_operation>>;
using Layout = std::unique_ptr<cublasLtMatrixLayoutOpaque_t, Destroyer<&CublasLtApi::destroy_layout>>;
using Preference = std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, Destroyer<&CublasLtApi::destroy_preference>>;

// cuBLASLt reads column-major: what we call c {m, n} is its {n, m}, so it computes c^T = b'^T a'^T. All of the problem,
// and the key of the cache; "first" is b, "second" is a.
struct Product {
  DType dtype;
  bool tf32;                     // float32 products may round their inputs to TF32
  int64_t rows, columns, inner;  // of c^T: n, m, k
  int64_t first_pitch, second_pitch, result_pitch;
  int64_t first_alignment, second_alignment, result_alignment, bias_alignment;  // bytes; bias 0: none
  bool transpose_first, transpose_second;

  friend auto operator<=>(const Product&, const Product&) = default;
};

cudaDataType cuda_type(DType dtype) {
  return dtype == DType::kBFloat16 ? CUDA_R_16BF : dtype == DType::kFloat16 ? CUDA_R_16F : CUDA_R_32F;
}

Layout make_layout(const Product& p, int64_t rows, int64_t columns, int64_t pitch) {
  cublasLtMatrixLayout_t layout = nullptr;
  check_cublas(cublaslt().create_layout(&layout, cuda_type(p.dtype), static_cast<uint64_t>(rows),
                                        static_cast<uint64_t>(columns), pitch),
               "cublasLtMatrixLayoutCreate");
  return Layout(layout);
}

// Descriptors of one product and the algorithm that the heuristics put first.
class MatmulPlan {
 public:
  MatmulPlan(cublasLtHandle_t handle, const Product& p, const void* bias)
      : first_(p.transpose_first ? make_layout(p, p.inner, p.rows, p.first_pitch)
                                 : make_layout(p, p.rows, p.inner, p.first_pitch)),
        second_(p.transpose_second ? make_layout(p, p.columns, p.inner, p.second_pitch)
                                   : make_layout(p, p.inner, p.columns, p.second_pitch)),
        result_(make_layout(p, p.rows, p.columns, p.result_pitch)) {
    cublasLtMatmulDesc_t operation = nullptr;
    const cublasComputeType_t compute = p.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    check_cublas(cublaslt().create_operation(&operation, compute, CUDA_R_32F), "cublasLtMatmulDescCreate");
    operation_.reset(operation);
    set(CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_first ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_second ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (bias) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    }
    choose(handle, p);
  }

  void run(cublasLtHandle_t handle, const Device& device, const void* first, const void* second, const void* bias,
           void* result, bool accumulate) {
    if (bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    const float alpha = 1, beta = accumulate ? 1.0f : 0.0f;
    const std::shared_ptr<void> workspace = cuda_allocate(static_cast<int64_t>(chosen_.workspaceSize), device);
    check_cublas(cublaslt().matmul(handle, operation_.get(), &alpha, first, first_.get(), second, second_.get(), &beta,
                                   result, result_.get(), result, result_.get(), &chosen_.algo, workspace.get(),
                                   chosen_.workspaceSize, current_stream(device)),
                 "cublasLtMatmul");
  }

 private:
  template <class T>
  void set(cublasLtMatmulDescAttributes_t name, const T& value) {
    check_cublas(cublaslt().set_operation(operation_.get(), name, &value, sizeof(value)),
                 "cublasLtMatmulDescSetAttribute");
  }

  void choose(cublasLtHandle_t handle, const Product& p) {
    cublasLtMatmulPreference_t made = nullptr;
    check_cublas(cublaslt().create_preference(&made), "cublasLtMatmulPreferenceCreate");
    const Preference preference(made);
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t name, const auto& value) {
      check_cublas(cublaslt().set_preference(made, name, &value, sizeof(value)),
                   "cublasLtMatmulPreferenceSetAttribute");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspaceLimit);
    // Parts of a long sum are joined in a fixed order, in float32.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<uint32_t>(p.first_alignment));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<uint32_t>(p.second_alignment));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<uint32_t>(p.result_alignment));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<uint32_t>(p.result_alignment));
    int found = 0;
    check_cublas(cublaslt().heuristic(handle, operation_.get(), first_.get(), second_.get(), result_.get(),
                                      result_.get(), made, 1, &chosen_, &found),
                 "cublasLtMatmulAlgoGetHeuristic");
    GHOST_CHECK_AS(kDevice, found > 0, "linear: cuBLASLt has no algorithm for a product of ", p.columns, 'x', p.inner,
                   " and ", p.inner, 'x', p.rows, ". Use device=cpu for this model, or report it.");
  }

  Layout first_, second_, result_;
  Operation operation_;
  cublasLtMatmulHeuristicResult_t chosen_{};
};

// One device's handle and plans. A model has a few products per batch size, so none is ever dropped.
class MatmulCache {
 public:
  explicit MatmulCache(const Device& device) : device_(device) {
    current_stream(device);
    check_cublas(cublaslt().create(&handle_), "cublasLtCreate");
  }

  void run(const Product& product, const void* first, const void* second, const void* bias, void* result,
           bool accumulate) {
    const std::lock_guard lock(mutex_);
    current_stream(device_);
    std::unique_ptr<MatmulPlan>& plan = plans_[product];
    if (!plan) plan = std::make_unique<MatmulPlan>(handle_, product, bias);
    plan->run(handle_, device_, first, second, bias, result, accumulate);
  }

 private:
  const Device device_;
  std::mutex mutex_;
  cublasLtHandle_t handle_ = nullptr;
  std::map<Product, std::unique_ptr<MatmulPlan>> plans_;
};

// Never destroyed: at exit the driver may be gone before static objects are.
MatmulCache& matmul_cache(const Device& device) {
  static std::mutex mutex;
  static std::map<int, MatmulCache*>& caches = *new std::map<int, MatmulCache*>;
  const std::lock_guard lock(mutex);
  MatmulCache*& cache = caches[device.index()];
  if (cache == nullptr) cache = new MatmulCache(device);
  return *cache;
}

int64_t alignment_of(const Tensor& tensor) {
  return int64_t{1} << std::countr_zero(reinterpret_cast<uintptr_t>(tensor.raw_data()) | 256u);
}

// A single row may carry any pitch; cuBLASLt wants one that holds the row.
int64_t pitch_of(const Tensor& matrix) { return matrix.contiguous() ? matrix.channels() : matrix.pitch(); }

}  // namespace

void matmul(const Tensor& a, const Tensor& b, const Tensor& bias, const Tensor& c, const MatmulOptions& options) {
  const int64_t inner = options.transpose_a ? a.pixels() : a.channels();
  GHOST_ASSERT(inner > 0 && inner == (options.transpose_b ? b.channels() : b.pixels()) &&
                   !(options.accumulate && bias.defined()),
               "matmul of ", a.shape(), " and ", b.shape());
  const DType dtype = require_maps("linear", {a, b, c});
  GHOST_ASSERT(!bias.defined() || dtype == DType::kFloat32, "matmul of ", dtype, " with a bias");
  if (c.empty()) return;
  // A row-major matrix is its own transpose in column-major words, so the flags stay as they are.
  const Product product{.dtype = dtype,
                        .tf32 = dtype == DType::kFloat32 && Tf32Scope::active(),
                        .rows = c.channels(),
                        .columns = c.pixels(),
                        .inner = inner,
                        .first_pitch = pitch_of(b),
                        .second_pitch = pitch_of(a),
                        .result_pitch = pitch_of(c),
                        .first_alignment = alignment_of(b),
                        .second_alignment = alignment_of(a),
                        .result_alignment = alignment_of(c),
                        .bias_alignment = bias.defined() ? alignment_of(bias) : 0,
                        .transpose_first = options.transpose_b,
                        .transpose_second = options.transpose_a};
  matmul_cache(c.device())
      .run(product, b.raw_data(), a.raw_data(), bias.defined() ? bias.raw_data() : nullptr, c.raw_data(),
           options.accumulate);
}

}  // namespace ghost::cuda
