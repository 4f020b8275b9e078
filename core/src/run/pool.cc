// A worker joins a job only while its gate is open, so that a job never waits for a worker that has
// not woken up yet.
#include "run/pool.h"

#if !defined(__wasm__)

#include <time.h>

namespace pocketlens {
namespace {

constexpr uint32_t kOpen = 1u << 31;
constexpr int64_t kSpinNanoseconds = 20000;

int64_t nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns when `word` is not `old` any more.
void wait_for_change(const std::atomic<uint32_t>& word, uint32_t old) {
  const int64_t until = nanoseconds() + kSpinNanoseconds;
  while (word.load(std::memory_order_acquire) == old) {
    for (int i = 0; i < 32; ++i) relax();
    if (nanoseconds() > until) {
      word.wait(old, std::memory_order_acquire);
    }
  }
}

}  // namespace

bool ThreadPool::start(uint32_t threads, size_t scratch_bytes) {
  scratch_stride_ = (scratch_bytes + 127) / 64 * 64;
  if (!scratch_.reset(scratch_stride_ * threads) || !workers_.reset(threads - 1)) return false;
  for (uint32_t i = 0; i < workers_.size(); ++i) {
    workers_[i].pool = this;
    workers_[i].number = i + 1;
    if (pthread_create(&workers_[i].thread, nullptr, work, &workers_[i]) != 0) return false;
    workers_[i].started = true;
  }
  return true;
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  calls_.fetch_add(1);
  calls_.notify_all();
  for (Worker& worker : workers_) {
    if (worker.started) pthread_join(worker.thread, nullptr);
  }
}

void* ThreadPool::work(void* worker) {
  Worker* self = static_cast<Worker*>(worker);
  self->pool->loop(self->number);
  return nullptr;
}

void ThreadPool::loop(uint32_t number) {
  uint32_t seen = 0;
  for (;;) {
    wait_for_change(calls_, seen);
    seen = calls_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    uint32_t gate = gate_.load(std::memory_order_acquire);
    bool joined = false;
    while ((gate & kOpen) != 0 && !joined) {
      joined = gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel);
    }
    if (!joined) continue;
    take_items(number);
    gate_.fetch_sub(1, std::memory_order_acq_rel);
    gate_.notify_one();
  }
}

void ThreadPool::take_items(uint32_t number) {
  for (;;) {
    const size_t item = next_.fetch_add(1, std::memory_order_relaxed);
    if (item >= items_) return;
    step_->run(*frame_, item, item + 1, scratch(number));
  }
}

void ThreadPool::run(const Step& step, const Frame& frame) {
  const size_t items = step.items(frame.images);
  if (workers_.empty() || items < 2) {
    step.run(frame, 0, items, scratch(0));
    return;
  }
  step_ = &step;
  frame_ = &frame;
  items_ = items;
  next_.store(0, std::memory_order_relaxed);
  gate_.store(kOpen, std::memory_order_release);
  calls_.fetch_add(1, std::memory_order_release);
  calls_.notify_all();
  take_items(0);
  uint32_t gate = gate_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
  while (gate != 0) {
    wait_for_change(gate_, gate);
    gate = gate_.load(std::memory_order_acquire);
  }
}

}  // namespace pocketlens

#endif
