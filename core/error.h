// Errors: what was got, what is needed, what to do. Library code throws; only apps/ prints and exits.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ghost {

// The values are the program's exit codes (README, "Exit codes").
enum class ErrorKind {
  kInternal = 1,   // our bug
  kUsage = 2,      // command line or config
  kData = 3,       // pictures, labels, data set folders
  kWeights = 4,    // weights and checkpoints
  kDevice = 5,     // device or memory
  kNonFinite = 6,  // loss or gradient is NaN or infinite
  kDisk = 7,       // a file could not be written
};

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message);
  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }
  // Adds a line "  in <where>": called on the way up, innermost first.
  void add_context(std::string_view where);
  // The message followed by its context lines.
  const char* what() const noexcept override { return full_.c_str(); }

 private:
  ErrorKind kind_;
  std::string message_;
  std::string full_;
};

// Joins its arguments with operator<<.
template <class... Parts>
std::string str(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

// Names for a message: "a, b, c".
inline std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Runs `body`; an Error that passes through gains the line "  in <where()>".
template <class Where, class Body>
auto with_context(const Where& where, const Body& body) {
  try {
    return body();
  } catch (Error& error) {
    error.add_context(where());
    throw;
  }
}

[[noreturn]] void fail_assert(const char* condition, const char* file, int line, const std::string& message);

}  // namespace ghost

// Raises an Error of a kind: GHOST_FAIL(kData, "no picture in '", folder, "'").
#define GHOST_FAIL(kind, ...) throw ::ghost::Error(::ghost::ErrorKind::kind, ::ghost::str(__VA_ARGS__))

// The caller's mistake: shapes, options, arguments.
#define GHOST_CHECK(condition, ...)    \
  do {                                 \
    if (!(condition)) [[unlikely]]     \
      GHOST_FAIL(kUsage, __VA_ARGS__); \
  } while (false)

// The same with a kind of its own: GHOST_CHECK_AS(kWeights, header < size, ...).
#define GHOST_CHECK_AS(kind, condition, ...) \
  do {                                       \
    if (!(condition)) [[unlikely]]           \
      GHOST_FAIL(kind, __VA_ARGS__);         \
  } while (false)

// Our own bug; the message is for the person who mends it.
#define GHOST_ASSERT(condition, ...)                                                      \
  do {                                                                                    \
    if (!(condition)) [[unlikely]]                                                        \
      ::ghost::fail_assert(#condition, __FILE__, __LINE__, ::ghost::str("" __VA_ARGS__)); \
  } while (false)
