#include "apps/info_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "kernels/convolution_problem.h"

namespace ghost {
namespace {

constexpr const char* kComputed =
    "Computed, not measured: nothing ran on a GPU. Launches, bytes and memory follow this build's CUDA code;\n"
    "floors are what the card's bandwidth and FLOP/s allow at best. A library's call counts as one launch.";

double mb(int64_t bytes) { return static_cast<double>(bytes) / 1e6; }

// "3 cuDNN (engines 70, 74, 1) + 9 own": who runs a row.
std::string run_by(const PlannedRow& row) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : " + ") + part; };
  if (row.cudnn > 0)
    add(fmt::format("{} cuDNN{}", row.cudnn,
                    row.plans.empty() ? "" : fmt::format(" (engines {})", fmt::join(row.plans, ", "))));
  if (row.cublaslt > 0) add(fmt::format("{} cuBLASLt", row.cublaslt));
  if (row.own > 0) add(fmt::format("{} own", row.own));
  return text;
}

std::string workspace_text(const GpuPlan& plan, const PlannedRow& row) {
  if (row.cudnn == 0) return "";
  return plan.workspace_known ? fmt::format("{:.2f}", mb(row.workspace)) : "not known";
}

// Rows of equal length; a column is as wide as its widest cell, texts to the left and figures to the right.
void print_table(Log& log, const std::vector<std::vector<std::string>>& rows, size_t texts) {
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i)
      line += i < texts ? fmt::format("{:<{}}  ", row[i], widths[i]) : fmt::format("{:>{}}  ", row[i], widths[i]);
    log.line(line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

void print_rows(Log& log, const GpuPlan& plan, bool training) {
  std::vector<std::vector<std::string>> rows{{"layer", "kind", "launches run by", "launches", "forward MB",
                                              training ? "backward MB" : "", "workspace MB", "floor us"}};
  for (const PlannedRow& row : plan.rows)
    rows.push_back({row.name, row.kind, run_by(row), std::to_string(row.cudnn + row.cublaslt + row.own),
                    fmt::format("{:.2f}", mb(row.forward_bytes)),
                    training ? fmt::format("{:.2f}", mb(row.backward_bytes)) : "", workspace_text(plan, row),
                    fmt::format("{:.1f}", 1e3 * row.floor_ms)});
  print_table(log, rows, 3);
}

void print_memory(Log& log, const GpuPlan& plan, const GpuPlanOptions& options) {
  const PlannedMemory& memory = plan.memory;
  log.line(options.training
               ? fmt::format("memory     weights {:.1f} MB, gradients {:.1f}, moments {:.1f}, average {:.1f}, pictures "
                             "{:.1f}, kept for backward {:.1f}",
                             mb(memory.weights), mb(memory.gradients), mb(memory.moments), mb(memory.average),
                             mb(memory.batch), mb(memory.activations))
               : fmt::format("memory     weights {:.1f} MB, pictures {:.1f}", mb(memory.weights), mb(memory.batch)));
  log.line(fmt::format("           {:.1f} MB in use at the peak, {:.1f} held with what the allocator keeps for reuse",
                       mb(memory.peak), mb(memory.held)));
  log.line(plan.workspace_known
               ? fmt::format("workspace  {:.1f} MB, the largest of cuDNN's plans (held above)", mb(plan.workspace))
               : fmt::format("workspace  not known: {}. No plan takes more than {:.1f} MB", plan.no_plans,
                             mb(plan.workspace)));
  log.line(fmt::format("total      {:.1f} MB of {:.1f}, with {:.1f} allowed for driver and libraries{}", mb(plan.total),
                       mb(options.gpu.memory), mb(kContextBytes),
                       plan.total > options.gpu.memory ? ": this batch does not fit" : ""));
  log.line(plan.largest_batch == 0 ? "largest    not even one picture fits"
                                   : fmt::format("largest    batch {} fits, with {:.1f} MB left for workspaces",
                                                 plan.largest_batch, mb(kWorkspaceLimit)));
}

int64_t sum_of(const GpuPlan& plan, int64_t PlannedRow::*member) {
  int64_t sum = 0;
  for (const PlannedRow& row : plan.rows) sum += row.*member;
  return sum;
}

}  // namespace

