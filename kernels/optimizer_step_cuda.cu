// Hundreds of small tensors, few launches: a launch's table of tensors travels in its arguments (no copy to the device,
// and a CUDA graph keeps it), and each block finds the piece of a tensor that it works on.
#include "kernels/cuda_reduce.h"
#include "kernels/optimizer_table.h"

namespace ghost {
namespace cuda {
namespace {

constexpr int kThreads = 256;

// P pointers of each tensor.
template <int P>
struct Table {
  static constexpr int kSlots = optimizer_table_slots(P);
  float* data[kSlots][P];
  int64_t numel[kSlots];
  float weight_decay[kSlots];
  int first_block[kSlots];  // blocks [first_block[i], first_block[i + 1]) work on tensor i
  int slots = 0, blocks = 0;

  __device__ int slot_of(int block) const {
    int low = 0, high = slots;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (first_block[middle] <= block ? low : high) = middle;
    }
    return low;
  }
};

struct Factors {
  float weight_decay, clip;  // clip: of the gradient
};

// Gives each element's P numbers to op, which changes them, and stores those that op names.
template <int V, int P, class Op>
__device__ void apply_to_pack(const Op& op, float* const (&data)[P], const Factors& factors, int64_t at) {
  Pack<V> packs[P];
  GHOST_UNROLL
  for (int p = 0; p < P; ++p) packs[p] = load<V>(data[p] + at);
  GHOST_UNROLL
  for (int i = 0; i < V; ++i) {
    float numbers[P];
    GHOST_UNROLL
    for (int p = 0; p < P; ++p) numbers[p] = packs[p].v[i];
    op(numbers, factors);
    GHOST_UNROLL
    for (int p = 0; p < P; ++p) packs[p].v[i] = numbers[p];
  }
  GHOST_UNROLL
  for (int p = 0; p < P; ++p)
    if (Op::kWrites >> p & 1) store(data[p] + at, packs[p]);
}

// norm (or null): as gradient_norm() wrote it. numbers (or null): instead of op's own.
template <int P, class Op>
__global__ void for_each_element_kernel(Table<P> table, Op op, const double* norm, const StepNumbers* numbers) {
  const double clip = norm == nullptr ? 1.0 : norm[kClip];
  if (clip == 0) return;
  if (numbers != nullptr) op.take(*numbers);
  const int slot = table.slot_of(blockIdx.x);
  float* data[P];
  bool aligned = true;
  GHOST_UNROLL
  for (int p = 0; p < P; ++p) {
    data[p] = table.data[slot][p];
    aligned = aligned && reinterpret_cast<uintptr_t>(data[p]) % sizeof(float4) == 0;
  }
  const Factors factors{table.weight_decay[slot], static_cast<float>(clip)};
  const int64_t begin = (blockIdx.x - table.first_block[slot]) * kPiece;
  const int64_t end = min(begin + kPiece, table.numel[slot]);
  const int64_t packed_end = aligned ? end - (end - begin) % 4 : begin;
  for (int64_t at = begin + threadIdx.x * 4; at < packed_end; at += kThreads * 4)
    apply_to_pack<4>(op, data, factors, at);
  for (int64_t at = packed_end + threadIdx.x; at < end; at += kThreads) apply_to_pack<1>(op, data, factors, at);
}

struct SgdOp {
  static constexpr unsigned kWrites = 0b101;  // value, momentum
  float learning_rate, momentum;
  bool nesterov;
  __device__ void take(const StepNumbers& numbers) { learning_rate = static_cast<float>(numbers.learning_rate); }
  __device__ void operator()(float (&t)[3], const Factors& factors) const {
    auto& [value, gradient, first] = t;
    const float g = factors.clip * gradient + factors.weight_decay * value;
    first = momentum * first + g;
    value -= learning_rate * (nesterov ? g + momentum * first : first);
  }
};

struct PlainSgdOp {  // without momentum, where no buffer is kept
  static constexpr unsigned kWrites = 0b1;
  float learning_rate;
  __device__ void take(const StepNumbers& numbers) { learning_rate = static_cast<float>(numbers.learning_rate); }
  __device__ void operator()(float (&t)[2], const Factors& factors) const {
    t[0] -= learning_rate * (factors.clip * t[1] + factors.weight_decay * t[0]);
  }
};

struct AdamOp {
  static constexpr unsigned kWrites = 0b1101;  // value, both moments
  float learning_rate, beta1, beta2, rest1, rest2, eps;
  float step_size, inverse_root;
  bool decoupled;
  __device__ void take(const StepNumbers& numbers) {
    learning_rate = static_cast<float>(numbers.learning_rate);
    step_size = static_cast<float>(numbers.step_size);
    inverse_root = static_cast<float>(numbers.inverse_root);
  }
  __device__ void operator()(float (&t)[4], const Factors& factors) const {
    auto& [value, gradient, first, second] = t;
    float g = factors.clip * gradient;
    if (decoupled) {
      value -= learning_rate * factors.weight_decay * value;
    } else {
      g += factors.weight_decay * value;
    }
    first = beta1 * first + rest1 * g;
    second = beta2 * second + rest2 * g * g;
    value -= step_size * first / (sqrtf(second) * inverse_root + eps);
  }
};

struct EmaOp {
  static constexpr unsigned kWrites = 0b10;  // average
  float share;
  __device__ void take(const StepNumbers& numbers) { share = static_cast<float>(numbers.average_share); }
  __device__ void operator()(float (&t)[2], const Factors&) const { t[1] += share * (t[0] - t[1]); }
};

__device__ unsigned ticket;

// partials[block] = sum of squares of the block's piece. norm (null but in the last launch): made of all partial sums,
// `first` of them from earlier launches.
__global__ void gradient_norm_kernel(Table<1> table, double* partials, int64_t first, double most, double* norm) {
  __shared__ double shared[32];
  const int slot = table.slot_of(blockIdx.x);
  const float* const data = table.data[slot][0];
  const int64_t begin = (blockIdx.x - table.first_block[slot]) * kPiece;
  const int64_t end = min(begin + kPiece, table.numel[slot]);
  double sum = 0;
  for (int64_t at = begin + threadIdx.x; at < end; at += kThreads) sum += static_cast<double>(data[at]) * data[at];
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) partials[first + blockIdx.x] = sum;
  if (norm == nullptr || !last_block(&ticket, gridDim.x)) return;
  sum = 0;
  for (int64_t i = threadIdx.x; i < first + gridDim.x; i += kThreads) sum += partials[i];
  sum = block_sum(sum, shared);
  if (threadIdx.x != 0) return;
  enter_norm(norm, sqrt(sum), most);
}

__global__ void scaled_loss_gradient_kernel(const double* norm, double share, float* gradient) {
  *gradient = static_cast<float>(share * norm[kLossScale]);
}

// Cuts tensors into tables and calls start(table) for each. tensors(i) gives tensor i's P parts, of equal size.
template <int P, class Tensors, class Start>
void for_each_table(const char* op, size_t count, const Tensors& tensors, const Start& start) {
  Table<P> table{};
  const auto flush = [&] {
    if (table.slots > 0) start(table);
    table.slots = table.blocks = 0;
  };
  for (size_t i = 0; i < count; ++i) {
    const std::pair<std::array<Tensor, P>, double> slot = tensors(i);
    const int64_t numel = slot.first[0].numel();
    if (numel == 0) continue;
    const int64_t blocks = ceil_div(numel, kPiece);
    GHOST_CHECK(blocks < (1 << 30), op, ": tensor ", slot.first[0].shape(),
                " has more elements than one launch reaches");
    if (table.slots == Table<P>::kSlots || table.blocks + blocks >= (1 << 30)) flush();
    for (int p = 0; p < P; ++p) {
      require_float32(op, {slot.first[p]});
      GHOST_ASSERT(slot.first[p].contiguous() && slot.first[p].numel() == numel, "optimizer: ", op, " of ",
                   slot.first[0].shape(), " with ", slot.first[p].shape());
      table.data[table.slots][p] = slot.first[p].template data<float>();
    }
    table.numel[table.slots] = numel;
    table.weight_decay[table.slots] = static_cast<float>(slot.second);
    table.first_block[table.slots] = table.blocks;
    table.blocks += static_cast<int>(blocks);
    ++table.slots;
  }
  flush();
}

// What the whole of a step reads, each undefined or on the device.
struct StepInputs {
  Tensor norm, numbers;
};

template <int P, class Op, class Tensors>
void for_each_element(const char* name, const Device& device, size_t count, const Op& op, const StepInputs& inputs,
                      const Tensors& tensors) {
  const double* const norm = inputs.norm.defined() ? inputs.norm.data<double>() : nullptr;
  const double* const numbers = inputs.numbers.defined() ? inputs.numbers.data<double>() : nullptr;
  for_each_table<P>(name, count, tensors, [&](const Table<P>& table) {
    launch(for_each_element_kernel<P, Op>, table.blocks, kThreads, 0, current_stream(device), table, op, norm,
           reinterpret_cast<const StepNumbers*>(numbers));
  });
}

}  // namespace

