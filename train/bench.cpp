#include "train/bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>

#include "core/allocator.h"
#include "core/parallel.h"
#include "core/random.h"
#include "kernels/gemm.h"
#include "train/bench_network.h"
#include "train/optimizer.h"

namespace ghost {
namespace {

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double best_of(int tries, const std::function<void()>& body) {
  double best = seconds_of(body);
  for (int i = 1; i < tries; ++i) best = std::min(best, seconds_of(body));
  return best;
}

int64_t page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

WorkPerImage work_of(const std::vector<LayerRecord>& layers) {
  const auto moved = static_cast<double>(fused_map_elements(layers));
  const double flops = 2 * static_cast<double>(total_macs(layers));
  return {3 * flops, 4 * 3 * moved, flops, 4 * moved};
}

class Stepper {
 public:
  explicit Stepper(const BenchOptions& options) : network_(make_bench_network(options)), training_(options.training) {
    network_->module().to(options.device);
    network_->module().set_training(training_);
    if (training_)
      optimizer_ = std::make_unique<Optimizer>(network_->module(), OptimizerConfig{.learning_rate = kLearningRate});
    Rng rng(1, 1);
    Tensor pictures({options.batch_size, options.size, options.size, 3});
    for (int64_t i = 0; i < pictures.numel(); ++i) pictures.data<float>()[i] = rng.uniform(-2, 2);
    images_ = Variable(pictures.to(options.device));
  }

  void step() {
    ProfileScope::mark();
    if (!training_) {
      const NoGradScope no_grad;
      network_->infer(images_);
      return;
    }
    TapeScope tape;
    tape.backward(network_->loss(images_, optimizer_->steps()));
    ProfileScope::mark();
    optimizer_->step(kLearningRate, 0);
    optimizer_->take_norms();  // waits for the device
    ProfileScope::backward_done("optimizer");
  }

  BenchNetwork& network() { return *network_; }

 private:
  static constexpr double kLearningRate = 0.01;
  std::unique_ptr<BenchNetwork> network_;
  bool training_;
  std::unique_ptr<Optimizer> optimizer_;
  Variable images_;
};

}  // namespace

int64_t fused_map_elements(const std::vector<LayerRecord>& layers) {
  int64_t moved = 0;
  for (const LayerRecord& layer : layers)
    if (layer.macs > 0) moved += layer.input.numel() + layer.output.numel();
  return moved;
}

MachineSpeed measure_machine() {
  constexpr int64_t kSide = 768;
  const int64_t threads = compute_threads();
  const Tensor a = Tensor::full({threads, kSide * kSide}, 0.5), b = Tensor::full({kSide * kSide}, 0.5),
               c({threads, kSide * kSide});
  const auto multiply = [&](int64_t task) {
    gemm<float>(false, false, kSide, kSide, kSide, a.data<float>() + task * kSide * kSide, kSide, b.data<float>(),
                kSide, c.data<float>() + task * kSide * kSide, kSide, false);
  };
  const double product = best_of(5, [&] { parallel_for(threads, multiply); });

  constexpr int64_t kBytes = int64_t{64} << 20;
  const Tensor from = Tensor::full({kBytes / 4}, 1.0), to({kBytes / 4});
  char* const source = static_cast<char*>(from.raw_data());
  char* const target = static_cast<char*>(to.raw_data());
  const double copy = best_of(5, [&] {
    parallel_chunks(kBytes, int64_t{1} << 20, [&](int64_t begin, int64_t end) {
      std::memcpy(target + begin, source + begin, static_cast<size_t>(end - begin));
    });
  });
  return {2.0 * kSide * kSide * kSide * static_cast<double>(threads) / product / 1e9, 2.0 * kBytes / copy / 1e9};
}

BenchResult run_bench(const BenchOptions& options) {
  BenchResult result;
  result.machine = measure_machine();
  Stepper stepper(options);
  result.work = work_of(stepper.network().layers(options.size));
  for (int i = 0; i < 3; ++i) stepper.step();
  reset_peak(options.device);
  const int64_t allocations = memory_stats(options.device).system_allocations, faults = page_faults(),
                copied = copied_bytes();
  std::vector<double> times;
  {
    const ProfileScope profile;
    for (int64_t i = 0; i < options.steps; ++i) times.push_back(1e3 * seconds_of([&] { stepper.step(); }));
    result.ops = profile.ops();
  }
  const double steps = static_cast<double>(options.steps);
  result.peak_bytes = memory_stats(options.device).peak;
  result.allocations_per_step =
      static_cast<double>(memory_stats(options.device).system_allocations - allocations) / steps;
  result.page_faults_per_step = static_cast<double>(page_faults() - faults) / steps;
  result.copied_bytes_per_step = static_cast<double>(copied_bytes() - copied) / steps;
  std::sort(times.begin(), times.end());
  result.fastest_ms = times.front();
  result.slowest_ms = times.back();
  result.median_ms = times[times.size() / 2];
  result.images_per_second = 1e3 * static_cast<double>(options.batch_size) / result.median_ms;
  const double batch = static_cast<double>(options.batch_size);
  const double flops = batch * (options.training ? result.work.training_flops : result.work.inference_flops);
  const double bytes = batch * (options.training ? result.work.training_bytes : result.work.inference_bytes);
  result.floor_ms = std::max(flops / result.machine.gflops, bytes / result.machine.copy_gb_per_s) / 1e6;
  result.share_of_floor = result.floor_ms / result.median_ms;
  return result;
}

}  // namespace ghost
