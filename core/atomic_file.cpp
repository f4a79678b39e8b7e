#include "core/atomic_file.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/error.h"

namespace ghost {
namespace fs = std::filesystem;
namespace {

constexpr char kTemporaryMark[] = ".tmp-";

std::string folder_of(const std::string& path) {
  const std::string folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

int open_new(const std::string& path) { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }

}  // namespace

AtomicFile::AtomicFile(std::string path, int64_t expected_bytes) : path_(std::move(path)), expected_(expected_bytes) {
  const int64_t free = free_disk_bytes(path_);
  if (free >= 0 && free < expected_) fail("start", ENOSPC);
  static std::atomic<int> counter{0};
  do {
    temporary_ = str(path_, kTemporaryMark, ::getpid(), '-', counter++);
    file_ = open_new(temporary_);
  } while (file_ < 0 && (errno == EEXIST || errno == EINTR));
  if (file_ < 0) fail("open", errno);
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::write(const void* data, size_t bytes) {
  GHOST_ASSERT(file_ >= 0, "AtomicFile '" + path_ + "' was written to after its end");
  // Linux moves at most 2 GiB per call; a smaller piece lets an interrupt in between.
  constexpr size_t kPiece = size_t{64} << 20;
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t count = ::write(file_, from, std::min(bytes, kPiece));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      expected_ = std::max(expected_, written_ + static_cast<int64_t>(bytes));
      fail("write", count < 0 ? errno : ENOSPC);
    }
    from += count;
    bytes -= static_cast<size_t>(count);
    written_ += count;
  }
}

void AtomicFile::commit() {
  GHOST_ASSERT(file_ >= 0, "AtomicFile '" + path_ + "' was committed after its end");
  if (::fsync(file_) != 0) fail("flush", errno);
  // Network file systems report a full disk as late as here.
  if (::close(std::exchange(file_, -1)) != 0) fail("close", errno);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename", errno);
  temporary_.clear();
  renamed_ = true;
  const std::string folder = folder_of(path_);
  const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) fail("flush the folder of", errno);
  const int error_number = ::fsync(handle) == 0 ? 0 : errno;
  ::close(handle);
  // EINVAL: a file system that has no such thing as flushing a folder.
  if (error_number != 0 && error_number != EINVAL) fail("flush the folder of", error_number);
}

void AtomicFile::fail(const char* action, int error_number) {
  discard();
  const int64_t free = free_disk_bytes(path_);
  GHOST_FAIL(kDisk, "could not ", action, " '", path_, "': ", std::strerror(error_number), " (",
             std::max(expected_, written_), " bytes needed, ", written_, " written, ",
             free < 0 ? std::string("free space unknown") : str(free, " bytes free there"), "). ",
             renamed_ ? "The file is in place, but may not outlast a power cut."
                      : "Nothing was changed. Free some space or choose another folder.");
}

void AtomicFile::discard() noexcept {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

void write_file_atomically(const std::string& path, std::string_view text) {
  AtomicFile file(path, static_cast<int64_t>(text.size()));
  file.write(text);
  file.commit();
}

void remove_unfinished_files(const std::string& folder) {
  std::error_code ignored;  // a file that cannot be removed is in nobody's way
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const size_t mark = name.rfind(kTemporaryMark);
    if (mark == std::string::npos || !entry.is_regular_file(ignored)) continue;
    const std::string tail = name.substr(mark + std::strlen(kTemporaryMark));
    if (!tail.empty() && tail.find_first_not_of("0123456789-") == std::string::npos) fs::remove(entry.path(), ignored);
  }
}

int64_t free_disk_bytes(const std::string& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0 && ::statvfs(folder_of(path).c_str(), &info) != 0) return -1;
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
}

}  // namespace ghost
