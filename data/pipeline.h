// Makes batches ahead of the consumer, in order. The work of a batch is cut into items that threads take one after
// another; a batch is handed over when all its items are done. At most `slots` batches exist at once, so memory is
// bounded and reused. With 0 workers all work is done in next().
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ghost {

class Pipeline {
 public:
  struct Options {
    int workers = 0;
    int slots = 2;  // >= 2: one at the consumer, the others being made
  };
  struct Work {
    // Does item `item` (of the whole run), which is number `place` of the batch in `slot`. On any thread.
    std::function<void(int slot, int64_t item, int64_t place)> item;
    // Called once per batch after its last item, on the thread that did it. `count` items begin at `first_item`.
    std::function<void(int slot, int64_t first_item, int64_t count)> finish;
  };

  Pipeline(const Options& options, Work work);
  // Stops the threads; waits for the items that are being done, never for the consumer.
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Drops what is under way; returns when no thread is inside an item. next() then gives -1.
  void cancel();

  // Cancels, and begins a run of items [first_item, end_item) in batches of `batch_size`; the last one may
  // be smaller.
  void start(int64_t first_item, int64_t end_item, int64_t batch_size);

  // The slot of the next batch, or -1 after the last. The slot stays the caller's until the next call of next() or
  // start(). An exception of an item or of finish is rethrown here, at its batch, again and again until start().
  int next();

  // Time next() has waited for a batch (with 0 workers: worked on it) since construction.
  double wait_seconds() const { return wait_seconds_; }

 private:
  struct Slot {
    int64_t left = 0;          // items not done
    std::exception_ptr error;  // of the first item in order, not in time: the same for any number of threads
    int64_t error_item = 0;
  };

  int64_t batch_items(int64_t batch) const;
  void do_item(int64_t item);
  bool can_take() const;  // under the lock
  void work_loop();
  void finish_slot(int slot, int64_t batch);

  const Options options_;
  const Work work_;

  std::mutex mutex_;
  std::condition_variable wake_workers_, wake_consumer_;
  // All below under mutex_.
  std::vector<Slot> slots_;
  int64_t first_ = 0, end_ = 0, batch_size_ = 1;
  int64_t next_item_ = 0;   // the next one that a worker takes
  int64_t next_batch_ = 0;  // the next one that the consumer gets
  int busy_ = 0;            // workers inside an item
  bool held_ = false;       // the consumer holds the slot of next_batch_ - 1
  bool stop_ = false;

  double wait_seconds_ = 0;  // the consumer's own
  std::vector<std::thread> threads_;
};

}  // namespace ghost
