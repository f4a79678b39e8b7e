#include <algorithm>
#include <optional>
#include <vector>

#include "kernels/channel_moments.h"
#include "kernels/conv2d_panels.h"
#include "kernels/gemm.h"
#include "kernels/panel_gemm.h"
#include "kernels/widened.h"

namespace ghost::cpu {
namespace {

// With fewer pixel rows, reordering a weight costs more than a product with it as it lies.
constexpr int64_t kFewRows = 16;

// The weight as the right side of every part's product: {k, columns of the part}, element (p, j) of a group at
// p * k_step + j * n_step, of which one step is 1. Packed once for all panels.
template <class T>
class RightSides {
 public:
  RightSides(const std::vector<ColumnPart>& parts, const Tensor& weight, const Conv2dSizes& sizes, int64_t k,
             int64_t k_step, int64_t n_step)
      : parts_(parts),
        weight_(weight),
        group_step_(sizes.group_out * sizes.columns),
        k_(k),
        k_step_(k_step),
        n_step_(n_step) {
    if (sizes.rows < kFewRows) return;
    packed_ = Tensor({static_cast<int64_t>(parts.size()), packed_size<T>(k, parts[0].end)}, weight.options());
    const int64_t pieces = (parts[0].end + kPiece - 1) / kPiece;  // of the widest part
    parallel_for(static_cast<int64_t>(parts.size()) * pieces, [&](int64_t task) {
      const size_t part = static_cast<size_t>(task / pieces);
      const int64_t n = parts[part].end - parts[part].begin, begin = task % pieces * kPiece;
      pack_matrix(k, n, first(part), k_step, n_step, packed(part), begin, begin + kPiece);
    });
  }

  // c (+)= a times the right side of part i.
  void multiply(size_t i, int64_t rows, const Panel<T>& a, T* c, int64_t ldc, bool accumulate) const {
    const int64_t n = parts_[i].end - parts_[i].begin;
    if (packed_.defined()) return panel_gemm<T>(rows, n, k_, a.data, a.pitch, packed(i), c, ldc, accumulate);
    const bool transposed = n_step_ != 1;
    gemm<T>(false, transposed, rows, n, k_, a.data, a.pitch, first(i), transposed ? n_step_ : std::max(k_step_, n), c,
            ldc, accumulate);
  }

 private:
  static constexpr int64_t kPiece = 96;  // columns that are packed by one task

  const T* first(size_t i) const {
    return weight_.data<T>() + parts_[i].group * group_step_ + parts_[i].begin * n_step_;
  }
  T* packed(size_t i) const { return packed_.data<T>() + static_cast<int64_t>(i) * packed_.pitch(); }

  const std::vector<ColumnPart>& parts_;
  const Tensor weight_;
  const int64_t group_step_, k_, k_step_, n_step_;
  Tensor packed_;  // undefined where the weight is read as it lies
};

template <class T>
struct Forward {
  const Conv2dSizes sizes;
  const InputPanels<T> input;
  const RightSides<T>& weight;
  const Tensor &bias, &z;
  MomentTiles<T>* const moments;
  const int64_t panel_rows;

  // Columns of `part`, the place-th, of one panel: product, bias, moments while the tile is in cache.
  void run(int64_t panel, const ColumnPart& part, size_t place) const {
    const int64_t row = panel * panel_rows, rows = std::min(panel_rows, sizes.rows - row);
    const int64_t channel = part.group * sizes.group_out + part.begin, channels = part.end - part.begin;
    const Panel<T> x = input.get({part.group, 0, sizes.columns}, row, rows);
    T* const out = z.data<T>() + row * z.pitch() + channel;
    if (bias.defined()) {
      for (int64_t r = 0; r < rows; ++r) std::copy_n(bias.data<T>() + channel, channels, out + r * z.pitch());
    }
    weight.multiply(place, rows, x, out, z.pitch(), bias.defined());
    if (!moments) return;
    T* const means = scratch<T>(kMomentScratch, 2 * channels);
    panel_moments(out, z.pitch(), rows, channels, means, means + channels);
    moments->set(panel, channel, channel + channels, means, means + channels, rows);
  }
};

template <class T>
void forward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const Tensor& bias,
             const Conv2dProblem& problem, const Tensor& z, const ChannelMoments* moments) {
  const Conv2dSizes sizes(x.shape(), weight.shape(), z.shape(), problem);
  const int64_t rows_of_panel =
      panel_rows(sizes.rows, (sizes.columns + sizes.group_out) * static_cast<int64_t>(sizeof(T)));
  const int64_t panels = (sizes.rows + rows_of_panel - 1) / rows_of_panel;
  MomentTiles<T> tiles(moments ? panels : 0, sizes.o);
  if (sizes.rows > 0) {
    const std::vector<ColumnPart> parts = column_parts(sizes.groups, sizes.group_out, panels);
    const RightSides<T> right(parts, tap_major_weight<T>(weight, sizes), sizes, sizes.columns, 1, sizes.columns);
    const Forward<T> run{sizes, InputPanels<T>(x, x_epilogue, sizes), right,        bias,
                         z,     moments ? &tiles : nullptr,           rows_of_panel};
    const int64_t part_count = static_cast<int64_t>(parts.size());
    parallel_for(panels * part_count, [&](int64_t task) {
      const size_t part = static_cast<size_t>(task % part_count);
      run.run(task / part_count, parts[part], part);
    });
  }
  if (moments) tiles.combine(*moments);
}

// One pass over the panels of a chunk gives dx, and the chunk's share of dweight and dbias.
template <class T>
struct Backward {
  const Conv2dSizes sizes;
  const InputPanels<T> input;
  const PanelGradient gradient;
  const Conv2dGradients& wanted;
  Tensor dx;                          // undefined where it is not computed here
  const RightSides<T>* weight;        // for dx
  Tensor dweight_parts, dbias_parts;  // {chunks, o, columns} and {chunks, o}; undefined where not wanted
  int64_t panel_rows, chunk_rows;

