#include <array>
#include <cstring>
#include <map>

#include "core/allocator.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/stream_cuda.h"
#include "core/upload.h"

namespace ghost {
namespace {

constexpr int64_t kStep = 64;  // elements: parts begin at a multiple of 256 bytes, as blocks of their own do

// Where the parts of a batch lie in one buffer: those of a type next to each other, as views of one tensor.
struct Layout {
  struct Group {
    DType dtype;
    int64_t elements = 0, offset = 0;  // bytes from the buffer's beginning
    int64_t bytes() const { return elements * size_of(dtype); }
  };
  struct Place {
    size_t group;
    int64_t first;  // element of the group
  };

  explicit Layout(const std::vector<Tensor>& parts) {
    for (const Tensor& part : parts) {
      GHOST_ASSERT(part.device().is_cpu() && part.contiguous(), "upload of ", part.shape(), " on ", part.device());
      size_t at = 0;
      while (at < groups.size() && groups[at].dtype != part.dtype()) ++at;
      if (at == groups.size()) groups.push_back({part.dtype()});
      places.push_back({at, groups[at].elements});
      groups[at].elements += (part.numel() + kStep - 1) / kStep * kStep;
    }
    for (Group& group : groups) {
      group.offset = bytes;
      bytes += group.bytes();
    }
  }
  int64_t offset(size_t part) const {
    const Group& group = groups[places[part].group];
    return group.offset + places[part].first * size_of(group.dtype);
  }

  std::vector<Group> groups;
  std::vector<Place> places;  // by part
  int64_t bytes = 0;
};

std::shared_ptr<void> pinned(int64_t bytes) {
  void* memory = nullptr;
  GHOST_CUDA_CALL(cudaMallocHost(&memory, static_cast<size_t>(bytes)));
  return {memory, [](void* pointer) {
            if (const cudaError_t status = cudaFreeHost(pointer); status != cudaSuccess)
              log_cuda_failure("cudaFreeHost", cudaGetErrorString(status));
          }};
}

void copy_bytes(const Tensor& part, void* to) {
  const char* const from = static_cast<const char*>(part.raw_data());
  parallel_chunks(part.numel() * size_of(part.dtype()), int64_t{1} << 20, [&](int64_t begin, int64_t end) {
    std::memcpy(static_cast<char*>(to) + begin, from + begin, static_cast<size_t>(end - begin));
  });
}

void copy_async(void* to, const void* from, int64_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (bytes > 0) GHOST_CUDA_CALL(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kind, stream));
}

// One of the two ways that batches take in turn.
struct Lane {
  explicit Lane(const Device& device) : sent(device), taken(device) {}

  void make_room(int64_t bytes, const Device& device) {
    if (bytes <= room) return;
    sent.wait();
    host = pinned(bytes);
    staged = cuda_allocate(bytes, device);
    taken.record(current_stream(device));  // the block may have had another use before
    room = bytes;
  }

  std::shared_ptr<void> host, staged;  // pinned memory, the device's
  int64_t room = 0;                    // bytes of either
  CudaEvent sent;                      // `host` has been read
  CudaEvent taken;                     // `staged` has been read
};

}  // namespace

class BatchUpload::Lanes {
 public:
  explicit Lanes(const Device& device) : device_(device), lanes_{Lane(device), Lane(device)}, stream_(device) {}

  std::vector<Tensor> send(const std::vector<Tensor>& parts, int64_t place) {
    const Layout layout(parts);
    Lane& lane = lanes_[static_cast<size_t>(count_++ % 2)];
    lane.make_room(layout.bytes, device_);
    char *const host = static_cast<char*>(lane.host.get()), *const staged = static_cast<char*>(lane.staged.get());
    const cudaStream_t work = current_stream(device_);

    lane.sent.wait();
    for (size_t i = 0; i < parts.size(); ++i) copy_bytes(parts[i], host + layout.offset(i));
    lane.taken.hold(stream_.get());
    copy_async(staged, host, layout.bytes, cudaMemcpyHostToDevice, stream_.get());
    lane.sent.record(stream_.get());
    lane.sent.hold(work);
    const std::vector<Tensor>& targets = targets_of(parts, layout, place);
    for (size_t k = 0; k < targets.size(); ++k)
      copy_async(targets[k].raw_data(), staged + layout.groups[k].offset, layout.groups[k].bytes(),
                 cudaMemcpyDeviceToDevice, work);
    lane.taken.record(work);

    std::vector<Tensor> result;
    for (size_t i = 0; i < parts.size(); ++i) {
      const auto [group, first] = layout.places[i];
      result.push_back(targets[group].rows(first, parts[i].numel()).reshape(parts[i].shape()));
    }
    return result;
  }

 private:
  // Where work on the device reads such a batch, a tensor for each type.
  const std::vector<Tensor>& targets_of(const std::vector<Tensor>& parts, const Layout& layout, int64_t place) {
    std::string key = str(place);
    for (const Tensor& part : parts) key += str(' ', part.dtype(), part.shape());
    const auto [at, is_new] = targets_.try_emplace(key);
    for (const Layout::Group& group : layout.groups)
      if (is_new) at->second.emplace_back(Shape{group.elements}, TensorOptions{group.dtype, device_});
    return at->second;
  }

  const Device device_;
  std::map<std::string, std::vector<Tensor>> targets_;
  std::array<Lane, 2> lanes_;
  CudaStream stream_;  // last: what is on its way arrives before anything goes
  int64_t count_ = 0;
};

BatchUpload::BatchUpload(const Device& device) : lanes_(device.is_cuda() ? std::make_shared<Lanes>(device) : nullptr) {}

std::vector<Tensor> BatchUpload::send(const std::vector<Tensor>& parts, int64_t place) {
  return lanes_ ? lanes_->send(parts, place) : parts;
}

}  // namespace ghost
