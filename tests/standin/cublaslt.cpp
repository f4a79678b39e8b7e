// cuBLASLt on the CPU: products of column-major matrices in float32, bfloat16 or float16, with a bias for each row of a
// float32 result.
#include "tests/standin/toolkit/cublasLt.h"

#include <bit>
#include <cstring>
#include <string>

#include "tests/standin/element.h"
#include "tests/standin/standin.h"

struct cublasLtContext {};
struct cublasLtMatmulDescOpaque_t {
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const float* bias = nullptr;
  bool tf32 = false;
};
struct cublasLtMatrixLayoutOpaque_t {
  int64_t rows, columns, pitch;
  ghost::DType type;
  size_t bytes() const { return static_cast<size_t>(((columns - 1) * pitch + rows) * ghost::size_of(type)); }
};
struct cublasLtMatmulPreferenceOpaque_t {
  size_t workspace = 0;
  uint32_t reduction = 0, a = 256, b = 256, c = 256, d = 256;  // alignments
};

namespace {

using ghost::standin::report_mistake;

constexpr size_t kWorkspace = 777;

cublasStatus_t mistake(const std::string& what) {
  report_mistake("cuBLASLt: " + what);
  return CUBLAS_STATUS_INVALID_VALUE;
}

template <class T>
cublasStatus_t take(T& into, const void* value, size_t bytes) {
  if (bytes != sizeof(T)) return mistake("an attribute of " + std::to_string(bytes) + " bytes");
  std::memcpy(&into, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

// A matrix as an operation takes it: element (i, p) of op(matrix).
struct Operand {
  const void* data;
  ghost::DType type;
  int64_t row, column;  // steps
  bool tf32;
  float at(int64_t i, int64_t p) const {
    const float value = ghost::standin::element(data, type, i * row + p * column);
    return tf32 ? ghost::standin::rounded_to_tf32(value) : value;
  }
};
Operand operand(const void* data, const cublasLtMatrixLayoutOpaque_t& layout, cublasOperation_t op, bool tf32) {
  const bool plain = op == CUBLAS_OP_N;
  return {data, layout.type, plain ? 1 : layout.pitch, plain ? layout.pitch : 1, tf32};
}

bool fits(const cublasLtMatmulDescOpaque_t& op, const cublasLtMatrixLayoutOpaque_t& a,
          const cublasLtMatrixLayoutOpaque_t& b, const cublasLtMatrixLayoutOpaque_t& d) {
  const int64_t rows = op.a == CUBLAS_OP_N ? a.rows : a.columns, inner = op.a == CUBLAS_OP_N ? a.columns : a.rows;
  const int64_t columns = op.b == CUBLAS_OP_N ? b.columns : b.rows, other = op.b == CUBLAS_OP_N ? b.rows : b.columns;
  return a.type == d.type && b.type == d.type && rows == d.rows && columns == d.columns && inner == other &&
         a.pitch >= a.rows && b.pitch >= b.rows && d.pitch >= d.rows;
}

bool usable(const char* name, const void* data, const cublasLtMatrixLayoutOpaque_t& layout, uint64_t alignment) {
  if (reinterpret_cast<uintptr_t>(data) % alignment != 0) {
    mistake(std::string(name) + " is not aligned to the promised " + std::to_string(alignment) + " bytes");
    return false;
  }
  return ghost::standin::check_range(data, layout.bytes(), std::string("cuBLASLt, ") + name);
}

}  // namespace

extern "C" {

const char* ghost_standin_name() { return "cuBLASLt of tests/standin"; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}

const char* cublasLtGetStatusName(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "CUBLAS_STATUS_SUCCESS" : "a status of the cuBLASLt stand-in";
}
const char* cublasLtGetStatusString(cublasStatus_t status) { return cublasLtGetStatusName(status); }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* operation, cublasComputeType_t compute, cudaDataType) {
  *operation = new cublasLtMatmulDescOpaque_t;
  (*operation)->tf32 = compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
  delete operation;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t name,
                                              const void* value, size_t bytes) {
  switch (name) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return take(operation->a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB: return take(operation->b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return take(operation->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return take(operation->bias, value, bytes);
  }
  return mistake("an unknown attribute of a product");
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t pitch) {
  const ghost::DType element = type == CUDA_R_16BF  ? ghost::DType::kBFloat16
                               : type == CUDA_R_16F ? ghost::DType::kFloat16
                                                    : ghost::DType::kFloat32;
  *layout = new cublasLtMatrixLayoutOpaque_t{static_cast<int64_t>(rows), static_cast<int64_t>(columns), pitch, element};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new cublasLtMatmulPreferenceOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t name, const void* value,
                                                    size_t bytes) {
  switch (name) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: return take(preference->workspace, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK: return take(preference->reduction, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES: return take(preference->a, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES: return take(preference->b, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES: return take(preference->c, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES: return take(preference->d, value, bytes);
  }
  return mistake("an unknown preference");
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t results[], int* found) {
  *found = 0;
  if (!fits(*operation, *a, *b, *d)) return mistake("matrices that do not fit each other");
  if (requested < 1 || preference->workspace < kWorkspace) return CUBLAS_STATUS_NOT_SUPPORTED;
  results[0] = {.algo = {{preference->a, preference->b, preference->d}},
                .workspaceSize = kWorkspace,
                .state = CUBLAS_STATUS_SUCCESS,
                .wavesCount = 1,
                .reserved = {}};
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  const cublasLtMatmulDescOpaque_t op = *operation;
  if (!fits(op, *a_layout, *b_layout, *d_layout) || c != d) return mistake("matrices that do not fit each other");
  if (!usable("a", a, *a_layout, algo->data[0]) || !usable("b", b, *b_layout, algo->data[1]) ||
      !usable("d", d, *d_layout, algo->data[2]))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (workspace_bytes < kWorkspace || !ghost::standin::check_range(workspace, kWorkspace, "cuBLASLt, workspace"))
    return mistake("the workspace is too small");
  const bool bias = op.epilogue == CUBLASLT_EPILOGUE_BIAS;
  if (bias && !ghost::standin::check_range(op.bias, static_cast<size_t>(d_layout->rows) * sizeof(float), "bias"))
    return CUBLAS_STATUS_INVALID_VALUE;
  const double factor = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
  const Operand left = operand(a, *a_layout, op.a, op.tf32), right = operand(b, *b_layout, op.b, op.tf32);
  const int64_t inner = op.a == CUBLAS_OP_N ? a_layout->columns : a_layout->rows;
  const int64_t result = d_layout->rows * d_layout->columns;
  const int64_t read = (d_layout->rows + d_layout->columns) * inner + (keep == 0 ? 0 : result);
  const int64_t bytes = ghost::size_of(d_layout->type);
  const cudaError_t status = ghost::standin::call_library(stream, bytes * read, bytes * result, [=, size = *d_layout] {
    std::memset(workspace, 0xff, kWorkspace);
    for (int64_t j = 0; j < size.columns; ++j)
      for (int64_t i = 0; i < size.rows; ++i) {
        double sum = 0;
        for (int64_t p = 0; p < inner; ++p) sum += double{left.at(i, p)} * right.at(p, j);
        const int64_t at = j * size.pitch + i;
        const double old = keep == 0 ? 0 : keep * ghost::standin::element(d, size.type, at);
        ghost::standin::set_element(d, size.type, at, static_cast<float>(factor * sum + old + (bias ? op.bias[i] : 0)));
      }
  });
  return status == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

}  // extern "C"
