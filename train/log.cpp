#include "train/log.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace ghost {
namespace {

constexpr char kEraseLine[] = "\r\x1b[K";

void put(std::FILE* to, std::string_view text) { std::fwrite(text.data(), 1, text.size(), to); }

}  // namespace

std::string printable(std::string_view text) {
  std::string result(text);
  for (size_t i = 0; i < result.size(); ++i) {
    const auto byte = static_cast<unsigned char>(result[i]);
    // 0xc2 0x80 to 0xc2 0x9f are UTF-8's second set of control characters.
    const bool second_set =
        byte == 0xc2 && i + 1 < result.size() && static_cast<unsigned char>(result[i + 1]) - 0x80u < 0x20u;
    if (second_set) result[i + 1] = '?';
    if (second_set || byte == 0x7f || (byte < 0x20 && byte != '\n' && byte != '\t')) result[i] = '?';
  }
  return result;
}

Log::Log() : Log(stdout, ::isatty(STDOUT_FILENO) == 1) {}

Log::~Log() {
  if (interactive_ && !status_.empty()) {
    put(terminal_, kEraseLine);
    std::fflush(terminal_);
  }
  if (file_ >= 0) ::close(file_);
}

void Log::open_file(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  GHOST_CHECK_AS(kDisk, file >= 0, "could not open '", path, "': ", std::strerror(errno));
  if (file_ >= 0) ::close(file_);
  file_ = file;
  path_ = path;
}

void Log::line(std::string_view text) {
  const std::string clean = printable(text) + '\n';
  const std::lock_guard lock(mutex_);
  if (terminal_) {
    if (interactive_ && !status_.empty()) put(terminal_, kEraseLine);
    put(terminal_, clean);
    if (interactive_) put(terminal_, status_);
    std::fflush(terminal_);
  }
  for (size_t done = 0; file_ >= 0 && done < clean.size();) {
    const ssize_t count = ::write(file_, clean.data() + done, clean.size() - done);
    if (count < 0 && errno == EINTR) continue;
    GHOST_CHECK_AS(kDisk, count > 0, "could not write '", path_, "': ", std::strerror(errno));
    done += static_cast<size_t>(count);
  }
}

void Log::status(std::string_view text) {
  if (!interactive_) return;
  const std::lock_guard lock(mutex_);
  if (status_.empty() && text.empty()) return;
  status_ = printable(text);
  put(terminal_, kEraseLine);
  put(terminal_, status_);
  std::fflush(terminal_);
}

int Log::columns() const {
  winsize size{};
  if (terminal_ && ::ioctl(::fileno(terminal_), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 100;
}

}  // namespace ghost
