#include "core/upload.h"

namespace ghost {

BatchUpload::BatchUpload(const Device& device) { require_cpu(device); }

std::vector<Tensor> BatchUpload::send(const std::vector<Tensor>& parts, int64_t) { return parts; }

}  // namespace ghost
