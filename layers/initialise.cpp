#include "layers/initialise.h"

#include <cmath>

#include "core/random.h"

namespace ghost {
namespace {

double sigma_of(const NamedParameter& parameter, Initialiser initialiser) {
  if (initialiser == Initialiser::kNormal002) return 0.02;
  if (parameter.kind == ParameterKind::kLinearWeight) return 0.01;
  return std::sqrt(2.0 / static_cast<double>(parameter.fan_out));
}

Tensor normal(const NamedParameter& parameter, double sigma, uint64_t seed) {
  Tensor host(parameter.variable.shape());
  Rng rng(seed, stream_of_name(parameter.name));
  for (int64_t i = 0; i < host.numel(); ++i) host.data<float>()[i] = static_cast<float>(sigma) * rng.normal();
  return host.to(parameter.variable.dtype()).to(parameter.variable.device());
}

}  // namespace

uint64_t stream_of_name(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

void initialise(Module& module, Initialiser initialiser, uint64_t seed) {
  for (const NamedParameter& parameter : module.parameters()) {
    const Tensor& value = parameter.variable.value();
    if (parameter.decays()) {
      value.copy_from(normal(parameter, sigma_of(parameter, initialiser), seed));
    } else {
      value.fill(parameter.kind == ParameterKind::kNormWeight ? 1 : 0);
    }
  }
}

}  // namespace ghost
