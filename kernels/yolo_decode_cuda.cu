#include <algorithm>
#include <array>

#include "kernels/cuda_reduce.h"
#include "kernels/cuda_vector.h"
#include "kernels/yolo_box.h"
#include "kernels/yolo_candidates.h"

namespace ghost {
namespace cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int64_t kBlocks = 256;  // of a picture
// Scores lie in [0, 1]; a bin holds those with the same exponent and first 4 bits behind the point.
constexpr int kBins = 2048, kBinShift = 19;

__device__ inline int bin_of(float score) { return __float_as_int(score) >> kBinShift; }

struct Decode {
  yolo::MapView<float> map;
  int64_t anchors, before;  // of a picture: in this map, in the maps before
  float threshold;
  bool multi_label;
};

// Calls take(label, score) in one lane for each candidate of anchor `a`; a warp's lanes share the classes.
template <class Take>
__device__ inline void for_candidates(const Decode& decode, int64_t a, const Take& take) {
  const int lane = threadIdx.x % 32;
  const int classes = static_cast<int>(decode.map.classes);
  const float* const x = decode.map.data + decode.map.offset(a) + 4;
  const float objectness = yolo::sigmoid(x[0]);
  if (!(objectness >= decode.threshold) || !yolo::is_finite(decode.map.box(a, false))) return;
  if (decode.multi_label) {
    for (int c = lane; c < classes; c += 32) {
      const float score = objectness * yolo::sigmoid(x[1 + c]);
      if (score >= decode.threshold) take(c, score);
    }
    return;
  }
  int best = 0;
  float highest = x[1];
  for (int c = lane; c < classes; c += 32) {
    if (!(x[1 + c] > highest)) continue;
    highest = x[1 + c];
    best = c;
  }
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    const float other = __shfl_xor_sync(0xffffffffu, highest, lanes);
    const int other_best = __shfl_xor_sync(0xffffffffu, best, lanes);
    if (other > highest || (other == highest && other_best < best)) {
      highest = other;
      best = other_best;
    }
  }
  const float score = objectness * yolo::sigmoid(highest);
  if (lane == 0 && score >= decode.threshold) take(best, score);
}

// bins {n, kBins}: candidates by score. blockIdx.y is the picture.
__global__ void yolo_score_bins_kernel(Decode decode, int* bins) {
  __shared__ int shared[kBins];
  for (int i = threadIdx.x; i < kBins; i += kThreads) shared[i] = 0;
  __syncthreads();
  const int64_t image = blockIdx.y;
  for (int64_t a = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32; a < decode.anchors;
       a += static_cast<int64_t>(gridDim.x) * kWarps)
    for_candidates(decode, image * decode.anchors + a, [&](int, float score) { atomicAdd(&shared[bin_of(score)], 1); });
  __syncthreads();
  for (int i = threadIdx.x; i < kBins; i += kThreads)
    if (shared[i] != 0) atomicAdd(&bins[image * kBins + i], shared[i]);
}

// Writes candidates from bin first_bin[image] on to the picture's rows, [first_row[image], first_row[image + 1]), as
// they come: their keys have the order. boxes {rows, 4}: centre and size.
__global__ void yolo_append_kernel(Decode decode, const int* first_bin, const int* first_row, int* appended,
                                   int64_t* keys, float* boxes) {
  const int64_t image = blockIdx.y;
  for (int64_t a = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32; a < decode.anchors;
       a += static_cast<int64_t>(gridDim.x) * kWarps) {
    for_candidates(decode, image * decode.anchors + a, [&](int label, float score) {
      if (bin_of(score) < first_bin[image]) return;
      const int64_t row = first_row[image] + atomicAdd(&appended[image], 1);
      const yolo::CentredBox<float> box = decode.map.box(image * decode.anchors + a, false);
      keys[row] = yolo_candidate_key(score, (decode.before + a) * decode.map.classes + label);
      store_vector<float4>(boxes + row * 4, make_float4(box.x, box.y, box.w, box.h));
    });
  }
}

