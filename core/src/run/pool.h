// A small pool of threads that share the items of one step at a time.
//
// Items are handed out by an atomic counter; which thread does an item changes nothing about its
// result. A worker spins for some microseconds, then sleeps (futex, by std::atomic's wait).
//
// Where few processors share a cache, Linux often puts a thread that wakes on the processor of
// whoever woke it, though another one is idle; there they take turns of milliseconds. So a worker
// that was last seen where the caller runs now is told to stay off that processor until it runs.
#ifndef POCKETLENS_RUN_POOL_H
#define POCKETLENS_RUN_POOL_H

#include <stdint.h>

#if !defined(__wasm__)
#include <pthread.h>
#include <sched.h>

#include <atomic>
#endif

#include "base/array.h"
#include "run/step.h"

#if defined(__linux__) && !defined(__ANDROID__)
#define POCKETLENS_KEEPS_OFF
#endif

namespace pocketlens {

#if defined(__wasm__)

// WebAssembly without threads: the calling thread does all items.
class ThreadPool {
 public:
  bool start(uint32_t threads, size_t scratch_bytes) {
    return threads == 1 && scratch_.reset(scratch_bytes + kAlignment);
  }
  void run(const Step& step, const Frame& frame) {
    step.run(frame, 0, step.items(frame.images), scratch_.data());
  }
  uint64_t scratch_bytes() const { return scratch_.size(); }

 private:
  Memory scratch_;
};

#else

class ThreadPool {
 public:
  ThreadPool() = default;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  // The calling thread is one of `threads`. False: no memory or no more threads.
  bool start(uint32_t threads, size_t scratch_bytes);

  // Does all items of a step; returns when they are done.
  void run(const Step& step, const Frame& frame);

  uint64_t scratch_bytes() const { return scratch_.size(); }

 private:
  struct Worker {
    ThreadPool* pool = nullptr;
    uint32_t number = 0;
    pthread_t thread = {};
    bool started = false;
    // Read and written by the builtins for atomics: what stands in an Array moves.
    int cpu = -1;           // where it was last seen
    bool kept_off = false;  // of one processor
  };

  static void* work(void* worker);
  void loop(Worker* self);
  void settle(Worker* self);
  void wake_workers();
  void take_items(uint32_t number);
  void* scratch(uint32_t number) { return scratch_.data() + number * scratch_stride_; }

  Array<Worker> workers_;
  Memory scratch_;
  size_t scratch_stride_ = 0;

  const Step* step_ = nullptr;
  const Frame* frame_ = nullptr;
  size_t items_ = 0;
  alignas(64) std::atomic<size_t> next_{0};
  // Bit 31: items may be taken; bits 30 to 0: workers at it.
  alignas(64) std::atomic<uint32_t> gate_{0};
  alignas(64) std::atomic<uint32_t> calls_{0};  // counts jobs; changes wake the workers
  std::atomic<bool> stop_{false};
#if defined(POCKETLENS_KEEPS_OFF)
  cpu_set_t allowed_;  // processors of this process; none: not known
#endif
};

#endif

}  // namespace pocketlens

#endif
