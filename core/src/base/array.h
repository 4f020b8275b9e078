// An owned array that never throws: what the core uses where others use std::vector.
//
// reset() and push() say whether there was memory; new elements are value-initialised. Memory is
// for floats and packed weights: a row of 16 floats is one cache line of 64 bytes.
#ifndef POCKETLENS_BASE_ARRAY_H
#define POCKETLENS_BASE_ARRAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <new>
#include <type_traits>
#include <utility>

namespace pocketlens {

constexpr size_t kAlignment = 64;

// Zeroed bytes at a multiple of 64, which the system hands out only when they are touched.
class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  Memory(Memory&& other) noexcept { swap(other); }
  Memory& operator=(Memory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Memory() { free(raw_); }

  [[nodiscard]] bool reset(uint64_t bytes) {
    free(raw_);
    raw_ = data_ = nullptr;
    size_ = 0;
    if (bytes > SIZE_MAX / 2) return false;
    raw_ = static_cast<uint8_t*>(calloc(static_cast<size_t>(bytes) + kAlignment, 1));
    if (raw_ == nullptr) return false;
    const size_t over = reinterpret_cast<uintptr_t>(raw_) % kAlignment;
    data_ = raw_ + (over == 0 ? 0 : kAlignment - over);
    size_ = static_cast<size_t>(bytes);
    return true;
  }

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  float* floats() { return reinterpret_cast<float*>(data_); }
  size_t size() const { return size_; }

 private:
  void swap(Memory& other) {
    std::swap(raw_, other.raw_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  uint8_t* raw_ = nullptr;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Moves `size` elements of `width` bytes, which memory knows nothing about, to room for `count`.
[[gnu::noinline]] inline void* move_bytes(void* data, size_t size, size_t count, size_t width) {
  if (count > SIZE_MAX / 2 / width) return nullptr;
  void* fresh = calloc(count, width);
  if (fresh == nullptr) return nullptr;
  if (size > 0) memcpy(fresh, data, size * width);
  free(data);
  return fresh;
}

template <typename T>
class Array {
 public:
  Array() = default;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  Array(Array&& other) noexcept { swap(other); }
  Array& operator=(Array&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Array() { clear(); }

  // Makes room for exactly `count` value-initialised elements; what was there is gone.
  [[nodiscard]] bool reset(size_t count) {
    clear();
    return grow(count);
  }

  // Appends one element.
  [[nodiscard]] bool push(T value) {
    if (size_ == capacity_ && !reserve(capacity_ < 8 ? 8 : capacity_ * 2)) return false;
    new (data_ + size_) T(std::move(value));
    ++size_;
    return true;
  }

  void clear() {
    for (size_t i = 0; i < size_; ++i) data_[i].~T();
    free(static_cast<void*>(data_));
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& back() { return data_[size_ - 1]; }

 private:
  bool reserve(size_t count) {
    if (count <= capacity_) return true;
    if constexpr (std::is_trivially_copyable_v<T>) {
      void* moved = move_bytes(data_, size_, count, sizeof(T));
      if (moved == nullptr) return false;
      data_ = static_cast<T*>(moved);
      capacity_ = count;
      return true;
    }
    if (count > SIZE_MAX / 2 / sizeof(T)) return false;
    T* fresh = static_cast<T*>(calloc(count, sizeof(T)));
    if (fresh == nullptr) return false;
    for (size_t i = 0; i < size_; ++i) {
      new (fresh + i) T(std::move(data_[i]));
      data_[i].~T();
    }
    free(static_cast<void*>(data_));
    data_ = fresh;
    capacity_ = count;
    return true;
  }

  bool grow(size_t count) {
    if (!reserve(count)) return false;
    if constexpr (!std::is_trivially_default_constructible_v<T>) {
      for (size_t i = size_; i < count; ++i) new (data_ + i) T();
    }  // a trivial T is zero already
    size_ = count;
    return true;
  }

  void swap(Array& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  T* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// A single owned object.
template <typename T>
class Owned {
 public:
  Owned() = default;
  explicit Owned(T* object) : object_(object) {}
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  Owned(Owned&& other) noexcept { std::swap(object_, other.object_); }
  Owned& operator=(Owned&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Owned() { delete object_; }

  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  T* get() const { return object_; }
  T* release() {
    T* object = object_;
    object_ = nullptr;
    return object;
  }

 private:
  T* object_ = nullptr;
};

// An object that several hold, in any threads; whoever lets go last deletes it.
template <typename T>
class Shared {
 public:
  Shared() = default;
  Shared(const Shared& other) : held_(other.held_) {
    if (held_ != nullptr) __atomic_fetch_add(&held_->holders, 1, __ATOMIC_RELAXED);
  }
  Shared& operator=(Shared other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~Shared() {
    if (held_ != nullptr && __atomic_fetch_sub(&held_->holders, 1, __ATOMIC_ACQ_REL) == 1) {
      delete held_;
    }
  }

  // Makes the object. False: no memory.
  template <typename... Arguments>
  bool make(const Arguments&... arguments) {
    *this = Shared();
    held_ = new (std::nothrow) Held(arguments...);
    return held_ != nullptr;
  }

  T* operator->() const { return &held_->object; }
  T& operator*() const { return held_->object; }
  explicit operator bool() const { return held_ != nullptr; }

 private:
  struct Held {
    template <typename... Arguments>
    explicit Held(const Arguments&... arguments) : object(arguments...) {}
    T object;
    uint32_t holders = 1;
  };
  Held* held_ = nullptr;
};

}  // namespace pocketlens

#endif
