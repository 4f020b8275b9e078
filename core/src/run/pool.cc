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

// Whether `word` stays `old` for as long as is worth spinning.
bool stays(const std::atomic<uint32_t>& word, uint32_t old) {
  const int64_t until = nanoseconds() + kSpinNanoseconds;
  while (word.load(std::memory_order_acquire) == old) {
    for (int i = 0; i < 32; ++i) relax();
    if (nanoseconds() > until) return true;
  }
  return false;
}

}  // namespace

bool ThreadPool::start(uint32_t threads, size_t scratch_bytes) {
#if defined(POCKETLENS_KEEPS_OFF)
  if (sched_getaffinity(0, sizeof allowed_, &allowed_) != 0) CPU_ZERO(&allowed_);
#endif
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
  self->pool->loop(self);
  return nullptr;
}

#if defined(POCKETLENS_KEEPS_OFF)

// A worker says where it runs, and that it may run anywhere again.
void ThreadPool::settle(Worker* self) {
  if (__atomic_exchange_n(&self->kept_off, false, __ATOMIC_ACQ_REL)) {
    pthread_setaffinity_np(pthread_self(), sizeof allowed_, &allowed_);
  }
  __atomic_store_n(&self->cpu, sched_getcpu(), __ATOMIC_RELEASE);
}

void ThreadPool::wake_workers() {
  const int here = sched_getcpu();
  for (Worker& worker : workers_) {
    if (__atomic_load_n(&worker.cpu, __ATOMIC_ACQUIRE) != here || CPU_COUNT(&allowed_) < 2)
      continue;
    cpu_set_t others = allowed_;
    CPU_CLR(here, &others);
    __atomic_store_n(&worker.kept_off, true, __ATOMIC_RELEASE);  // before it can run
    pthread_setaffinity_np(worker.thread, sizeof others, &others);
  }
  calls_.notify_all();
}

#else

void ThreadPool::settle(Worker*) {}

void ThreadPool::wake_workers() { calls_.notify_all(); }

#endif

void ThreadPool::loop(Worker* self) {
  uint32_t seen = 0;
  for (;;) {
    settle(self);
    while (stays(calls_, seen)) {
      calls_.wait(seen, std::memory_order_acquire);
      settle(self);
    }
    seen = calls_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    uint32_t gate = gate_.load(std::memory_order_acquire);
    bool joined = false;
    while ((gate & kOpen) != 0 && !joined) {
      joined = gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel);
    }
    if (!joined) continue;
    take_items(self->number);
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
  wake_workers();
  take_items(0);
  uint32_t gate = gate_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
  while (gate != 0) {
    if (stays(gate_, gate)) gate_.wait(gate, std::memory_order_acquire);
    gate = gate_.load(std::memory_order_acquire);
  }
}

}  // namespace pocketlens

#endif
