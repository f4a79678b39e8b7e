#include "tests/apps/same_run.h"

#include <gtest/gtest.h>

#include <sstream>

#include "core/safetensors.h"
#include "tests/apps/program.h"

namespace ghost {

void expect_same_tensors(const std::string& a, const std::string& b) {
  const SafetensorsReader first(a), second(b);
  ASSERT_EQ(first.names(), second.names());
  for (const std::string& name : first.names())
    ASSERT_EQ(first.read(name).to_vector(), second.read(name).to_vector()) << name;
}

std::string rows_of(const std::string& run) {
  std::istringstream lines(test::bytes_of(run + "/metrics.csv"));
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string field;
    for (int column = 0; std::getline(fields, field, ','); ++column)
      if (column != 2 && column != 3) text += field + ',';
    text += '\n';
  }
  return text;
}

void expect_same_run(const std::string& straight, const std::string& resumed) {
  expect_same_tensors(straight + "/checkpoints/last.safetensors", resumed + "/checkpoints/last.safetensors");
  expect_same_tensors(straight + "/checkpoints/best.safetensors", resumed + "/checkpoints/best.safetensors");
  EXPECT_EQ(rows_of(straight), rows_of(resumed));
}

}  // namespace ghost
