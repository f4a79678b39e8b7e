#include "core/error.h"

namespace ghost {

Error::Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)), full_(message_) {}

void Error::add_context(std::string_view where) {
  if (where.empty()) return;
  full_ += "\n  in ";
  full_ += where;
}

void fail_assert(const char* condition, const char* file, int line, const std::string& message) {
  throw Error(ErrorKind::kInternal,
              str("internal error: ", condition, " is false at ", file, ":", line, message.empty() ? "" : ": ", message,
                  ". This is a bug in Ghosttrain, please report it."));
}

}  // namespace ghost
