#include <algorithm>
#include <utility>

#include "core/launch.h"
#include "kernels/yolo_candidates.h"

namespace ghost {
namespace cuda {
namespace {

constexpr int kRun = 256;                // rows that a block sorts before runs are merged
constexpr int kTile = 64, kSharers = 8;  // candidates judged at once, and threads that share in each
constexpr int kThreads = kTile * kSharers;

struct alignas(16) Entry {
  int64_t key, row;
};

// Sorts runs of kRun rows: a row's place is the number of smaller keys. blockIdx.y is the picture.
__global__ void yolo_sort_runs_kernel(const int64_t* keys, const int* first_row, Entry* sorted) {
  __shared__ int64_t run[kRun];
  const int64_t begin = first_row[blockIdx.y] + static_cast<int64_t>(blockIdx.x) * kRun;
  const int64_t size = min(static_cast<int64_t>(kRun), first_row[blockIdx.y + 1] - begin);
  const int own = threadIdx.x;
  if (own < size) run[own] = keys[begin + own];
  __syncthreads();
  if (own >= size) return;
  int place = 0;
  for (int i = 0; i < size; ++i) place += run[i] < run[own];
  sorted[begin + place] = {run[own], begin + own};
}

// Merges neighbouring sorted runs of `run` rows, a power of two: to an entry's place in its own run comes the number of
// smaller keys in the other.
__global__ void yolo_merge_runs_kernel(const Entry* from, const int* first_row, int64_t run, Entry* to) {
  const int64_t begin = first_row[blockIdx.y], size = first_row[blockIdx.y + 1] - begin;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kRun + threadIdx.x;
  if (i >= size) return;
  const Entry entry = from[begin + i];
  const int64_t other = min((i & ~(run - 1)) ^ run, size);
  int64_t low = other, high = min(other + run, size);
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (from[begin + middle].key < entry.key)
      low = middle + 1;
    else
      high = middle;
  }
  to[begin + (i & ~run) + (low - other)] = entry;
}

struct Candidate {
  double left, top, right, bottom, score, label;
};

__device__ inline Candidate candidate_of(const Entry& entry, const float* boxes, int64_t classes) {
  const float* const box = boxes + entry.row * 4;
  const double x = box[0], y = box[1], w = box[2] / 2.0, h = box[3] / 2.0;
  const float score = __int_as_float(INT32_MAX - static_cast<int>(entry.key >> 32));
  const int64_t slot = entry.key & UINT32_MAX;
  return {x - w, y - h, x + w, y + h, score, static_cast<double>(slot % classes)};
}

__device__ inline double area(const Candidate& box) {
  return __dmul_rn(fmax(0.0, box.right - box.left), fmax(0.0, box.bottom - box.top));
}

// intersection_over_union(a, b) > limit, for a limit of at least 0. In double, and no product is fused with a sum, so
// that a pair at the limit falls on the same side as on the CPU.
__device__ inline bool overlap(const Candidate& a, const Candidate& b, double limit) {
  if (a.label != b.label) return false;
  const double width = fmin(a.right, b.right) - fmax(a.left, b.left);
  const double height = fmin(a.bottom, b.bottom) - fmax(a.top, b.top);
  if (!(width > 0 && height > 0)) return false;
  const double shared = __dmul_rn(width, height), joint = area(a) + area(b) - shared;
  return joint > 0 && shared / joint > limit;
}

// Who of a tile stays: walks it from the best on. Bit j of overlaps[i]: i < j overlap.
__device__ inline uint64_t walk(const uint64_t* overlaps, const bool* lost, int size, int most) {
  uint64_t stay = 0, fallen = 0;
  for (int i = 0; i < size && most > 0; ++i) {
    if (lost[i] || (fallen >> i & 1) != 0) continue;
    stay |= uint64_t{1} << i;
    fallen |= overlaps[i];
    --most;
  }
  return stay;
}

// A block takes a picture's candidates from the best on, a tile at a time: against what is kept so far, then against
// each other. So the work grows with the kept boxes, and no table of all pairs is needed. kept {most, pictures}.
__global__ void yolo_suppress_kernel(const Entry* sorted, const float* boxes, const int* first_row, int64_t classes,
                                     double limit, int most, Candidate* kept, int* kept_count) {
  __shared__ Candidate tile[kTile];
  __shared__ uint64_t overlaps[kTile], stay;
  __shared__ bool lost[kTile];
  const int64_t image = blockIdx.x, pictures = gridDim.x;
  const int64_t begin = first_row[image], end = min(int64_t{first_row[image + 1]}, begin + kYoloCandidates);
  const int thread = threadIdx.x, own = thread / kSharers, sharer = thread % kSharers;
  int count = 0;
  for (int64_t first = begin; first < end && count < most; first += kTile) {
    const int size = static_cast<int>(min(int64_t{kTile}, end - first));
    if (thread < size) tile[thread] = candidate_of(sorted[first + thread], boxes, classes);
    __syncthreads();
    int own_lost = own >= size;
    for (int k = sharer; k < count && !own_lost; k += kSharers)
      own_lost = overlap(tile[own], kept[k * pictures + image], limit);
    uint64_t own_overlaps = 0;
    for (int j = own + 1 + sharer; j < size; j += kSharers)
      own_overlaps |= static_cast<uint64_t>(overlap(tile[own], tile[j], limit)) << j;
    for (int lanes = 1; lanes < kSharers; lanes *= 2) {
      own_lost |= __shfl_xor_sync(0xffffffffu, own_lost, lanes);
      own_overlaps |= __shfl_xor_sync(0xffffffffu, own_overlaps, lanes);
    }
    if (sharer == 0) {
      lost[own] = own_lost != 0;
      overlaps[own] = own_overlaps;
    }
    __syncthreads();
    if (thread == 0) stay = walk(overlaps, lost, size, most - count);
    __syncthreads();
    if (thread < size && (stay >> thread & 1) != 0) {
      const int before = __popcll(stay & ((uint64_t{1} << thread) - 1));
      kept[(count + before) * pictures + image] = tile[thread];
    }
    count += __popcll(stay);
  }
  if (thread == 0) kept_count[image] = count;
}

// Row numbers of `candidates` by picture and key.
Tensor sort(const YoloCandidates& candidates, cudaStream_t stream) {
  const Shape shape{candidates.keys.numel(), static_cast<int64_t>(sizeof(Entry) / sizeof(int64_t))};
  Tensor sorted(shape, candidates.keys.options());
  const int* const first_row = candidates.first_row.data<int32_t>();
  const dim3 grid(static_cast<unsigned>(ceil_div(candidates.largest, kRun)),
                  static_cast<unsigned>(candidates.first_row.numel() - 1));
  launch(yolo_sort_runs_kernel, grid, kRun, 0, stream, candidates.keys.data<int64_t>(), first_row,
         static_cast<Entry*>(sorted.raw_data()));
  Tensor merged;
  if (candidates.largest > kRun) merged = Tensor(shape, candidates.keys.options());
  for (int64_t run = kRun; run < candidates.largest; run *= 2) {
    launch(yolo_merge_runs_kernel, grid, kRun, 0, stream, static_cast<const Entry*>(sorted.raw_data()), first_row, run,
           static_cast<Entry*>(merged.raw_data()));
    std::swap(sorted, merged);
  }
  return sorted;
}

std::vector<std::vector<ScoredBox>> to_host(const Tensor& kept, const Tensor& kept_count) {
  const Tensor count = kept_count.to(Device::cpu());
  const int64_t pictures = count.numel();
  std::vector<std::vector<ScoredBox>> found(static_cast<size_t>(pictures));
  const int64_t most = *std::max_element(count.data<int32_t>(), count.data<int32_t>() + pictures);
  const Tensor rows = kept.rows(0, most).to(Device::cpu());
  for (int64_t image = 0; image < pictures; ++image) {
    for (int64_t k = 0; k < count.data<int32_t>()[image]; ++k) {
      const Candidate& box = static_cast<const Candidate*>(rows.raw_data())[k * pictures + image];
      found[static_cast<size_t>(image)].push_back(
          {{box.left, box.top, box.right, box.bottom}, static_cast<int64_t>(box.label), box.score});
    }
  }
  return found;
}

}  // namespace

std::vector<std::vector<ScoredBox>> suppress_boxes(const YoloCandidates& candidates,
                                                   const DecodeBoxesOptions& options) {
  const int64_t pictures = candidates.first_row.numel() - 1;
  if (candidates.largest == 0) return std::vector<std::vector<ScoredBox>>(static_cast<size_t>(pictures));
  const Device device = candidates.keys.device();
  const cudaStream_t stream = current_stream(device);
  const Tensor sorted = sort(candidates, stream);
  const int64_t most = std::min({options.max_detections, candidates.largest, kYoloCandidates});
  const Tensor kept({most, pictures, static_cast<int64_t>(sizeof(Candidate) / sizeof(double))},
                    {DType::kFloat64, device});
  const Tensor kept_count({pictures}, {DType::kInt32, device});
  launch(yolo_suppress_kernel, static_cast<unsigned>(pictures), kThreads, 0, stream,
         static_cast<const Entry*>(sorted.raw_data()), candidates.boxes.data<float>(),
         candidates.first_row.data<int32_t>(), options.num_classes, options.iou_threshold, static_cast<int>(most),
         static_cast<Candidate*>(kept.raw_data()), kept_count.data<int32_t>());
  return to_host(kept, kept_count);
}

std::vector<std::vector<ScoredBox>> yolo_detect(const std::vector<Tensor>& maps, const DecodeBoxesOptions& options) {
  return suppress_boxes(yolo_candidates(maps, options), options);
}

}  // namespace cuda
}  // namespace ghost
