#include "train/bench.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "apps/options.h"
#include "apps/verbs.h"
#include "core/parallel.h"
#include "layers/models/detector.h"
#include "train/log.h"

namespace ghost {
namespace {

struct BenchCall {
  std::string model = "ghostnet", mode = "train";
  double width = 1.0;
  int64_t batch_size = 0, size = 0, steps = 10;
  bool json = false;
  DeviceOptions device;
};

void print(const BenchOptions& options, const BenchResult& result) {
  Log log;
  log.line(fmt::format("{} width {}, {} at {}x{}, batch {}, float32, {} threads on {}", options.model, options.width,
                       options.training ? "training" : "inference", options.size, options.size, options.batch_size,
                       compute_threads(), options.device.name()));
  log.line(fmt::format("{:.1f} images/s   {:.1f} ms a step (fastest {:.1f}, slowest {:.1f}, {} steps)",
                       result.images_per_second, result.median_ms, result.fastest_ms, result.slowest_ms,
                       options.steps));
  log.line(fmt::format("{:<32} {:>6} {:>12} {:>12}", "op, a step", "calls", "forward ms", "backward ms"));
  const double steps = static_cast<double>(options.steps);
  for (const auto& [name, time] : result.ops)
    log.line(fmt::format("{:<32} {:>6.0f} {:>12.2f} {:>12.2f}", name, static_cast<double>(time.calls) / steps,
                         1e3 * time.forward_seconds / steps, 1e3 * time.backward_seconds / steps));
  log.line(
      fmt::format("peak memory {:.0f} MB, allocations a step {:g}, page faults a step {:g}, copied {:.2f} MB a step "
                  "(concat and slice: 0)",
                  static_cast<double>(result.peak_bytes) / 1e6, result.allocations_per_step,
                  result.page_faults_per_step, result.copied_bytes_per_step / 1e6));
  log.line(
      fmt::format("this machine now: {:.0f} GFLOP/s float32, {:.1f} GB/s copy; fused floor {:.1f} ms a step; {:.0f}% "
                  "of the floor's speed",
                  result.machine.gflops, result.machine.copy_gb_per_s, result.floor_ms, 100 * result.share_of_floor));
}

nlohmann::json to_json(const BenchOptions& options, const BenchResult& result) {
  nlohmann::json json = {{"model", options.model},
                         {"width", options.width},
                         {"training", options.training},
                         {"batch_size", options.batch_size},
                         {"size", options.size},
                         {"threads", compute_threads()},
                         {"device", options.device.name()},
                         {"images_per_second", result.images_per_second},
                         {"median_ms", result.median_ms},
                         {"fastest_ms", result.fastest_ms},
                         {"slowest_ms", result.slowest_ms},
                         {"peak_bytes", result.peak_bytes},
                         {"allocations_per_step", result.allocations_per_step},
                         {"page_faults_per_step", result.page_faults_per_step},
                         {"copied_bytes_per_step", result.copied_bytes_per_step},
                         {"gflops", result.machine.gflops},
                         {"copy_gb_per_s", result.machine.copy_gb_per_s},
                         {"floor_ms", result.floor_ms},
                         {"share_of_floor", result.share_of_floor}};
  for (const auto& [name, time] : result.ops)
    json["ops"][name] = {
        {"calls", time.calls}, {"forward_seconds", time.forward_seconds}, {"backward_seconds", time.backward_seconds}};
  return json;
}

int run(const BenchCall& options) {
  BenchOptions bench;
  bench.device = apply(options.device);
  const bool detects = names_detector(options.model);
  bench.model = options.model;
  bench.width = options.width;
  bench.batch_size = options.batch_size ? options.batch_size : detects ? 4 : 32;
  bench.size = options.size ? options.size : detects ? 416 : 224;
  bench.steps = options.steps;
  bench.training = options.mode == "train";
  const BenchResult result = run_bench(bench);
  if (options.json)
    std::printf("%s\n", to_json(bench, result).dump(2).c_str());
  else
    print(bench, result);
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto options = std::make_shared<BenchCall>();
  CLI::App* verb =
      app.add_subcommand("bench", "Measures training and inference on random pictures: ghosttrain bench [MODEL]");
  verb->add_option("model", options->model, "a classifier's or a detector's name")->capture_default_str();
  verb->add_option("--mode", options->mode, "train or infer")
      ->check(CLI::IsMember({"train", "infer"}))
      ->capture_default_str();
  verb->add_option("--width", options->width, "channel multiplier")->capture_default_str();
  verb->add_option("--batch-size", options->batch_size, "pictures a step; 32, for detectors 4")
      ->check(CLI::Range(1, 4096));
  verb->add_option("--size", options->size, "height and width of the pictures; 224, for detectors 416")
      ->check(CLI::Range(32, 2048));
  verb->add_option("--steps", options->steps, "timed steps, after three others")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  verb->add_flag("--json", options->json, "print JSON");
  add_device_options(*verb, options->device);
  verb->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace ghost
