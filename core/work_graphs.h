// Work that a device is given again and again: on CUDA a graph for each kind of it.
//
//   graphs.run("32 pictures", [&] { ... });   // the first time it runs as it is, and what it needs gets ready
//   graphs.run("32 pictures", [&] { ... });   // now what it puts on the device's stream is recorded, then launched
//   graphs.run("32 pictures", [&] { ... });   // launched as it was recorded; the function is not called
//
// So the function only puts work on the stream: it reads what changes from the device's memory and never waits, it does
// the same for the same key each time, and every tensor that it uses but did not make lives as long as the graphs. What
// it allocates stays reserved for graphs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/device.h"

namespace ghost {

class WorkGraphs {
 public:
  // So many are kept. For one more the one that was not used for longest goes, if that was kIdle runs ago; else the
  // work runs as it is.
  static constexpr int64_t kMost = 12, kIdle = 64;

  // Not `enabled`, or on the CPU: run() calls the function each time.
  WorkGraphs(const Device& device, bool enabled);

  void run(const std::string& key, const std::function<void()>& work);

 private:
  class Graphs;
  std::shared_ptr<Graphs> graphs_;  // null where functions are called each time
};

}  // namespace ghost
