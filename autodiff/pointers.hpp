// Own and Ref: pointers to what only the library's sources know. std::unique_ptr and std::shared_ptr would do, but
// <memory> costs the compiler of a program that includes xgrad more than most of our headers together.
#pragma once

#include <utility>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::engine {

// The one owner of an object, whose type need be known only where it is made.
template <class T>
class Own {
 public:
  Own() noexcept = default;
  explicit Own(T* made) noexcept : object_(made), destroy_([](T* object) { delete object; }) {}
  Own(Own&& other) noexcept : object_(std::exchange(other.object_, nullptr)), destroy_(other.destroy_) {}
  Own& operator=(Own&& other) noexcept {
    Own moved(std::move(other));
    std::swap(object_, moved.object_);
    std::swap(destroy_, moved.destroy_);
    return *this;
  }
  ~Own() {
    if (object_) destroy_(object_);
  }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
  void (*destroy_)(T*) = nullptr;
};

// A counted reference. Beside T stand the functions retain(T*) and release(T*), which count; the last one destroys.
template <class T>
class Ref {
 public:
  Ref() noexcept = default;
  explicit Ref(T* adopted) noexcept : object_(adopted) {}
  Ref(const Ref& other) noexcept : object_(other.object_) {
    if (object_) retain(object_);
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_) release(object_);
  }
  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

}  // namespace xgrad::engine

#pragma GCC visibility pop
