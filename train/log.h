// What a run says: lines to the terminal and to log.txt, and one line at the terminal's bottom that is drawn over.
//
// Control characters never get through: a picture's name cannot move the cursor or fake a line.
#pragma once

#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>

namespace ghost {

class Log {
 public:
  // `terminal`: stdout, or nullptr for no terminal at all; stays the caller's. `interactive`: it understands carriage
  // return and erase.
  Log(std::FILE* terminal, bool interactive) : terminal_(terminal), interactive_(terminal && interactive) {}
  // stdout; interactive where it is a terminal.
  Log();
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // From here on lines are also appended to this file. Throws kDisk where it cannot be opened.
  void open_file(const std::string& path);

  // One or more lines; a line break is added. Safe from any thread. Throws kDisk when the file takes no more.
  void line(std::string_view text);
  void warn(std::string_view text) { line("warning: " + std::string(text)); }

  // Shows `text` below all lines until the next call; "" takes it away. Does nothing where not interactive.
  void status(std::string_view text);
  bool interactive() const { return interactive_; }
  // Width of the terminal in characters; 100 where unknown.
  int columns() const;

 private:
  std::FILE* terminal_;
  bool interactive_;
  std::mutex mutex_;
  std::string status_, path_;
  int file_ = -1;
};

// `text` with control characters replaced by '?', but for line breaks and tabs.
std::string printable(std::string_view text);

}  // namespace ghost
