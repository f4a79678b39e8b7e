#include "core/parallel.h"
#include "core/random.h"
#include "kernels/dropout.h"

namespace ghost {
namespace {

constexpr int64_t kChunk = 16 << 10;  // elements of a task; a multiple of the four numbers that one Philox call gives

template <class T>
void apply(const T* x, const DropoutOptions& options, T* y, int64_t begin, int64_t end) {
  const T scale = static_cast<T>(1 / (1 - options.p));
  for (int64_t i = begin; i < end; i += 4) {
    const Philox4 words = philox(options.seed, options.stream, static_cast<uint64_t>(i / 4));
    for (int64_t k = i; k < end && k < i + 4; ++k)
      y[k] = static_cast<double>(uniform_from_bits(words.value[k - i])) >= options.p ? x[k] * scale : T(0);
  }
}

}  // namespace

void cpu::dropout_apply(const Tensor& x, const DropoutOptions& given, const Tensor& y) {
  DropoutOptions options = given;
  if (given.stream_at.defined()) options.stream = static_cast<uint64_t>(*given.stream_at.data<int64_t>());
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    parallel_chunks(x.numel(), kChunk,
                    [&](int64_t begin, int64_t end) { apply(x.data<T>(), options, y.data<T>(), begin, end); });
  });
}

}  // namespace ghost
