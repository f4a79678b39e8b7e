// A tensor's sizes. Feature maps are {n, h, w, c}; weights of a convolution {out, in / groups, kh, kw}.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>

#include "core/error.h"

namespace ghost {

class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) {
    GHOST_CHECK(dims.size() <= kMaxRank, "a tensor has at most ", kMaxRank, " dimensions, got ", dims.size());
    for (const int64_t dim : dims) push_back(dim);
  }

  void push_back(int64_t dim) {
    GHOST_CHECK(rank_ < kMaxRank, "a tensor has at most ", kMaxRank, " dimensions");
    GHOST_CHECK(dim >= 0, "a dimension is not negative, got ", dim);
    dims_[rank_++] = dim;
  }
  int rank() const { return rank_; }
  // dims counted from the end for negative axis: [-1] is the last.
  int64_t operator[](int axis) const { return dims_[axis < 0 ? axis + rank_ : axis]; }
  void set(int axis, int64_t dim) { dims_[axis < 0 ? axis + rank_ : axis] = dim; }
  int64_t numel() const {
    int64_t count = 1;
    for (int i = 0; i < rank_; ++i) count *= dims_[i];
    return count;
  }
  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a.dims_[i] != b.dims_[i]) return false;
    return true;
  }
  const int64_t* begin() const { return dims_.data(); }
  const int64_t* end() const { return dims_.data() + rank_; }

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.rank(); ++i) out << (i ? ", " : "") << shape[i];
  return out << ']';
}

}  // namespace ghost
