#include "data/new_folder.h"

#include "core/error.h"

namespace ghost {

namespace fs = std::filesystem;

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  GHOST_CHECK_AS(kDisk, !error, "cannot create the folder '", path.string(), "': ", error.message());
}

NewFolder::NewFolder(const std::string& destination) {
  GHOST_CHECK(!destination.empty(), "the destination folder is missing");
  destination_ = fs::path(destination).lexically_normal();
  if (!destination_.has_filename()) destination_ = destination_.parent_path();  // "DST/"
  std::error_code error;
  if (fs::exists(destination_, error)) {
    GHOST_CHECK_AS(kData, fs::is_directory(destination_, error), "'", destination, "' is not a folder");
    GHOST_CHECK_AS(kData, fs::is_empty(destination_, error), "'", destination,
                   "' is not empty. Name another folder or remove it");
  }
  partial_ = destination_.string() + ".partial";
  fs::remove_all(partial_, error);
  make_folder(partial_);
}

NewFolder::~NewFolder() {
  std::error_code error;
  if (!partial_.empty()) fs::remove_all(partial_, error);
}

void NewFolder::commit() {
  std::error_code error;
  fs::rename(partial_, destination_, error);  // takes the place of an empty folder, too
  GHOST_CHECK_AS(kDisk, !error, "cannot rename '", partial_.string(), "' to '", destination_.string(),
                 "': ", error.message());
  partial_.clear();
}

}  // namespace ghost