void print_plan(Log& log, const GpuPlan& plan, const GpuPlanOptions& options) {
  log.line(kComputed);
  print_rows(log, plan, options.training);
  const int64_t pictures = options.batch_size * (options.training ? options.config.train.accumulate : 1);
  log.line(fmt::format("{}, batch {}{}, {} on {}", options.training ? "training" : "inference", options.batch_size,
                       pictures != options.batch_size ? fmt::format(" x {}", options.config.train.accumulate) : "",
                       options.config.train.precision, options.gpu.name));
  log.line(fmt::format("launches   {} a step: {} cuDNN, {} cuBLASLt, {} own", plan.launches,
                       sum_of(plan, &PlannedRow::cudnn), sum_of(plan, &PlannedRow::cublaslt),
                       sum_of(plan, &PlannedRow::own)));
  log.line(fmt::format("moved      {:.1f} MB a step, {:.2f} MB a picture: {:.2f} times the maps of a fully fused step",
                       mb(plan.bytes), mb(plan.bytes) / static_cast<double>(pictures),
                       static_cast<double>(plan.bytes) / static_cast<double>(std::max<int64_t>(plan.fused_bytes, 1))));
  log.line(fmt::format(
      "products   {:.2f} GFLOP a step\ncopies     {} of {:.2f} MB between host and device; the host waits for {}",
      static_cast<double>(plan.flops) / 1e9, plan.host_copies, mb(plan.host_copy_bytes), plan.host_waits));
  print_memory(log, plan, options);
  log.line(fmt::format("floor      {:.3f} ms a step (computed, not measured)", plan.floor_ms));
}

nlohmann::ordered_json plan_json(const GpuPlan& plan, const GpuPlanOptions& options) {
  const PlannedMemory& memory = plan.memory;
  nlohmann::ordered_json json = {{"measured", false},
                                 {"note", kComputed},
                                 {"device", options.gpu.name},
                                 {"training", options.training},
                                 {"batch_size", options.batch_size},
                                 {"precision", options.config.train.precision},
                                 {"launches", plan.launches},
                                 {"bytes", plan.bytes},
                                 {"fused_bytes", plan.fused_bytes},
                                 {"flops", plan.flops},
                                 {"host_copies", plan.host_copies},
                                 {"host_copy_bytes", plan.host_copy_bytes},
                                 {"host_waits", plan.host_waits},
                                 {"floor_ms", plan.floor_ms}};
  json["memory"] = {{"weights", memory.weights}, {"gradients", memory.gradients}, {"moments", memory.moments},
                    {"average", memory.average}, {"pictures", memory.batch},      {"activations", memory.activations},
                    {"peak", memory.peak},       {"held", memory.held},           {"context_allowance", kContextBytes},
                    {"total", plan.total},       {"device", options.gpu.memory}};
  json["workspace"] = plan.workspace_known ? nlohmann::ordered_json(plan.workspace) : nlohmann::ordered_json(nullptr);
  if (!plan.workspace_known) json["workspace_reason"] = plan.no_plans;
  json["largest_batch"] = plan.largest_batch;
  json["rows"] = nlohmann::ordered_json::array();
  for (const PlannedRow& row : plan.rows) {
    json["rows"].push_back({{"name", row.name},
                            {"kind", row.kind},
                            {"cudnn", row.cudnn},
                            {"cublaslt", row.cublaslt},
                            {"own", row.own},
                            {"plans", row.plans},
                            {"forward_bytes", row.forward_bytes},
                            {"backward_bytes", row.backward_bytes},
                            {"flops", row.flops},
                            {"floor_ms", row.floor_ms}});
    if (plan.workspace_known) json["rows"].back()["workspace"] = row.workspace;
  }
  return json;
}

}  // namespace ghost
