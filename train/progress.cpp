#include "train/progress.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "core/error.h"
#include "train/number_text.h"

namespace ghost {
namespace {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

std::string bar_text(double share, int width) {
  const int filled = static_cast<int>(share * width);
  std::string bar(static_cast<size_t>(filled), '=');
  if (filled < width) bar += '>';
  bar.resize(static_cast<size_t>(width), ' ');
  return "[" + bar + "]";
}

}  // namespace

Progress::Progress(Log& log, ProgressOptions options) : log_(log), options_(std::move(options)) {
  if (!options_.clock) options_.clock = steady_seconds;
  state_.step = options_.first_step;
  begin_ = drawn_ = options_.clock();
}

Progress::~Progress() { log_.status(""); }

double Progress::seconds() const { return options_.clock() - begin_; }

double Progress::images_per_second() const {
  return seconds() > 0 ? static_cast<double>(state_.images) / seconds() : 0;
}

void Progress::update(const ProgressState& state) {
  state_ = state;
  const double now = options_.clock();
  if (now - drawn_ < (log_.interactive() ? options_.redraw_seconds : options_.plain_seconds)) return;
  drawn_ = now;
  if (log_.interactive()) {
    log_.status(text(true));
  } else {
    log_.line(text(false));
  }
}

std::string Progress::text(bool bar) const {
  const int64_t done = state_.step - options_.first_step;
  const int64_t left = std::max<int64_t>(options_.steps - state_.step, 0) + options_.steps_after;
  std::string tail = str(state_.step, "/", options_.steps, "  ", number("%.0f", images_per_second()), " img/s  loss ",
                         number("%.4f", state_.loss), "  lr ", number("%.3g", state_.learning_rate));
  if (done > 0) tail += "  eta " + duration_text(seconds() / static_cast<double>(done) * static_cast<double>(left));
  if (!bar) return options_.label + " " + tail;

  // A line as wide as the terminal would break; where even the numbers are too long they are cut.
  const int columns = log_.columns() - 1;
  const int width = std::min(30, columns - static_cast<int>(options_.label.size() + tail.size()) - 4);
  const double share =
      options_.steps > 0 ? std::min(1.0, static_cast<double>(state_.step) / static_cast<double>(options_.steps)) : 1;
  const std::string line = options_.label + " " + (width >= 5 ? bar_text(share, width) + " " : "") + tail;
  return line.substr(0, static_cast<size_t>(std::max(columns, 0)));
}

}  // namespace ghost