void sgd_step(const std::vector<ParameterSlot>& slots, const SgdOptions& options) {
  if (slots.empty()) return;
  const Device device = slots[0].value.device();
  const StepInputs inputs{options.norm, options.numbers};
  if (!slots[0].first.defined()) {
    GHOST_ASSERT(options.momentum == 0, "sgd: momentum ", options.momentum, " without a buffer");
    const PlainSgdOp plain{static_cast<float>(options.learning_rate)};
    return for_each_element<2>("sgd", device, slots.size(), plain, inputs, [&](size_t i) {
      return std::pair{std::array<Tensor, 2>{slots[i].value, slots[i].gradient}, slots[i].weight_decay};
    });
  }
  const SgdOp op{static_cast<float>(options.learning_rate), static_cast<float>(options.momentum), options.nesterov};
  for_each_element<3>("sgd", device, slots.size(), op, inputs, [&](size_t i) {
    const ParameterSlot& slot = slots[i];
    return std::pair{std::array<Tensor, 3>{slot.value, slot.gradient, slot.first}, slot.weight_decay};
  });
}

void adam_step(const std::vector<ParameterSlot>& slots, const AdamOptions& options) {
  if (slots.empty()) return;
  const StepNumbers numbers = numbers_of(options);
  const AdamOp op{.learning_rate = static_cast<float>(options.learning_rate),
                  .beta1 = static_cast<float>(options.beta1),
                  .beta2 = static_cast<float>(options.beta2),
                  .rest1 = static_cast<float>(1 - options.beta1),
                  .rest2 = static_cast<float>(1 - options.beta2),
                  .eps = static_cast<float>(options.eps),
                  .step_size = static_cast<float>(numbers.step_size),
                  .inverse_root = static_cast<float>(numbers.inverse_root),
                  .decoupled = options.decoupled};
  for_each_element<4>(
      "adam", slots[0].value.device(), slots.size(), op, {options.norm, options.numbers}, [&](size_t i) {
        const ParameterSlot& slot = slots[i];
        return std::pair{std::array<Tensor, 4>{slot.value, slot.gradient, slot.first, slot.second}, slot.weight_decay};
      });
}

