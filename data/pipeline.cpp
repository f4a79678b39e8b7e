#include "data/pipeline.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/error.h"

namespace ghost {

Pipeline::Pipeline(const Options& options, Work work) : options_(options), work_(std::move(work)) {
  GHOST_CHECK(options.workers >= 0, "a loader needs 0 or more threads, got ", options.workers);
  GHOST_CHECK(options.slots >= 2, "a loader needs 2 or more batches of memory, got ", options.slots);
  slots_.resize(static_cast<size_t>(options.slots));
  for (int i = 0; i < options.workers; ++i) threads_.emplace_back([this] { work_loop(); });
}

Pipeline::~Pipeline() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_workers_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Pipeline::cancel() {
  std::unique_lock lock(mutex_);
  next_item_ = end_;  // nothing left to take
  wake_consumer_.wait(lock, [&] { return busy_ == 0; });
  std::fill(slots_.begin(), slots_.end(), Slot{});
  first_ = end_ = next_item_ = next_batch_ = 0;
  held_ = false;
}

void Pipeline::start(int64_t first_item, int64_t end_item, int64_t batch_size) {
  GHOST_CHECK(batch_size >= 1 && first_item >= 0, "loader: batch size ", batch_size, ", first item ", first_item);
  cancel();
  {
    std::lock_guard lock(mutex_);
    first_ = next_item_ = first_item;
    end_ = std::max(first_item, end_item);
    batch_size_ = batch_size;
    for (int64_t batch = 0; batch < options_.slots; ++batch)
      slots_[static_cast<size_t>(batch)].left = batch_items(batch);
  }
  wake_workers_.notify_all();
}

int64_t Pipeline::batch_items(int64_t batch) const {
  return std::clamp<int64_t>(end_ - first_ - batch * batch_size_, 0, batch_size_);
}

bool Pipeline::can_take() const {
  if (next_item_ >= end_) return false;
  const int64_t oldest = next_batch_ - (held_ ? 1 : 0);
  return (next_item_ - first_) / batch_size_ < oldest + options_.slots;
}

// Takes the items' exceptions to their batch.
void Pipeline::do_item(int64_t item) {
  const int64_t batch = (item - first_) / batch_size_;
  const int slot = static_cast<int>(batch % options_.slots);
  std::exception_ptr error;
  try {
    work_.item(slot, item, (item - first_) % batch_size_);
  } catch (...) {
    error = std::current_exception();
  }
  bool last = false;
  {
    std::lock_guard lock(mutex_);
    Slot& state = slots_[static_cast<size_t>(slot)];
    if (error && (!state.error || item < state.error_item)) {
      state.error = error;
      state.error_item = item;
    }
    last = state.left == 1;  // `left` reaches 0 only after finish
    if (!last) --state.left;
  }
  if (last) finish_slot(slot, batch);
}

void Pipeline::finish_slot(int slot, int64_t batch) {
  Slot& state = slots_[static_cast<size_t>(slot)];  // all its items are done: nobody else touches it
  std::exception_ptr error = state.error;
  if (!error) {
    try {
      work_.finish(slot, first_ + batch * batch_size_, batch_items(batch));
    } catch (...) {
      error = std::current_exception();
    }
  }
  {
    std::lock_guard lock(mutex_);
    state.error = error;
    state.left = 0;
  }
  wake_consumer_.notify_all();
}

void Pipeline::work_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_workers_.wait(lock, [&] { return stop_ || can_take(); });
    if (stop_) return;
    const int64_t item = next_item_++;
    ++busy_;
    lock.unlock();
    do_item(item);
    lock.lock();
    --busy_;
    if (busy_ == 0) wake_consumer_.notify_all();
  }
}

int Pipeline::next() {
  const auto begin = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  if (held_) {
    held_ = false;
    const int64_t freed = next_batch_ - 1;
    slots_[static_cast<size_t>(freed % options_.slots)] = {
        .left = batch_items(freed + options_.slots), .error = nullptr, .error_item = 0};
    wake_workers_.notify_all();
  }
  const int64_t batch = next_batch_;
  if (batch_items(batch) == 0) return -1;
  const int slot = static_cast<int>(batch % options_.slots);
  Slot& state = slots_[static_cast<size_t>(slot)];
  if (options_.workers == 0) {
    lock.unlock();
    while (state.left > 0) do_item(next_item_++);
    lock.lock();
  }
  wake_consumer_.wait(lock, [&] { return state.left == 0; });
  wait_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (state.error) std::rethrow_exception(state.error);
  held_ = true;
  ++next_batch_;
  return slot;
}

}  // namespace ghost
