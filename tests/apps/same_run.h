// Whether two runs are the same, byte for byte but for what time has to do with.
#pragma once

#include <string>

namespace ghost {

// The rows of metrics.csv without seconds and images_per_second.
std::string rows_of(const std::string& run);
void expect_same_tensors(const std::string& a, const std::string& b);
// last, best and rows.
void expect_same_run(const std::string& straight, const std::string& resumed);

}  // namespace ghost
