// The YOLOv4 body on a backbone's three maps (bubbliiiing/mobilenet-yolov4; Bochkovskiy et al., 2020).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "layers/models/model.h"

namespace ghost {

struct DetectorOptions {
  std::string name = "ghostnet-yolov4";  // one of detector_names(): <backbone>-yolov4
  double width = 1.0;                    // of the backbone; MobileNets' alpha scales the neck too
  int64_t num_classes = 20;
  int64_t in_channels = 3;
  Flavour flavour = Flavour::kTorch;
  uint64_t seed = 0;
};

class Detector : public Module {
 public:
  virtual const DetectorOptions& options() const = 0;
  // images {n, h, w, c}, h and w multiples of 32 -> three plain maps {n, h/s, w/s, 3 * (5 + classes)}, s = 32, 16, 8,
  // in the parameters' type.
  virtual std::vector<Variable> forward(const Variable& images) = 0;
  // Parameters of the backbone get no gradient and its batch norms use running statistics, until thawed; set_training()
  // keeps it.
  virtual void freeze_backbone(bool on) = 0;
};

std::unique_ptr<Detector> make_detector(const DetectorOptions& options);
std::vector<std::string> detector_names();
bool names_detector(std::string_view model);  // "<backbone>-yolov4"
std::vector<LayerRecord> trace_layers(Detector& detector, int64_t size);

}  // namespace ghost
