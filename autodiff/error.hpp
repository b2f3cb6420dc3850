// The one exception type, and where in the user's program it came from.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <type_traits>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// What xgrad throws, always: "model.cpp:42: [matmul] inner sizes differ: (3, 4) x (5, 2)".
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A line of the user's program, and the op that is written there. As a default argument, `Source source = Source::here()`
// is the caller's line; which op that is, the op itself says: source.named("matmul").
struct Source {
  const char* file = nullptr;
  int line = 0;
  const char* op = nullptr;  // a string that stays; null: nobody has said
  constexpr Source() = default;
  // Not from {0, 3}, which is a list of two numbers: the 0 would do as a pointer.
  template <class C, class = std::enable_if_t<std::is_same_v<C, const char>>>
  constexpr Source(C* f, int l, const char* o = nullptr) : file(f), line(l), op(o) {}
  static constexpr Source here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
  // The outermost name stays: in a function that is made of ops, those go by its name (Located).
  constexpr Source named(const char* name) const { return {file, line, op ? op : name}; }
};

std::string to_string(Source source);  // "model.cpp:42"

// Throws Error("file:line: [op] text"), without what the source does not know. Texts read "expected, got; remedy", and
// name no op.
[[noreturn]] void fail(Source source, const std::string& text);
[[noreturn]] void fail_formatted(Source source, fmt::string_view text, fmt::format_args arguments);
template <class... Arguments>
[[noreturn]] void fail(Source source, fmt::format_string<const Arguments&...> text, const Arguments&... arguments) {
  fail_formatted(source, text, fmt::make_format_args(arguments...));
}

// require(a == b, source, "inner sizes differ: {} x {}", x, y): fails where that is not so.
template <class... Arguments>
inline void require(bool right, Source source, fmt::format_string<const Arguments&...> text,
                    const Arguments&... arguments) {
  if (!right) [[unlikely]]
    fail_formatted(source, text, fmt::make_format_args(arguments...));
}

// Throws Error("file:line: [op] no memory ..."), for std::bad_alloc, which no user of the library sees. Where there is no
// memory for the message either, it is a shorter one.
[[noreturn]] void fail_no_memory(Source source, const char* op);

}  // namespace xgrad

#pragma GCC visibility pop
