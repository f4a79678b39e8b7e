// The convolutions that this project's networks ask of cuDNN, from the networks themselves: each goes through a
// training step on the meta device, which notes every problem that the CUDA backend would pose.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernels/convolution_problem.h"
#include "layers/layer_scope.h"
#include "layers/models/model.h"

namespace ghost {

struct NetworkCase {
  std::string name;    // of a classifier or detector
  double width = 1.0;  // multiplies channels
  int64_t size = 224;  // side of the pictures
  Flavour flavour = Flavour::kTorch;
};

std::string describe(const NetworkCase& network);  // "ghostnet x1.3 keras at 224"

// Each problem once, with the first network that poses it.
using NamedProblems = std::map<ConvolutionProblem, std::string>;

// Adds what a step of the network asks, and the passes that such a step leaves out or to others (the gradient of the
// pictures, a gradient that is added to another), so that every convolution stands there in all three. Returns the
// layers that ran.
std::vector<LayerRecord> add_convolutions(const NetworkCase& network, int64_t batch, NamedProblems& problems);

// The same convolution of tensors of another type. A slice of a map begins at an address whose alignment is known to
// hold for float32; elements of half the size promise half of it.
ConvolutionProblem in_dtype(ConvolutionProblem problem, DType dtype);

}  // namespace ghost
