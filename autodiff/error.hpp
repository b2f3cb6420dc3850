// The one exception type, and where in the user's program it came from.
#pragma once

#include <stdexcept>
#include <string>

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
  static constexpr Source here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

// Throws Error("file:line: message"). Messages read "[op] expected, got; remedy".
[[noreturn]] void fail(Source source, const std::string& message);

}  // namespace xgrad
