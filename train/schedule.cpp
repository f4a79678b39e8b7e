#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace ghost {
namespace {

double cosine_between(double high, double low, double share) {
  return low + 0.5 * (high - low) * (1 + std::cos(std::numbers::pi * std::clamp(share, 0.0, 1.0)));
}

double yolox_cosine(const LearningRateRange& range, double epochs, double epoch) {
  const double warmup = std::min(std::max(0.05 * epochs, 1.0), 3.0),
               tail = std::min(std::max(0.05 * epochs, 1.0), 15.0);
  const double start = std::max(0.1 * range.base, 1e-6);
  if (epoch <= warmup) return (range.base - start) * std::pow(epoch / warmup, 2) + start;
  if (epoch >= epochs - tail) return range.final;
  return cosine_between(range.base, range.final, (epoch - warmup) / (epochs - warmup - tail));
}

double stepped(const ScheduleConfig& schedule, const LearningRateRange& range, double epochs, double epoch) {
  if (schedule.step_epochs.empty()) {
    const double steps = std::min(std::floor(epoch / (epochs / 10)), 9.0);
    return range.base * std::pow(range.final / range.base, steps / 9);
  }
  const auto passed = std::count_if(schedule.step_epochs.begin(), schedule.step_epochs.end(),
                                    [&](int64_t at) { return epoch >= static_cast<double>(at); });
  return range.base * std::pow(schedule.step_gamma, static_cast<double>(passed));
}

}  // namespace

LearningRateRange learning_rate_range(const OptimizerConfig& optimizer, int64_t batch_size) {
  if (!optimizer.scale_with_batch) return {optimizer.learning_rate, optimizer.min_learning_rate};
  const bool sgd = optimizer.name == "sgd";
  const double low = sgd ? 5e-4 : 3e-4, high = sgd ? 5e-2 : 1e-3, scale = static_cast<double>(batch_size) / 64;
  return {std::clamp(scale * optimizer.learning_rate, low, high),
          std::clamp(scale * optimizer.min_learning_rate, 0.01 * low, 0.01 * high)};
}

double learning_rate_at(const ScheduleConfig& schedule, const LearningRateRange& range, int64_t epochs, double epoch) {
  const double total = static_cast<double>(epochs);
  if (schedule.name == "yolox_cosine") return yolox_cosine(range, total, std::floor(epoch));
  const double warmup = std::min(schedule.warmup_epochs, total);
  if (epoch < warmup) {
    const double start = schedule.warmup_start_factor;
    return range.base * (start + (1 - start) * epoch / warmup);
  }
  if (schedule.name == "constant") return range.base;
  if (schedule.name == "step") return stepped(schedule, range, total, epoch);
  GHOST_ASSERT(schedule.name == "cosine", "schedule ", schedule.name);
  return warmup < total ? cosine_between(range.base, range.final, (epoch - warmup) / (total - warmup)) : range.base;
}

}  // namespace ghost
