// A file that appears whole or not at all. Bytes go to a temporary name in the same folder; commit() makes them durable
// and gives them the real name: fsync of the file, rename, fsync of the folder. Until then the old file stands
// untouched, also when the process is killed or the disk is full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ghost {

class AtomicFile {
 public:
  // Opens `<path>.tmp-<pid>-<n>`. `expected_bytes`: what will be written, where known; too little free space is then
  // refused before the first byte. Throws kDisk, here and below, with the path, the bytes and the free space.
  explicit AtomicFile(std::string path, int64_t expected_bytes = 0);
  // Removes the temporary file unless commit() succeeded.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Where the bytes written so far can be read, until commit().
  const std::string& temporary_path() const { return temporary_; }
  // Call once, last.
  void commit();

 private:
  [[noreturn]] void fail(const char* action, int error_number);
  void discard() noexcept;

  std::string path_, temporary_;
  int64_t written_ = 0, expected_ = 0;
  int file_ = -1;
  bool renamed_ = false;
};

void write_file_atomically(const std::string& path, std::string_view text);

// Removes what killed processes left of AtomicFiles in `folder` (not in its subfolders). Only for a folder that no
// other process writes to.
void remove_unfinished_files(const std::string& folder);

// Bytes an ordinary user can still write on the file system of `path` (or of its folder); -1 where that is unknown.
int64_t free_disk_bytes(const std::string& path);

}  // namespace ghost
