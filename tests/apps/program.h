// Runs the built program as a user would, on small pictures made here.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/support/temp_folder.h"

namespace ghost {

// A folder of this process, emptied first.
std::string test_folder();

// root/train and root/val: `classes` class folders ("class_a" ...) of `per_class` pictures, 40x36, told apart by colour
// and stripes. PNG.
void make_picture_folders(const std::string& root, int classes, int per_class);

// A config for a tiny GhostNet on those pictures: width 0.25, 32x32, batch 4.
std::string write_tiny_config(const std::string& root, const std::string& extra = "");

struct ProgramResult {
  int exit_code = 0;   // 128 + signal when a signal ended it
  std::string output;  // stdout and stderr
};
ProgramResult run_program(const std::vector<std::string>& arguments, const std::string& folder);

// Starts it and returns at once; output goes to folder/output.txt.
pid_t start_program(const std::vector<std::string>& arguments, const std::string& folder);
int wait_for(pid_t process);

}  // namespace ghost
