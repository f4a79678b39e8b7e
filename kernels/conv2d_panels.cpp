#include "kernels/conv2d_panels.h"

#include <algorithm>
#include <cstring>

namespace ghost::cpu {
namespace {

constexpr int64_t kRowMultiple = 24;  // no tile of panel_gemm's tall ones is left half empty
constexpr int64_t kPanelBytes = 320 << 10;
constexpr int64_t kMaxPanelRows = 504;
constexpr int64_t kWantedPanels = 16;
constexpr int64_t kWantedTasks = 8;
constexpr int64_t kColumnMultiple = 48;  // whole column blocks of panel_gemm

// A stem's tap row is nine numbers: a call of memcpy for each would cost more than the copy.
template <class T>
void copy_few(const T* from, int64_t count, T* to) {
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) std::memcpy(to + i, from + i, 4 * sizeof(T));
  for (; i < count; ++i) std::memcpy(to + i, from + i, sizeof(T));
}

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

Conv2dSizes::Conv2dSizes(const Shape& x, const Shape& weight, const Shape& z, const Conv2dProblem& problem)
    : n(x[0]),
      h(x[1]),
      w(x[2]),
      c(x[3]),
      oh(z[1]),
      ow(z[2]),
      o(weight[0]),
      kh(weight[2]),
      kw(weight[3]),
      stride(problem.stride),
      groups(problem.groups),
      top(problem.padding.top),
      left(problem.padding.left),
      group_in(c / groups),
      group_out(o / groups),
      taps(kh * kw),
      columns(taps * group_in),
      rows(n * oh * ow),
      pointwise(taps == 1 && stride == 1 && oh == h && ow == w && top == 0 && left == 0) {}

int64_t fitting_rows(int64_t row_bytes) {
  return std::clamp<int64_t>(kPanelBytes / std::max<int64_t>(row_bytes, 1), 96, kMaxPanelRows);
}

int64_t panel_rows(int64_t rows, int64_t row_bytes) {
  const int64_t shared = std::max<int64_t>(rows / kWantedPanels, 48);
  return std::min(fitting_rows(row_bytes), shared) / kRowMultiple * kRowMultiple;
}

int64_t even_share(int64_t count, int64_t parts) { return round_up((count + parts - 1) / parts, 8); }

std::vector<ColumnPart> column_parts(int64_t groups, int64_t columns, int64_t panels) {
  int64_t width = std::max<int64_t>(columns, 1);
  if (groups * panels < kWantedTasks) {
    const int64_t wanted = kWantedTasks / std::max<int64_t>(groups * panels, 1);
    width = std::max(round_up((columns + wanted - 1) / wanted, kColumnMultiple), 2 * kColumnMultiple);
  }
  std::vector<ColumnPart> parts;
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t begin = 0; begin < columns; begin += width)
      parts.push_back({group, begin, std::min(columns, begin + width)});
  }
  return parts;
}

template <class T>
Tensor tap_major_weight(const Tensor& weight, const Conv2dSizes& sizes) {
  if (sizes.taps == 1) return weight.reshape({sizes.o, sizes.columns});
  const Tensor ordered({sizes.o, sizes.columns}, weight.options());
  const T* from = weight.data<T>();
  for (int64_t o = 0; o < sizes.o; ++o) {
    T* const row = ordered.data<T>() + o * sizes.columns;
    for (int64_t k = 0; k < sizes.group_in; ++k) {
      for (int64_t tap = 0; tap < sizes.taps; ++tap) row[tap * sizes.group_in + k] = *from++;
    }
  }
  return ordered;
}

template <class T>
InputPanels<T>::InputPanels(const Tensor& x, const Epilogue& epilogue, const Conv2dSizes& sizes)
    : sizes_(sizes), source_(x) {
  if (epilogue.identity()) return;
  if (sizes.pointwise) {
    epilogue_.emplace(x, epilogue, 1);
  } else {
    source_ = Tensor(x.shape(), x.options());
    epilogue_forward(x, epilogue, source_);
  }
}

template <class T>
Panel<T> InputPanels<T>::get(const ColumnPart& part, int64_t row, int64_t rows) const {
  const int64_t columns = part.end - part.begin;
  if (sizes_.pointwise) {
    const int64_t channel = part.group * sizes_.group_in + part.begin;
    if (!epilogue_) return {source_.data<T>() + row * source_.pitch() + channel, source_.pitch()};
    const int64_t pitch = panel_pitch<T>(columns);
    T* const out = scratch<T>(kInputScratch, rows * pitch);
    panel_epilogue(source_, *epilogue_, channel, columns, row, rows, out, pitch);
    return {out, pitch};
  }
  T* const out = scratch<T>(kInputScratch, rows * sizes_.columns);
  gather(part.group, row, rows, out);
  return {out + part.begin, sizes_.columns};
}

template <class T>
void InputPanels<T>::gather(int64_t group, int64_t row, int64_t rows, T* out) const {
  const int64_t map = sizes_.oh * sizes_.ow;
  for (int64_t end = row + rows, count; row < end; row += count, out += count * sizes_.columns) {
    const int64_t image = row / map, i = row % map / sizes_.ow, j = row % sizes_.ow;
    count = std::min(sizes_.ow - j, end - row);
    const T* const pixels = source_.data<T>() + image * sizes_.h * sizes_.w * source_.pitch() + group * sizes_.group_in;
    for (int64_t r = 0; r < sizes_.kh; ++r)
      gather_line(pixels, i * sizes_.stride - sizes_.top + r, j, count, out + r * sizes_.kw * sizes_.group_in);
  }
}

// One tap row of `count` output pixels of one output row, from line y of the image.
template <class T>
void InputPanels<T>::gather_line(const T* image, int64_t y, int64_t j, int64_t count, T* out) const {
  const int64_t k = sizes_.group_in, kw = sizes_.kw, pitch = source_.pitch();
  const bool outside = y < 0 || y >= sizes_.h;
  for (int64_t left = j * sizes_.stride - sizes_.left; count > 0;
       --count, left += sizes_.stride, out += sizes_.columns) {
    if (outside) {
      std::fill_n(out, kw * k, T(0));
      continue;
    }
    const T* const line = image + (y * sizes_.w + left) * pitch;
    int64_t first = 0, last = kw;
    if (left < 0 || left + kw > sizes_.w) {
      first = std::clamp<int64_t>(-left, 0, kw), last = std::clamp<int64_t>(sizes_.w - left, first, kw);
      std::fill_n(out, first * k, T(0));
      std::fill_n(out + last * k, (kw - last) * k, T(0));
    }
    if (pitch == k) {  // in a dense map the taps of a tap row lie side by side
      copy_few(line + first * k, (last - first) * k, out + first * k);
    } else {
      for (int64_t s = first; s < last; ++s) copy_few(line + s * pitch, k, out + s * k);
    }
  }
}

template Tensor tap_major_weight<float>(const Tensor&, const Conv2dSizes&);
template Tensor tap_major_weight<double>(const Tensor&, const Conv2dSizes&);
template class InputPanels<float>;
template class InputPanels<double>;

}  // namespace ghost::cpu