void ema_step(const std::vector<Tensor>& values, const std::vector<Tensor>& averages, double decay,
              const Tensor& numbers) {
  if (values.empty()) return;
  const EmaOp op{static_cast<float>(1 - decay)};
  for_each_element<2>("ema", values[0].device(), values.size(), op, {{}, numbers}, [&](size_t i) {
    return std::pair{std::array<Tensor, 2>{values[i], averages[i]}, 0.0};
  });
}

void scaled_loss_gradient(const Tensor& norm, double share, const Tensor& gradient) {
  launch(scaled_loss_gradient_kernel, 1, 1, 0, current_stream(norm.device()), norm.data<double>(), share,
         gradient.data<float>());
}

void gradient_norm(const std::vector<Tensor>& gradients, double most, const Tensor& norm) {
  const int64_t blocks = pieces_of(gradients);
  if (blocks == 0) return write_norm_of_nothing(norm);
  const Tensor partials({blocks}, norm.options());
  int64_t first = 0;
  for_each_table<1>(
      "gradient_norm", gradients.size(),
      [&](size_t i) {
        return std::pair{std::array<Tensor, 1>{gradients[i]}, 0.0};
      },
      [&](const Table<1>& table) {
        double* const result = first + table.blocks == blocks ? norm.data<double>() : nullptr;
        launch(gradient_norm_kernel, table.blocks, kThreads, 0, current_stream(norm.device()), table,
               partials.data<double>(), first, most, result);
        first += table.blocks;
      });
}

}  // namespace cuda
}  // namespace ghost