std::array<Decode, kYoloMaps> decoders(const std::vector<Tensor>& maps, const DecodeBoxesOptions& options) {
  std::array<Decode, kYoloMaps> result{};
  int64_t before = 0;
  for (int l = 0; l < kYoloMaps; ++l) {
    const auto map = yolo::map_view<float>(maps[static_cast<size_t>(l)], l, options.anchors);
    const int64_t anchors = map.h * map.w * kYoloAnchors;
    result[static_cast<size_t>(l)] = {map, anchors, before, static_cast<float>(options.score_threshold),
                                      options.multi_label};
    before += anchors;
  }
  return result;
}

dim3 decode_grid(const Decode& decode, int64_t pictures) {
  return dim3(grid_for(decode.anchors, kWarps, kBlocks), static_cast<unsigned>(pictures));
}

// The lowest bin that each picture's candidates come from, and where they lie.
struct Cut {
  std::vector<int32_t> first_bin, first_row;
  int64_t largest = 0;  // rows of a picture
  int64_t rows() const { return first_row.back(); }
};

Cut cut_of(const Tensor& bins) {
  const Tensor counts = bins.to(Device::cpu());
  Cut cut{{}, {0}};
  for (int64_t image = 0; image < counts.dim(0); ++image) {
    const int32_t* const count = counts.data<int32_t>() + image * kBins;
    int64_t rows = 0;
    int bin = kBins;
    while (bin > 0 && rows < kYoloCandidates) rows += count[--bin];
    cut.largest = std::max(cut.largest, rows);
    rows += cut.rows();
    GHOST_CHECK(rows <= INT32_MAX, "detect_boxes: ", rows,
                " candidates have nearly equal scores; raise score_threshold or take fewer pictures at once");
    cut.first_bin.push_back(bin);
    cut.first_row.push_back(static_cast<int32_t>(rows));
  }
  return cut;
}

void check_sizes(const std::array<Decode, kYoloMaps>& decodes, int64_t pictures) {
  GHOST_CHECK(pictures <= 65535, "detect_boxes: ", pictures, " pictures at once, at most 65535 are possible on CUDA");
  const Decode& last = decodes.back();
  const int64_t anchors = last.before + last.anchors;
  GHOST_CHECK(anchors * last.map.classes <= UINT32_MAX, "detect_boxes: ", anchors, " anchors of ", last.map.classes,
              " classes in a picture, their product must be below 2^32 on CUDA; take smaller pictures");
}

}  // namespace

YoloCandidates yolo_candidates(const std::vector<Tensor>& maps, const DecodeBoxesOptions& options) {
  require_float32("detect_boxes", {maps[0]});
  const int64_t pictures = maps[0].dim(0);
  const Device device = maps[0].device();
  const cudaStream_t stream = current_stream(device);
  const TensorOptions integers{DType::kInt32, device};
  const std::array<Decode, kYoloMaps> decodes = decoders(maps, options);
  check_sizes(decodes, pictures);
  const Tensor bins = Tensor::zeros({pictures, kBins}, integers), appended = Tensor::zeros({pictures}, integers);
  for (const Decode& decode : decodes)
    launch(yolo_score_bins_kernel, decode_grid(decode, pictures), kThreads, 0, stream, decode, bins.data<int32_t>());
  const Cut cut = cut_of(bins);
  const Tensor first_bin = Tensor::from(cut.first_bin, {pictures}).to(device);
  const YoloCandidates found{Tensor({cut.rows()}, {DType::kInt64, device}),
                             Tensor({cut.rows(), 4}, {DType::kFloat32, device}),
                             Tensor::from(cut.first_row, {pictures + 1}).to(device), cut.largest};
  if (cut.largest == 0) return found;
  for (const Decode& decode : decodes)
    launch(yolo_append_kernel, decode_grid(decode, pictures), kThreads, 0, stream, decode, first_bin.data<int32_t>(),
           found.first_row.data<int32_t>(), appended.data<int32_t>(), found.keys.data<int64_t>(),
           found.boxes.data<float>());
  return found;
}

}  // namespace cuda
}  // namespace ghost
