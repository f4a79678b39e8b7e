#include "core/meta.h"
#include "kernels/optimizer_table.h"

namespace ghost::meta {
namespace {

// Launches over tables of `parts` arrays; `moves` of them are read or written, and `more` bytes by the first launch.
void for_each_table(const char* name, const std::vector<Tensor>& tensors, int parts, int moves, int64_t more = 0) {
  int64_t bytes = 0;
  int slots = 0;
  const auto flush = [&] {
    if (slots > 0) kernel(name, moves * bytes + more);
    bytes = slots = more = 0;
  };
  for (const Tensor& tensor : tensors) {
    if (tensor.empty()) continue;
    if (slots == optimizer_table_slots(parts)) flush();
    bytes += bytes_of(tensor);
    ++slots;
  }
  flush();
}

std::vector<Tensor> values_of(const std::vector<ParameterSlot>& slots) {
  std::vector<Tensor> values;
  for (const ParameterSlot& slot : slots) values.push_back(slot.value);
  return values;
}

}  // namespace

void sgd_step(const std::vector<ParameterSlot>& slots, const SgdOptions&) {
  if (slots.empty()) return;
  const bool plain = !slots[0].first.defined();  // else value and momentum are read and written, the gradient read
  for_each_table("for_each_element_kernel", values_of(slots), plain ? 2 : 3, plain ? 3 : 5);
}

void adam_step(const std::vector<ParameterSlot>& slots, const AdamOptions&) {
  for_each_table("for_each_element_kernel", values_of(slots), 4, 7);
}

void ema_step(const std::vector<Tensor>& values, const std::vector<Tensor>&, double, const Tensor&) {
  for_each_table("for_each_element_kernel", values, 2, 3);
}

void scaled_loss_gradient(const Tensor& norm, double, const Tensor& gradient) {
  kernel("scaled_loss_gradient_kernel", {norm.rows(kLossScale, 1), gradient});
}

void gradient_norm(const std::vector<Tensor>& gradients, double, const Tensor& norm) {
  const int64_t blocks = pieces_of(gradients);
  if (blocks == 0) return write_norm_of_nothing(norm);
  const Tensor partials({blocks}, norm.options());
  for_each_table("gradient_norm_kernel", gradients, 1, 1, bytes_of({partials, partials, norm}));
}

}  // namespace ghost::meta
