#include "train/config_keys.h"

#include "core/error.h"
#include "train/config_ranges.h"
#include "train/number_text.h"

namespace ghost {
namespace {

void add_model_and_data(Config& c, std::vector<ConfigKey>& keys) {
  keys.insert(
      keys.end(),
      {
          {"task",
           &c.task,
           {.choices = {"classify", "detect"}, .help = "What is trained: classes of pictures, or boxes of objects."}},

          {"model.name",
           &c.model.name,
           {.choices = {"ghostnet", "mobilenetv1", "mobilenetv2", "mobilenetv3", "ghostnet-yolov4",
                        "mobilenetv1-yolov4", "mobilenetv2-yolov4", "mobilenetv3-yolov4"},
            .help = "The network: those with -yolov4 detect, the others classify."}},
          {"model.width",
           &c.model.width,
           {.range = between(0.1, 4),
            .help = "Multiplies the number of channels; GhostNet's published ones are 0.5, 1.0 and 1.3."}},
          {"model.flavour",
           &c.model.flavour,
           {.choices = {"torch", "keras"},
            .help = "Whose numbers the network follows: gate, batch norm's eps and momentum, padding. Part of the "
                    "weights file."}},
          {"model.dropout",
           &c.model.dropout,
           {.range = up_to_below(0, 1),
            .task = kClassify,
            .help = "Probability that a feature before the classifier is set to 0 in training."}},
          {"model.weights",
           &c.model.weights,
           {.path = true, .help = "A .safetensors file to start from; null starts from random weights."}},
          {"model.replace_head",
           &c.model.replace_head,
           {.help = "Whether layers of model.weights for another number of classes are made anew instead of "
                    "refused."}},
          {"model.backbone_weights",
           &c.model.backbone_weights,
           {.task = kDetect,
            .path = true,
            .help = "A .safetensors file whose backbone the detector starts from: a classifier's run, timm's "
                    "ghostnet_100, or another detector; null starts from random weights."}},
          {"model.anchors",
           std::span<double>(c.model.anchors),
           {.range = above(0),
            .unit = "pixels",
            .task = kDetect,
            .help = "Width and height of 9 boxes at input.size, the smallest first; `ghosttrain anchors` finds them."}},

          {"data.train",
           &c.data.train,
           {.path = true, .help = "The training pictures: a folder with one folder per class."}},
          {"data.val",
           &c.data.val,
           {.path = true,
            .help = "The validation pictures, in the same form; its class folders are matched by name. null trains "
                    "without validation."}},
          {"data.format",
           &c.data.format,
           {.choices = {"image_folder", "voc", "coco", "yolo"},
            .help = "How the data set lies on disk: image_folder to classify, the others to detect."}},
          {"data.classes",
           &c.data.classes,
           {.path = true,
            .help = "A text file with one class name per line that fixes the order of the classes; null takes the "
                    "sorted folder names of data.train."}},
          {"data.workers",
           &c.data.workers,
           {.range = between(0, 256),
            .unit = "threads",
            .help = "Threads that read and augment pictures; 0 does it in the training thread. The result does not "
                    "depend on it."}},
          {"data.on_corrupt",
           &c.data.on_corrupt,
           {.choices = {"skip", "error"},
            .help = "An unreadable picture is skipped, counted and listed, or stops the run."}},
          {"data.cache",
           &c.data.cache,
           {.choices = {"none", "memory"}, .help = "Whether decoded pictures are kept in memory."}},
          {"data.cache_limit_mb",
           &c.data.cache_limit_mb,
           {.range = between(1, 1e8),
            .unit = "MiB",
            .help = "Most memory data.cache may take; pictures beyond it are read again each time."}},

          {"input.size",
           &c.input.size,
           {.range = between(16, 4096), .unit = "pixels", .help = "Height and width of the network's input."}},
          {"input.mean",
           std::span<double>(c.input.mean),
           {.range = between(-1, 2), .help = "Subtracted from red, green and blue, which lie in 0 to 1."}},
          {"input.std",
           std::span<double>(c.input.std),
           {.range = above_to(0, 10), .help = "Divides red, green and blue after the subtraction."}},
          {"input.crop_pct",
           &c.input.crop_pct,
           {.range = above_to(0, 1),
            .task = kClassify,
            .help = "Validation resizes the shorter side to input.size / crop_pct and cuts out the centre."}},
          {"input.letterbox",
           &c.input.letterbox,
           {.task = kDetect,
            .help = "Whether pictures keep their shape, on grey, or are stretched to the input: for evaluation, val, "
                    "predict and export alike."}},
          {"input.interpolation",
           &c.input.interpolation,
           {.choices = {"bilinear", "bicubic"}, .help = "How pictures are resized, with antialiasing."}},
      });
}

void add_training(Config& c, std::vector<ConfigKey>& keys) {
  keys.insert(
      keys.end(),
      {
          {"train.epochs",
           &c.train.epochs,
           {.range = between(1, 1e6), .unit = "epochs", .help = "Passes over the training pictures."}},
          {"train.batch_size",
           &c.train.batch_size,
           {.range = between(1, 65536), .unit = "pictures", .help = "Pictures per forward pass."}},
          {"train.accumulate",
           &c.train.accumulate,
           {.range = between(1, 4096),
            .unit = "batches",
            .help = "Batches whose gradients are averaged before one optimizer step."}},
          {"train.seed",
           &c.train.seed,
           {.range = between(0, 9007199254740992),
            .help = "Start of all random numbers; the same seed gives the same weights, bit for bit."}},
          {"train.precision",
           &c.train.precision,
           {.choices = {"fp32", "tf32", "bf16", "fp16"},
            .help = "Type of a training step's maps and their gradients. tf32: float32 maps, but products round their "
                    "inputs; CUDA only. bf16, fp16: half the memory, sums in float32; on the CPU for trials, it is no "
                    "faster. Weights, statistics, loss and evaluation are float32 in all."}},
          {"train.max_grad_norm",
           &c.train.max_grad_norm,
           {.range = at_least(0),
            .help = "Gradients are scaled down to this global L2 norm; 0 leaves them as they are."}},
          {"train.threads",
           &c.train.threads,
           {.range = between(0, 4096),
            .unit = "threads",
            .help = "Threads that compute on the CPU; 0 takes all this process may use. The result does not depend on "
                    "it."}},
          {"train.cuda_graph",
           &c.train.cuda_graph,
           {.choices = {"auto", "true", "false"},
            .help = "Whether a training step on a CUDA device is recorded once for each shape of its batch and then "
                    "started as a whole; auto does. The result does not depend on it. Without effect on the CPU."}},

          {"train.freeze_epochs",
           &c.train.freeze_epochs,
           {.range = between(0, 1e6),
            .unit = "epochs",
            .task = kDetect,
            .help = "First epochs, in which the backbone stands still: no gradients, and its batch norms run as in "
                    "inference. For a start from model.backbone_weights."}},
          {"train.freeze_batch_size",
           &c.train.freeze_batch_size,
           {.range = between(1, 65536),
            .unit = "pictures",
            .task = kDetect,
            .help = "train.batch_size of the frozen epochs."}},

          {"optimizer.name",
           &c.optimizer.name,
           {.choices = {"sgd", "adam", "adamw"},
            .help = "The update rule. adam adds the decay to the gradient, adamw shrinks the weights directly."}},
          {"optimizer.learning_rate",
           &c.optimizer.learning_rate,
           {.range = above(0), .help = "The highest learning rate of the schedule."}},
          {"optimizer.min_learning_rate",
           &c.optimizer.min_learning_rate,
           {.range = at_least(0),
            .help = "Where cosine, yolox_cosine and step without step_epochs end; not above optimizer.learning_rate."}},
          {"optimizer.momentum", &c.optimizer.momentum, {.range = up_to_below(0, 1), .help = "Momentum of sgd."}},
          {"optimizer.nesterov", &c.optimizer.nesterov, {.help = "Whether sgd looks ahead along its momentum."}},
          {"optimizer.beta1",
           &c.optimizer.beta1,
           {.range = up_to_below(0, 1), .help = "Decay of adam's and adamw's mean of gradients."}},
          {"optimizer.beta2",
           &c.optimizer.beta2,
           {.range = up_to_below(0, 1), .help = "Decay of adam's and adamw's mean of squared gradients."}},
          {"optimizer.eps",
           &c.optimizer.eps,
           {.range = above_to(0, 1), .help = "Added to the divisor of adam and adamw."}},
          {"optimizer.weight_decay",
           &c.optimizer.weight_decay,
           {.range = between(0, 1), .help = "Decay of the weights; batch norm and biases have none."}},
          {"optimizer.scale_with_batch",
           &c.optimizer.scale_with_batch,
           {.help = "Whether both learning rates are multiplied by pictures per step / 64, held within 5e-4 to 5e-2 "
                    "(sgd) or 3e-4 to 1e-3 (adam, adamw) and a hundredth of these for the lowest."}},

          {"schedule.name",
           &c.schedule.name,
           {.choices = {"cosine", "step", "constant", "yolox_cosine"},
            .help =
                "How the learning rate goes on after the warm-up. yolox_cosine has its own warm-up and a flat end."}},
          {"schedule.warmup_epochs",
           &c.schedule.warmup_epochs,
           {.range = at_least(0),
            .unit = "epochs",
            .help =
                "First epochs, in which the learning rate rises to its highest; yolox_cosine does not look at it."}},
          {"schedule.warmup_start_factor",
           &c.schedule.warmup_start_factor,
           {.range = kProbability,
            .help = "Share of the learning rate at which the warm-up starts; yolox_cosine does not look at it."}},
          {"schedule.step_epochs",
           &c.schedule.step_epochs,
           {.range = between(1, 1e6),
            .unit = "epochs",
            .help = "Rising list of the epochs after which step multiplies the learning rate by step_gamma; an empty "
                    "list makes ten equal steps down to optimizer.min_learning_rate."}},
          {"schedule.step_gamma", &c.schedule.step_gamma, {.range = above_to(0, 1), .help = "Factor of each step."}},
          {"schedule.no_aug_epochs",
           &c.schedule.no_aug_epochs,
           {.range = between(0, 1e6),
            .unit = "epochs",
            .help = "Last epochs, in which pictures are changed by mirror images only."}},
      });
}

void add_augmentation(Config& c, std::vector<ConfigKey>& keys) {
  keys.insert(
      keys.end(),
      {
          {"augment.random_resized_crop",
           std::span<double>(c.augment.random_resized_crop),
           {.range = above_to(0, 1),
            .task = kClassify,
            .help = "Smallest and largest share of the picture's area that a crop keeps."}},
          {"augment.ratio",
           std::span<double>(c.augment.ratio),
           {.range = between(0.1, 10), .task = kClassify, .help = "Smallest and largest width / height of a crop."}},
          {"augment.flip",
           &c.augment.flip,
           {.range = kProbability, .help = "Probability of a mirror image (left and right swapped)."}},
          {"augment.vertical_flip",
           &c.augment.vertical_flip,
           {.range = kProbability,
            .task = kClassify,
            .help = "Probability of an upside-down image (top and bottom swapped)."}},
          {"augment.color_jitter",
           &c.augment.color_jitter,
           {.range = kProbability,
            .task = kClassify,
            .help = "Brightness, contrast and saturation are multiplied by 1 - x to 1 + x."}},
          {"augment.hue",
           &c.augment.hue,
           {.range = between(0, 0.5), .task = kClassify, .help = "The hue is turned by -x to +x of the circle."}},
          {"augment.rand_augment_ops",
           &c.augment.rand_augment_ops,
           {.range = between(0, 14),
            .task = kClassify,
            .help = "RandAugment operations per picture; 0 switches it off."}},
          {"augment.rand_augment_magnitude",
           &c.augment.rand_augment_magnitude,
           {.range = between(0, 30), .task = kClassify, .help = "Strength of RandAugment, 30 the strongest."}},
          {"augment.random_erasing",
           &c.augment.random_erasing,
           {.range = kProbability,
            .task = kClassify,
            .help = "Probability that a rectangle of the picture is erased."}},
          {"augment.mixup",
           &c.augment.mixup,
           {.range = between(0, 10),
            .task = kClassify,
            .help =
                "Alpha of the Beta distribution by which two pictures and their labels are mixed; 0 switches it off."}},
          {"augment.cutmix",
           &c.augment.cutmix,
           {.range = between(0, 10),
            .task = kClassify,
            .help = "Alpha of the Beta distribution for the share of a picture that another one covers; 0 switches it "
                    "off."}},
      });
}

void add_run(Config& c, std::vector<ConfigKey>& keys) {
  keys.insert(
      keys.end(),
      {
          {"checkpoint.every_epochs",
           &c.checkpoint.every_epochs,
           {.range = between(1, 1e6),
            .unit = "epochs",
            .help = "Epochs between two numbered checkpoints. last is written after each epoch, best after each better "
                    "one."}},
          {"checkpoint.every_minutes",
           &c.checkpoint.every_minutes,
           {.range = at_least(0),
            .unit = "minutes",
            .help = "Time after which last is also written within an epoch; 0 never."}},
          {"checkpoint.keep",
           &c.checkpoint.keep,
           {.range = between(0, 1e6),
            .unit = "files",
            .help = "Numbered checkpoints that stay, the newest; last and best always do."}},
          {"output", &c.output, {.help = "Folder in which each run gets a folder of its own."}},
          {"run_name", &c.run_name, {.help = "Name of the run's folder; null makes it from model, date and time."}},
          {"device", &c.device, {.help = "auto, cpu, cuda or cuda:N. auto takes a CUDA device where there is one."}},
      });
}

struct TypeText {
  std::string operator()(bool*) const { return "true or false"; }
  std::string operator()(int64_t*) const { return "integer"; }
  std::string operator()(double*) const { return "number"; }
  std::string operator()(std::string*) const { return "text"; }
  std::string operator()(std::span<double> list) const { return str("list of ", list.size(), " numbers"); }
  std::string operator()(std::vector<int64_t>*) const { return "list of integers"; }
};

}  // namespace

std::string Range::text() const {
  const bool has_low = low > -std::numeric_limits<double>::infinity();
  const bool has_high = high < std::numeric_limits<double>::infinity();
  const std::string from = (open_low ? "above " : has_high ? "" : "at least ") + shortest(low);
  const std::string to = (open_high ? "below " : has_low ? "" : "at most ") + shortest(high);
  if (has_low && has_high) return from + " to " + to;
  return has_low ? from : has_high ? to : "";
}

std::string_view ConfigKey::section() const {
  const size_t dot = name.find('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

std::string_view ConfigKey::leaf() const { return name.substr(name.find('.') + 1); }

std::string ConfigKey::type_text() const { return std::visit(TypeText(), place); }

std::vector<ConfigKey> config_keys(Config& config) {
  std::vector<ConfigKey> keys;
  add_model_and_data(config, keys);
  add_training(config, keys);
  add_augmentation(config, keys);
  add_detection_keys(config, keys);
  add_run(config, keys);
  return keys;
}

}  // namespace ghost
