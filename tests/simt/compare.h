// For the authors of simt cases: random maps inside a frame of sentinels, comparison with figures, the three orders.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/tensor.h"
#include "tests/simt/simt.h"

#ifdef GHOST_SIMT_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace ghost::simt {

inline constexpr int kOrders = 5;  // times for_each_order runs its body

// Runs `body` with threads and blocks in order up, down, and in three random orders.
template <class Body>
void for_each_order(const Body& body) {
  for (int turn = 0; turn < kOrders; ++turn) {
    const Order order = turn == 0 ? Order::kUp : turn == 1 ? Order::kDown : Order::kRandom;
    const auto seed = static_cast<uint64_t>(turn);
    SCOPED_TRACE(std::string("thread order ") + name_of(order) + ", seed " + std::to_string(seed));
    set_order(order, seed);
    body();
    set_order(Order::kUp);
  }
}

struct MapOptions {
  uint64_t seed = 1;
  int64_t before = 0, after = 0;  // channels of the wider tensor on either side of the view
  double low = -1, high = 1;      // values are uniform in [low, high)
  DType dtype = DType::kFloat32;
};

// A tensor that is a view of a wider one. Around it (rows before and after, channels beside) lie NaNs that are no
// kernel's business: a read of them shows as NaN, a write fails the test when this goes out of scope, and
// AddressSanitizer names the line of either.
class Surrounded {
 public:
  Surrounded(const Shape& shape, const MapOptions& options) {
    constexpr int64_t kFrame = 16;  // elements around a vector; keeps 16-byte alignment
    Shape wide = shape;
    const bool vector = shape.rank() == 1;
    const int64_t before = vector ? kFrame + options.before : options.before;
    wide.set(-1, before + shape[-1] + options.after + (vector ? kFrame : 0));
    if (!vector) wide.set(0, shape[0] + 2);
    whole_ = Tensor(wide, {options.dtype, Device::cpu()});
    view_ = (vector ? whole_ : whole_.rows(1, shape[0])).channels(before, shape[-1]);
    size_ = size_of(options.dtype);
    first_ = static_cast<char*>(view_.raw_data()) - static_cast<char*>(whole_.raw_data());
    for_gaps([&](char* begin, char* end) {
      for (char* p = begin; p < end; p += size_) std::memcpy(p, sentinel(), size_);
    });
#ifdef GHOST_SIMT_ASAN
    for_gaps([](char* begin, char* end) { __asan_poison_memory_region(begin, end - begin); });
#endif
  }
  Surrounded(Surrounded&&) = default;
  Surrounded& operator=(Surrounded&&) = delete;
  ~Surrounded() {
    if (whole_.storage() == nullptr) return;  // moved from
    for_gaps([&](char* begin, [[maybe_unused]] char* end) {
#ifdef GHOST_SIMT_ASAN
      __asan_unpoison_memory_region(begin, end - begin);
#endif
      for (char* p = begin; p < end; p += size_) {
        if (std::memcmp(p, sentinel(), size_) == 0) continue;
        ADD_FAILURE() << "a kernel wrote outside of its view " << view_.shape() << " with pitch " << view_.pitch()
                      << ": element " << (p - static_cast<char*>(whole_.raw_data()) - first_) / size_
                      << " counted from the view's first";
        return;
      }
    });
  }

  const Tensor& view() const { return view_; }
  operator const Tensor&() const { return view_; }  // NOLINT(google-explicit-constructor): stands where a Tensor does

 private:
  // Calls visit(begin, end) for every stretch of memory that is not the view's.
  template <class Visit>
  void for_gaps(const Visit& visit) {
    char* const begin = static_cast<char*>(whole_.raw_data());
    char* at = begin;
    for (int64_t row = 0; row < view_.pixels(); ++row) {
      char* const pixel = begin + first_ + row * view_.pitch() * size_;
      visit(at, pixel);
      at = pixel + view_.channels() * size_;
    }
    visit(at, begin + whole_.numel() * size_);
  }
  // NaN in every floating type, and unlike the poison of shared memory.
  const void* sentinel() const {
    static constexpr uint64_t k8 = 0x7ffdbeefdeadbeefull;
    static constexpr uint32_t k4 = 0x7fadbeefu;
    static constexpr uint16_t k2 = 0x7fad;
    static constexpr uint8_t k1 = 0xa5;
    return size_ == 8   ? static_cast<const void*>(&k8)
           : size_ == 4 ? static_cast<const void*>(&k4)
           : size_ == 2 ? static_cast<const void*>(&k2)
                        : &k1;
  }

  Tensor whole_, view_;
  int64_t size_ = 0, first_ = 0;  // bytes: of an element; from the wide tensor's first to the view's first
};

// For outputs: the view holds sentinels too, so an element that a kernel forgets stays NaN.
inline Surrounded empty_map(const Shape& shape, const MapOptions& options = {}) {
  Surrounded map(shape, options);
  if (sum_type(options.dtype) == DType::kFloat32 || options.dtype == DType::kFloat64) map.view().fill(std::nan(""));
  return map;
}

inline Surrounded random_map(const Shape& shape, const MapOptions& options = {}) {
  Surrounded map(shape, options);
  Rng rng(options.seed, stream_id(0x51a7, shape.numel()));
  std::vector<float> values(shape.numel());
  for (float& value : values) value = rng.uniform(static_cast<float>(options.low), static_cast<float>(options.high));
  const Tensor dense = Tensor::from(values, shape);
  map.view().copy_from(options.dtype == DType::kFloat32 ? dense : dense.to(options.dtype));
  return map;
}

// A copy of `values`' elements inside a frame: the same input for the kernel and for the CPU code, at another pitch.
inline Surrounded copy_map(const Tensor& values, int64_t before = 0, int64_t after = 0) {
  Surrounded map(values.shape(), {.before = before, .after = after, .dtype = values.dtype()});
  map.view().copy_from(values);
  return map;
}

struct What {
  std::string op;         // "depthwise_conv2d dweight"
  std::string test_case;  // "5x5 stride 2, c=19, pitch 24"
  uint64_t seed = 0;
};

// Every element: |actual - expected| <= limit * max(|expected|, root mean square of expected). NaN is never equal.
inline void expect_close(const What& what, const Tensor& actual, const Tensor& expected, double limit) {
  ASSERT_EQ(actual.shape(), expected.shape()) << what.op << ", " << what.test_case;
  const std::vector<double> a = actual.to_vector(), e = expected.to_vector();
  double squares = 0;
  for (const double value : e) squares += value * value;
  const double typical = e.empty() ? 0 : std::sqrt(squares / static_cast<double>(e.size()));
  size_t worst = 0, wrong = 0;
  double worst_error = -1;
  for (size_t i = 0; i < e.size(); ++i) {
    const double difference = std::fabs(a[i] - e[i]), scale = std::max(std::fabs(e[i]), typical);
    const double error = difference == 0 ? 0 : scale > 0 ? difference / scale : difference;
    wrong += !(error <= limit);
    if (error > worst_error || (std::isnan(error) && !std::isnan(worst_error))) {
      worst = i;
      worst_error = error;
    }
  }
  if (wrong == 0) return;
  ADD_FAILURE() << what.op << ", " << what.test_case << ", seed " << what.seed << ": " << wrong << " of " << e.size()
                << " elements differ; worst is element " << worst << " of " << expected.shape() << ": got " << a[worst]
                << ", expected " << e[worst] << ", error " << worst_error << ", limit " << limit;
}

}  // namespace ghost::simt
