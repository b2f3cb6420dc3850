// The one exception type, and where in the user's program it came from.
#pragma once

#include <stdexcept>
#include <string>
#include <type_traits>

namespace xgrad {

// What xgrad throws, always: "model.cpp:42: [matmul] inner sizes differ: (3, 4) x (5, 2)".
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A line of the user's program. As a default argument, `Source source = Source::here()` is the caller's line.
struct Source {
  const char* file = nullptr;
  int line = 0;
  constexpr Source() = default;
  // Not from {0, 3}, which is a list of two numbers: the 0 would do as a pointer.
  template <class C, class = std::enable_if_t<std::is_same_v<C, const char>>>
  constexpr Source(C* f, int l) : file(f), line(l) {}
  static constexpr Source here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

std::string to_string(Source source);  // "model.cpp:42"

// Throws Error("file:line: message"). Messages read "[op] expected, got; remedy".
[[noreturn]] void fail(Source source, const std::string& message);

// Throws Error("file:line: [op] no memory ..."), for std::bad_alloc, which no user of the library sees. Where there is no
// memory for the message either, it is a shorter one.
[[noreturn]] void fail_no_memory(Source source, const char* op);

}  // namespace xgrad
