#include "data/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace ghost {
namespace {

class FileHandle {
 public:
  FileHandle(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~FileHandle() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;
  int get() const { return fd_; }
  // Closing can report a write that failed late.
  bool close() {
    const int fd = fd_;
    fd_ = -1;
    return ::close(fd) == 0;
  }

 private:
  int fd_;
};

}  // namespace

void read_file(const std::string& path, std::vector<uint8_t>& bytes, int64_t max_bytes) {
  // O_NONBLOCK: a named pipe in a data set folder is refused instead of waited for.
  const FileHandle file(path, O_RDONLY | O_NONBLOCK);
  GHOST_CHECK_AS(kData, file.get() >= 0, "cannot open '", path, "': ", std::strerror(errno));
  struct stat info {};
  GHOST_CHECK_AS(kData, ::fstat(file.get(), &info) == 0, "cannot read '", path, "': ", std::strerror(errno));
  GHOST_CHECK_AS(kData, S_ISREG(info.st_mode), "cannot read '", path, "': not a regular file");
  GHOST_CHECK_AS(kData, info.st_size <= max_bytes, "'", path, "' has ", info.st_size, " bytes; the limit is ",
                 max_bytes);
  bytes.resize(static_cast<size_t>(info.st_size));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    GHOST_CHECK_AS(kData, got >= 0, "cannot read '", path, "': ", std::strerror(errno));
    if (got == 0) break;  // the file shrank meanwhile
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
}

void write_file(const std::string& path, std::span<const uint8_t> bytes) {
  FileHandle file(path, O_WRONLY | O_CREAT | O_TRUNC);
  GHOST_CHECK_AS(kDisk, file.get() >= 0, "cannot create '", path, "': ", std::strerror(errno));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    GHOST_CHECK_AS(kDisk, put >= 0, "cannot write '", path, "': ", std::strerror(errno));
    done += static_cast<size_t>(put);
  }
  GHOST_CHECK_AS(kDisk, file.close(), "cannot write '", path, "': ", std::strerror(errno));
}

}  // namespace ghost
