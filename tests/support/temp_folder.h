// A folder for the files of one test.
#pragma once

#include <filesystem>
#include <string>

namespace ghost::test {

// A fresh folder below the test's temporary one, removed with what is in it. No two are the same: tests run several at
// a time, in several builds.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string path(const std::string& name = "") const;  // of the folder itself where no name is given
  // Writes a file, making its folders; gives its path.
  std::string write_text(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

// All of a file; empty where there is none.
std::string bytes_of(const std::string& path);

}  // namespace ghost::test
