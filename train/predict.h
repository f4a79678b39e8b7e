// A classifier's answers for single pictures, with the preprocessing of its weights.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "train/weights.h"

namespace ghost {

struct Prediction {
  std::string path;
  std::string error;                           // why the picture could not be read; "" where it was
  std::vector<std::pair<int64_t, float>> top;  // class index and probability, most probable first
};

// One prediction per path, in order. Pictures that cannot be read carry their error and do not stop the others.
std::vector<Prediction> predict_pictures(Classifier& model, const ModelCard& card, const Device& device,
                                         const std::vector<std::string>& paths, int64_t top, int64_t batch_size);

// Files as they are, folders with all pictures below them (sorted), patterns with * or ? by glob(7). Throws kData for
// what is not there and for nothing at all.
std::vector<std::string> expand_inputs(const std::vector<std::string>& inputs);

std::string predictions_json(const std::vector<Prediction>& predictions, const std::vector<std::string>& classes);
std::string predictions_csv(const std::vector<Prediction>& predictions, const std::vector<std::string>& classes);

}  // namespace ghost
