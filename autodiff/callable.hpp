// Callable: what a program gives the library to call: a function, a lambda, a std::function. It is a std::function by
// another name, for <functional> costs the compiler of a program that includes xgrad more than most of our headers do.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

namespace engine {
[[noreturn]] void fail_empty_function();
[[noreturn]] void fail_function_memory();

// Does F have an operator() at all? One of that name beside it would make the name ambiguous.
struct AlsoCalled {
  void operator()();
};
template <class F>
struct WithAlsoCalled : F, AlsoCalled {};
// One that is a template, or overloaded: a lambda of `const auto& x`. It is not asked whether it takes the arguments: that
// would compile its body, for types that it may not have been written for.
template <class F>
concept Generic = std::is_class_v<F> && !std::is_final_v<F> && !requires {
  &F::operator();
}
&&!requires { &WithAlsoCalled<F>::operator(); };
}  // namespace engine

template <class Signature>
class Callable;

// A copy is a copy of what it holds. Made from a null pointer or an empty std::function it is empty: to call that is an
// Error.
template <class Result, class... Arguments>
class Callable<Result(Arguments...)> {
 public:
  Callable() noexcept = default;
  Callable(std::nullptr_t) noexcept {}
  template <class F, class Held = std::decay_t<F>>
  requires(!std::is_same_v<Held, Callable> && !std::is_member_pointer_v<Held> &&
           (engine::Generic<Held> || std::is_invocable_r_v<Result, Held&, Arguments...>)) Callable(F&& f) {
    static_assert(
        std::is_copy_constructible_v<Held>,
        "a function that is kept is copied with what it captures: capture a std::shared_ptr, or a reference, in "
        "place of what cannot be copied");
    if (is_empty(f)) return;
    if constexpr (in_place<Held>) {
      new (&memory_) Held(std::forward<F>(f));
    } else {
      memory_.heap = held(new (std::nothrow) Held(std::forward<F>(f)));
      manage_ = [](Memory& to, const Memory* from) {
        if (from) to.heap = held(new (std::nothrow) Held(*static_cast<const Held*>(from->heap)));
        else delete static_cast<Held*>(to.heap);
      };
    }
    call_ = [](const Memory& memory, Arguments... arguments) -> Result {
      const void* held = in_place<Held> ? memory.bytes : memory.heap;
      return static_cast<Result>((*static_cast<Held*>(const_cast<void*>(held)))(std::forward<Arguments>(arguments)...));
    };
  }
  Callable(const Callable& other) : memory_(other.memory_), manage_(other.manage_), call_(other.call_) {
    if (manage_) manage_(memory_, &other.memory_);
  }
  Callable(Callable&& other) noexcept { swap(other); }
  Callable& operator=(Callable other) noexcept {
    swap(other);
    return *this;
  }
  ~Callable() {
    if (manage_) manage_(memory_, nullptr);
  }

  explicit operator bool() const noexcept { return call_ != nullptr; }
  friend bool operator==(const Callable& f, std::nullptr_t) noexcept { return !f; }
  Result operator()(Arguments... arguments) const {
    if (!call_) engine::fail_empty_function();
    return call_(memory_, std::forward<Arguments>(arguments)...);
  }

 private:
  union Memory {
    alignas(void*) unsigned char bytes[2 * sizeof(void*)];  // what is small, and copied as bytes
    void* heap;
  };
  template <class Held>
  static constexpr bool in_place =
      sizeof(Held) <= sizeof(Memory) &&
      alignof(Held) <= alignof(Memory) && std::is_trivially_copyable_v<Held>&& std::is_trivially_destructible_v<Held>;

  static void* held(void* made) {
    if (!made) engine::fail_function_memory();
    return made;
  }
  template <class F>
  static bool is_empty(const F& f) {
    if constexpr (std::is_pointer_v<F>) return f == nullptr;
    else if constexpr (requires { f.operator bool(), f == nullptr; }) return !f;  // a std::function, a Callable
    else return false;
  }
  void swap(Callable& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(manage_, other.manage_);
    std::swap(call_, other.call_);
  }

  Memory memory_ = {};
  void (*manage_)(Memory& to, const Memory* from) = nullptr;  // copies, or destroys where from is null; null: in place
  Result (*call_)(const Memory& memory, Arguments... arguments) = nullptr;  // null: empty
};

}  // namespace xgrad

#pragma GCC visibility pop
