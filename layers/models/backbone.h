// A network's trunk, up to the three maps that a detector takes. A classifier is a trunk and a head.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "layers/models/model.h"

namespace ghost {

class Backbone : public Module {
 public:
  // The maps at strides 8, 16 and 32.
  virtual std::vector<Feature> features(const Variable& images) = 0;
  virtual std::array<int64_t, 3> channels() const = 0;
};

struct BackboneOptions {
  double width = 1.0;
  int64_t in_channels = 3;
  Flavour flavour = Flavour::kTorch;
};

// "ghostnet", ...; throws kUsage for another name. All parameters are zero until initialised.
std::unique_ptr<Backbone> make_backbone(const std::string& name, const BackboneOptions& options);

}  // namespace ghost
