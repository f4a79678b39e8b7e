// First values of a model's parameters. Each parameter draws from its own stream, named by its dotted name, so a value
// depends on (seed, name, index) and not on the order or number of layers.
#pragma once

#include <cstdint>
#include <string_view>

#include "layers/module.h"

namespace ghost {

enum class Initialiser {
  kKaimingFanOut,  // convolutions: normal, sigma = sqrt(2 / fan_out) (He et al., 2015); linear: normal, sigma = 0.01
  kNormal002,      // convolutions and linear layers: normal, sigma = 0.02 (the Keras GhostNet's)
};

// Batch norm weights become 1, all biases 0. Buffers are left alone.
void initialise(Module& module, Initialiser initialiser, uint64_t seed);

// A name's stream: FNV-1a, 64 bits.
uint64_t stream_of_name(std::string_view name);

}  // namespace ghost