  Panel<T> gradient_panel(int64_t group, int64_t row, int64_t rows) const {
    const int64_t channel = group * sizes.group_out;
    const Tensor& dy = gradient.raw.dy;
    if (gradient.raw.plain()) return {dy.data<T>() + row * dy.pitch() + channel, dy.pitch()};
    const int64_t pitch = panel_pitch<T>(sizes.group_out);
    T* const out = scratch<T>(kGradientScratch, rows * pitch);
    panel_gradient(gradient, channel, sizes.group_out, row, rows, out, pitch);
    return {out, pitch};
  }

  void run(int64_t chunk, const ColumnPart& part, size_t place) const {
    const int64_t end = std::min(sizes.rows, (chunk + 1) * chunk_rows), columns = part.end - part.begin;
    const int64_t channel = part.group * sizes.group_out, o = sizes.group_out;
    for (int64_t row = chunk * chunk_rows; row < end; row += panel_rows) {
      const int64_t rows = std::min(panel_rows, end - row);
      const Panel<T> dz = gradient_panel(part.group, row, rows);
      if (dx.defined()) {
        T* const out = dx.data<T>() + row * dx.pitch() + part.group * sizes.group_in + part.begin;
        weight->multiply(place, rows, dz, out, dx.pitch(), wanted.accumulate_dx);
      }
      const bool first = row == chunk * chunk_rows;
      if (dweight_parts.defined()) {
        const Panel<T> x = input.get(part, row, rows);
        T* const sums = dweight_parts.data<T>() + (chunk * sizes.o + channel) * sizes.columns + part.begin;
        panel_gemm_transposed(rows, o, columns, dz.data, dz.pitch, x.data, x.pitch, sums, sizes.columns, !first);
      }
      if (dbias_parts.defined() && part.begin == 0) {
        T* const sums = dbias_parts.data<T>() + chunk * sizes.o + channel;
        if (first) std::fill_n(sums, o, T(0));
        panel_sums(dz.data, dz.pitch, rows, o, sums);
      }
    }
  }
};

// Adds up the chunks' shares in their order; a share's columns are (r, s, k), the weight's are (k, r, s).
template <class T>
void add_shares(const Tensor& shares, int64_t chunks, int64_t group_in, int64_t taps, const Tensor& total) {
  const int64_t size = total.numel(), columns = group_in * taps;
  const T* const from = shares.defined() ? shares.data<T>() : nullptr;
  parallel_chunks(size / columns, std::max<int64_t>(1, 8192 / columns), [&](int64_t begin, int64_t end) {
    T* const sums = scratch<T>(kOutputScratch, columns);
    for (int64_t o = begin; o < end; ++o) {
      std::fill_n(sums, columns, T(0));
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const T* const share = from + chunk * size + o * columns;
        for (int64_t i = 0; i < columns; ++i) sums[i] += share[i];
      }
      T* to = total.data<T>() + o * columns;
      for (int64_t k = 0; k < group_in; ++k) {
        for (int64_t tap = 0; tap < taps; ++tap) *to++ = sums[tap * group_in + k];
      }
    }
  });
}

// Pixel rows that share one partial sum of dweight: enough chunks for the threads, not so many that adding them up
// costs.
int64_t rows_of_chunk(int64_t rows, int64_t panel_rows, int64_t weight_bytes) {
  const int64_t panels = (rows + panel_rows - 1) / panel_rows;
  const int64_t chunks = std::clamp<int64_t>((4 << 20) / std::max<int64_t>(weight_bytes, 1), 2, 64);
  return even_share(rows, std::clamp<int64_t>(panels, 1, chunks));
}

