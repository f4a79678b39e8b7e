// One source per verb. Each adds its subcommand and sets `action` when it is the one that was asked for; the action
// returns the exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace ghost {

using Action = std::function<int()>;

void add_train(CLI::App& app, Action& action);
void add_val(CLI::App& app, Action& action);
void add_predict(CLI::App& app, Action& action);
void add_export(CLI::App& app, Action& action);
void add_info(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
void add_anchors(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_data(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);

}  // namespace ghost
