#include <xgrad/autodiff/error.hpp>

#include <fmt/format.h>

#include <new>

#include <xgrad/autodiff/callable.hpp>

namespace xgrad {

std::string to_string(Source source) {
  const std::string file = source.file ? source.file : "?";
  return fmt::format("{}:{}", file.substr(file.find_last_of('/') + 1), source.line);  // npos + 1 is 0
}

namespace {
const Error no_memory("no memory");  // made beforehand; to throw a copy of it takes none
}

void fail(Source source, const std::string& text) try {
  const std::string line = source.file ? to_string(source) + ": " : "";
  throw Error(source.op ? fmt::format("{}[{}] {}", line, source.op, text) : line + text);
} catch (const std::bad_alloc&) {
  throw Error(no_memory);
}

void fail_formatted(Source source, fmt::string_view text, fmt::format_args arguments) try {
  fail(source, fmt::vformat(text, arguments));
} catch (const std::bad_alloc&) {
  throw Error(no_memory);
}

void fail_no_memory(Source source, const char* op) try {
  fail(source.named(op), "no memory for its work; free some (release_memory()), or give it less to do");
} catch (const std::bad_alloc&) {
  throw Error(no_memory);
}

void engine::fail_function_memory() { fail_no_memory({}, "function"); }
void engine::fail_empty_function() { throw Error("expected a function to call, got an empty one"); }

}  // namespace xgrad