template <class T>
void backward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const RawGradient& dz,
              const Conv2dProblem& problem, const Conv2dGradients& wanted) {
  const Conv2dSizes sizes(x.shape(), weight.shape(), dz.dy.shape(), problem);
  const int64_t element = sizeof(T), rows = sizes.rows;
  const int64_t row_bytes = (2 * sizes.columns + sizes.group_out) * element, fitting = fitting_rows(row_bytes);
  const int64_t chunk_rows =
      std::max(rows_of_chunk(rows, panel_rows(rows, row_bytes), sizes.o * sizes.columns * element), int64_t{1});
  const int64_t rows_of_panel = even_share(chunk_rows, (chunk_rows + fitting - 1) / fitting);
  const int64_t chunks = (rows + chunk_rows - 1) / chunk_rows;
  const std::vector<ColumnPart> parts = column_parts(sizes.groups, sizes.columns, sizes.pointwise ? chunks : rows);
  std::optional<RightSides<T>> right;
  if (wanted.dx && sizes.pointwise) right.emplace(parts, weight, sizes, sizes.group_out, sizes.columns, 1);
  Backward<T> run{sizes,
                  InputPanels<T>(x, x_epilogue, sizes),
                  PanelGradient(dz),
                  wanted,
                  right ? *wanted.dx : Tensor(),
                  right ? &*right : nullptr,
                  {},
                  {},
                  rows_of_panel,
                  chunk_rows};
  if (wanted.dweight && chunks > 0) run.dweight_parts = Tensor({chunks, sizes.o, sizes.columns}, weight.options());
  if (wanted.dbias && chunks > 0) run.dbias_parts = Tensor({chunks, sizes.o}, weight.options());
  const int64_t part_count = static_cast<int64_t>(parts.size());
  if (run.dx.defined() || wanted.dweight || wanted.dbias) {
    parallel_for(chunks * part_count, [&](int64_t task) {
      const size_t part = static_cast<size_t>(task % part_count);
      run.run(task / part_count, parts[part], part);
    });
  }
  if (wanted.dweight) add_shares<T>(run.dweight_parts, chunks, sizes.group_in, sizes.taps, *wanted.dweight);
  if (wanted.dbias) add_shares<T>(run.dbias_parts, chunks, 1, 1, *wanted.dbias);
}

// The passes of the CUDA code, each of which rounds what it stores.
void forward_in_half(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dProblem& problem,
                     const Tensor& z, const ChannelMoments* moments) {
  {
    Widened half;
    conv2d_forward(half.read(x), {}, half.read(weight), {}, problem, half.write(z), nullptr);
  }
  if (bias.defined()) {
    const Tensor ones = Tensor::full(bias.shape(), 1, bias.options());
    epilogue_forward(z, {.scale = ones, .shift = bias, .activation = Activation::kNone, .gate = {}}, z);
  }
  if (moments) batch_norm_moments(z, *moments);
}

void backward_in_half(const Tensor& x, const Tensor& weight, const RawGradient& dz, const Conv2dProblem& problem,
                      const Conv2dGradients& gradients) {
  Widened half;
  conv2d_backward(half.read(x), {}, half.read(weight), {half.read(materialize(dz)), {}, {}, {}}, problem,
                  half.write(gradients));
  if (gradients.dweight) tensor_convert(gradients.dweight->to(x.dtype()), *gradients.dweight);  // as cuDNN gives it
}

}  // namespace

void conv2d_forward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const Tensor& bias,
                    const Conv2dProblem& problem, const Tensor& z, const ChannelMoments* moments) {
  GHOST_ASSERT(!is_half(x.dtype()) || x_epilogue.identity(), "conv2d: half maps come as convolution_input makes them");
  if (is_half(x.dtype())) return forward_in_half(x, weight, bias, problem, z, moments);
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) { forward<T>(x, x_epilogue, weight, bias, problem, z, moments); });
}

void conv2d_backward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const RawGradient& dz,
                     const Conv2dProblem& problem, const Conv2dGradients& gradients) {
  if (is_half(x.dtype())) return backward_in_half(x, weight, dz, problem, gradients);
  // The taps of dx's gather read each element of dz several times: then it is computed once.
  const Conv2dSizes sizes(x.shape(), weight.shape(), dz.dy.shape(), problem);
  const bool gathered = gradients.dx && !sizes.pointwise;
  const RawGradient source = gathered && !dz.plain() ? RawGradient{materialize(dz), {}, {}, {}} : dz;
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) { backward<T>(x, x_epilogue, weight, source, problem, gradients); });
  if (gathered) conv2d_gather_input_gradient(source.dy, weight, problem, *gradients.dx, gradients.accumulate_dx);
}

}  // namespace ghost::cpu
