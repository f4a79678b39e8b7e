#include "train/config_check.h"

#include <algorithm>
#include <functional>

#include "core/error.h"
#include "layers/models/detector.h"
#include "train/number_text.h"

namespace ghost {
namespace {

// auto, cpu, cuda, cuda:N.
bool is_device(const std::string& text) {
  if (text == "auto" || text == "cpu" || text == "cuda") return true;
  const std::string prefix = "cuda:", number = text.substr(std::min(text.size(), prefix.size()));
  return text.starts_with(prefix) && !number.empty() && number.size() <= 4 &&
         number.find_first_not_of("0123456789") == std::string::npos;
}

void check_pair(std::string_view name, const std::array<double, 2>& pair, std::vector<ConfigConflict>& conflicts) {
  if (pair[0] > pair[1]) {
    conflicts.push_back({{name},
                         str("'", name, "' is [", shortest(pair[0]), ", ", shortest(pair[1]),
                             "], but the smaller number stands first")});
  }
}

void check_schedule(const Config& c, std::vector<ConfigConflict>& conflicts) {
  if (c.optimizer.min_learning_rate > c.optimizer.learning_rate) {
    conflicts.push_back({{"optimizer.learning_rate", "optimizer.min_learning_rate"},
                         str("'optimizer.min_learning_rate' (", shortest(c.optimizer.min_learning_rate),
                             ") is above 'optimizer.learning_rate' (", shortest(c.optimizer.learning_rate), ")")});
  }
  const std::vector<int64_t>& steps = c.schedule.step_epochs;
  if (c.schedule.name == "step" && steps.empty() && c.optimizer.min_learning_rate == 0) {
    conflicts.push_back({{"schedule.name"},
                         "schedule 'step' needs 'schedule.step_epochs', such as [30, 60, 90], or an "
                         "'optimizer.min_learning_rate' above 0 to go down to"});
  }
  if (std::adjacent_find(steps.begin(), steps.end(), std::greater_equal<>()) != steps.end()) {
    conflicts.push_back({{"schedule.step_epochs"}, "the epochs in 'schedule.step_epochs' must rise"});
  }
  if (c.schedule.name != "yolox_cosine" && c.schedule.warmup_epochs >= static_cast<double>(c.train.epochs)) {
    conflicts.push_back(
        {{"train.epochs", "schedule.warmup_epochs"},
         str("'schedule.warmup_epochs' (", shortest(c.schedule.warmup_epochs), ") is not below 'train.epochs' (",
             c.train.epochs, "): the learning rate never reaches 'optimizer.learning_rate'"),
         false});
  }
}

void check_task(const Config& c, std::vector<ConfigConflict>& conflicts) {
  const bool detect = c.task == "detect";
  if (names_detector(c.model.name) != detect) {
    conflicts.push_back(
        {{"task", "model.name"},
         str("'model.name' is '", c.model.name, "', which does not ", c.task, "; use ",
             detect ? c.model.name + "-yolov4" : "one without -yolov4", " or task: ", detect ? "classify" : "detect")});
  }
  if ((c.data.format != "image_folder") != detect) {
    conflicts.push_back({{"task", "data.format"},
                         str("'data.format' is '", c.data.format, "', but to ", c.task, " needs ",
                             detect ? "voc, coco or yolo" : "image_folder")});
  }
  if (!detect) return;
  const auto multiple = [](int64_t size) { return size % 32 == 0; };
  if (!multiple(c.input.size))
    conflicts.push_back({{"input.size"}, str("'input.size' is ", c.input.size, ", but must be a multiple of 32")});
  if (!std::all_of(c.augment.sizes.begin(), c.augment.sizes.end(), multiple))
    conflicts.push_back({{"augment.sizes"}, "the sizes in 'augment.sizes' must be multiples of 32"});
  check_pair("augment.scale", c.augment.scale, conflicts);
}

}  // namespace

std::vector<ConfigConflict> find_conflicts(const Config& c) {
  std::vector<ConfigConflict> conflicts;
  check_task(c, conflicts);
  check_schedule(c, conflicts);
  check_pair("augment.random_resized_crop", c.augment.random_resized_crop, conflicts);
  check_pair("augment.ratio", c.augment.ratio, conflicts);
  if (!is_device(c.device)) {
    conflicts.push_back({{"device"}, str("'device' is '", c.device, "', but must be auto, cpu, cuda or cuda:N")});
  }
  if (c.run_name == "." || c.run_name == ".." || c.run_name.find('/') != std::string::npos) {
    conflicts.push_back(
        {{"run_name"},
         str("'run_name' is '", c.run_name, "', but must be a plain folder name; 'output' says where it lies")});
  }
  if (c.output.empty()) conflicts.push_back({{"output"}, "'output' must name a folder, such as runs"});
  return conflicts;
}

}  // namespace ghost
