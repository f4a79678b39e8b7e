// Runs the threads of a CUDA block as cooperative fibers on the calling thread. See simt.h for how it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/simt/cuda_types.h"

namespace ghost::simt {

// The order in which ready threads of a block, and the blocks of a grid, are run.
enum class Order { kUp, kDown, kRandom };
void set_order(Order order, uint64_t seed = 1);
const char* name_of(Order order);

// A mistake of a kernel or its launch; what() names kernel, block, thread.
class KernelError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Statistics {
  int64_t launches = 0, blocks = 0, threads = 0, barriers = 0;
};
Statistics statistics();

struct KernelRun {
  std::string name;      // "depthwise_kernel"
  std::string instance;  // "depthwise_kernel<3, 1>"
  int64_t launches = 0;
  int threads = 0;          // of the largest block
  size_t shared_bytes = 0;  // dynamic shared memory, the most
};
// Every kernel launched so far in this process, by instance.
std::vector<KernelRun> kernels_run();

namespace detail {

struct GridLaunch {
  const void* kernel;
  dim3 grid, block;
  size_t shared_bytes;
  void (*call)(const void* arguments);
  const void* arguments;
};
void run_grid(const GridLaunch& launch);

// Of the thread that runs now.
extern uint3 thread_index, block_index;
extern dim3 block_size, grid_size;

struct BarrierVotes {
  int count;    // threads whose predicate was true
  int threads;  // of the block
};
BarrierVotes barrier(int predicate, const std::source_location& where);

struct WarpVotes {
  unsigned ballot;  // lanes whose predicate was true
  unsigned lanes;   // lanes that took part
};
WarpVotes warp_vote(unsigned mask, bool predicate, const std::source_location& where);
// The bits that lane `source` (0..31) gave; every lane of the mask must call.
uint64_t warp_exchange(unsigned mask, uint64_t bits, int source, const std::source_location& where);
void warp_barrier(unsigned mask, const std::source_location& where);
void fence();

void allow_dynamic_shared(const void* kernel, int bytes);
void* dynamic_shared(const std::source_location& where);
void check_aligned(const volatile void* p, size_t bytes, const std::source_location& where);
int lane();

// Ends the launch with a KernelError that names the running thread.
[[noreturn]] void fail_thread(const std::string& message);

// Of a kernel's address, from the program's symbol table.
struct KernelName {
  std::string name, instance;
};
KernelName kernel_name(const void* kernel);

}  // namespace detail
}  // namespace ghost::simt
