#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <system_error>

#include "core/error.h"

namespace ghost::test {

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::path(testing::TempDir()) / "ghost_XXXXXX").string();
  GHOST_ASSERT(::mkdtemp(pattern.data()) != nullptr, "no folder can be made like ", pattern);
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

std::string TempFolder::path(const std::string& name) const {
  return name.empty() ? path_.string() : (path_ / name).string();
}

std::string TempFolder::write_text(const std::string& name, const std::string& text) const {
  std::filesystem::create_directories((path_ / name).parent_path());
  std::ofstream(path(name), std::ios::binary) << text;
  return path(name);
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace ghost::test
