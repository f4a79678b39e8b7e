#include "kernels/ghost_concat.h"

namespace ghost {
namespace {

// Whether `part` is the same memory as `view`.
bool same_place(const Tensor& part, const Tensor& view) {
  const bool same_rows = part.pitch() == view.pitch() || part.pixels() <= 1;
  return part.shape() == view.shape() && part.storage() == view.storage() && part.raw_data() == view.raw_data() &&
         same_rows;
}

}  // namespace

FeatureBuffer::FeatureBuffer(const Shape& shape, const TensorOptions& options) {
  GHOST_CHECK(shape.rank() == 4, "a feature buffer has a shape {n, h, w, c}, got ", shape);
  const TensorOptions of_channels{sum_type(options.dtype), options.device};
  whole_ = {Tensor(shape, options), Tensor({shape[3]}, of_channels), Tensor({shape[3]}, of_channels)};
}

FeatureSlot FeatureBuffer::slot(int64_t begin, int64_t count) const {
  return {whole_.z.channels(begin, count), whole_.scale.channels(begin, count), whole_.shift.channels(begin, count)};
}

Feature FeatureBuffer::join(const std::vector<Feature>& parts) const {
  GHOST_ASSERT(!parts.empty(), "join of no parts");
  const Epilogue& first = parts[0].epilogue;
  Variables raws;
  std::vector<int64_t> ends;
  int64_t end = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Epilogue& epilogue = parts[i].epilogue;
    const int64_t count = parts[i].shape()[-1];
    const FeatureSlot place = slot(end, count);
    GHOST_ASSERT(same_place(parts[i].raw.value(), place.z), "part ", i, " of a join, ", parts[i].shape(),
                 ", does not lie in channels [", end, ", ", end + count, ") of the buffer ", whole_.z.shape());
    GHOST_ASSERT(epilogue.activation == first.activation && !epilogue.gate.defined(), "part ", i,
                 " of a join has another activation or a gate");
    GHOST_ASSERT(epilogue.scale.defined() == first.scale.defined(), "only some parts of a join have a scale");
    if (epilogue.scale.defined())
      GHOST_ASSERT(same_place(epilogue.scale, place.scale) && same_place(epilogue.shift, place.shift), "part ", i,
                   " of a join keeps its scale and shift outside the buffer");
    raws.push_back(parts[i].raw);
    end += count;
    ends.push_back(end);
  }
  GHOST_ASSERT(end == whole_.z.channels(), "the parts of a join have ", end, " channels, the buffer ",
               whole_.z.channels());
  Variable joined = record("ghost_concat", raws, whole_.z, [ends](const Tensor& dy, Gradients& grads) {
    int64_t begin = 0;
    for (size_t i = 0; i < ends.size(); begin = ends[i++])
      grads.pass(static_cast<int>(i), dy.channels(begin, ends[i] - begin));
  });
  Epilogue epilogue{.scale = {}, .shift = {}, .activation = first.activation, .gate = {}};
  if (first.scale.defined()) {
    epilogue.scale = whole_.scale;
    epilogue.shift = whole_.shift;
  }
  return {std::move(joined), std::move(epilogue)};
}

Feature slice_channels(const Feature& x, int64_t begin, int64_t count) {
  const int64_t channels = x.shape()[-1];
  if (begin == 0 && count == channels) return x;
  Variable part = record("slice_channels", {x.raw}, x.raw.value().channels(begin, count),
                         [begin, count, channels](const Tensor& dy, Gradients& grads) {
                           const Gradients::Target dx = grads.target(0);
                           const Tensor inside = dx.out.channels(begin, count);
                           if (dx.accumulate) return inside.add_in_place(dy);
                           dx.out.channels(0, begin).fill(0);
                           dx.out.channels(begin + count, channels - begin - count).fill(0);
                           inside.copy_from(dy);
                         });
  return {std::move(part), x.epilogue.channels(begin, count)};
}

}  // namespace ghost
