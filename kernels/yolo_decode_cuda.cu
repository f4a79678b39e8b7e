#include <algorithm>

#include "kernels/cuda_reduce.h"
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
// they come: the host sorts. boxes {rows, 5}: cx, cy, w, h, score; places {rows, 2}: place, label.
__global__ void yolo_append_kernel(Decode decode, const int* first_bin, const int* first_row, int* appended,
                                   float* boxes, int* places) {
  const int64_t image = blockIdx.y;
  for (int64_t a = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32; a < decode.anchors;
       a += static_cast<int64_t>(gridDim.x) * kWarps) {
    for_candidates(decode, image * decode.anchors + a, [&](int label, float score) {
      if (bin_of(score) < first_bin[image]) return;
      const int64_t row = first_row[image] + atomicAdd(&appended[image], 1);
      if (row >= first_row[image + 1]) return;
      const yolo::CentredBox<float> box = decode.map.box(image * decode.anchors + a, false);
      float* const to = boxes + row * 5;
      to[0] = box.x;
      to[1] = box.y;
      to[2] = box.w;
      to[3] = box.h;
      to[4] = score;
      places[row * 2] = static_cast<int>(decode.before + a);
      places[row * 2 + 1] = label;
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
    rows += cut.rows();
    GHOST_CHECK(rows <= INT32_MAX, "detect_boxes: ", rows,
                " candidates have nearly equal scores; raise score_threshold or take fewer pictures at once");
    cut.first_bin.push_back(bin);
    cut.first_row.push_back(static_cast<int32_t>(rows));
  }
  return cut;
}

YoloCandidate candidate_of(const float* box, const int32_t* place) {
  const double x = box[0], y = box[1], w = box[2] / 2, h = box[3] / 2;
  return {{x - w, y - h, x + w, y + h}, box[4], place[0], place[1]};
}

std::vector<std::vector<YoloCandidate>> to_host(const Tensor& boxes, const Tensor& places, const Tensor& appended,
                                                const Cut& cut) {
  std::vector<std::vector<YoloCandidate>> pictures(cut.first_bin.size());
  for (size_t image = 0; image < pictures.size(); ++image) {
    const int64_t begin = cut.first_row[image];
    const int64_t count = std::min(appended.data<int32_t>()[image], cut.first_row[image + 1] - cut.first_row[image]);
    for (int64_t row = begin; row < begin + count; ++row)
      pictures[image].push_back(candidate_of(boxes.data<float>() + row * 5, places.data<int32_t>() + row * 2));
  }
  return pictures;
}

}  // namespace

std::vector<std::vector<YoloCandidate>> yolo_candidates(const std::vector<Tensor>& maps,
                                                        const DecodeBoxesOptions& options) {
  require_float32("detect_boxes", {maps[0]});
  const int64_t pictures = maps[0].dim(0);
  GHOST_CHECK(pictures <= 65535, "detect_boxes: ", pictures, " pictures at once, at most 65535 are possible on CUDA");
  const Device device = maps[0].device();
  const cudaStream_t stream = current_stream(device);
  const TensorOptions integers{DType::kInt32, device};
  const std::array<Decode, kYoloMaps> decodes = decoders(maps, options);
  const Tensor bins = Tensor::zeros({pictures, kBins}, integers), appended = Tensor::zeros({pictures}, integers);
  for (const Decode& decode : decodes)
    launch(yolo_score_bins_kernel, decode_grid(decode, pictures), kThreads, 0, stream, decode, bins.data<int32_t>());
  const Cut cut = cut_of(bins);
  const Tensor first_bin = Tensor::from(cut.first_bin, {pictures}).to(device);
  const Tensor first_row = Tensor::from(cut.first_row, {pictures + 1}).to(device);
  const Tensor boxes({cut.rows(), 5}, {DType::kFloat32, device}), places({cut.rows(), 2}, integers);
  if (cut.rows() > 0)
    for (const Decode& decode : decodes)
      launch(yolo_append_kernel, decode_grid(decode, pictures), kThreads, 0, stream, decode, first_bin.data<int32_t>(),
             first_row.data<int32_t>(), appended.data<int32_t>(), boxes.data<float>(), places.data<int32_t>());
  const Device host = Device::cpu();
  return to_host(boxes.to(host), places.to(host), appended.to(host), cut);
}

}  // namespace cuda
}  // namespace ghost
