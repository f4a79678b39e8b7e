// A folder that appears whole or not at all: files go to NAME.partial, commit() gives it the real name.
#pragma once

#include <filesystem>
#include <string>

namespace ghost {

// Throws kDisk with the path and the reason.
void make_folder(const std::filesystem::path& path);

class NewFolder {
 public:
  // Removes what a killed run left of `<destination>.partial` and makes it anew. Throws kUsage without a destination,
  // kData where the destination is there and not an empty folder, kDisk.
  explicit NewFolder(const std::string& destination);
  // Removes the partial folder unless commit() succeeded.
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  const std::filesystem::path& partial() const { return partial_; }
  // Call once, last.
  void commit();

 private:
  std::filesystem::path destination_, partial_;
};

}  // namespace ghost
