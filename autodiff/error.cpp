#include <xgrad/autodiff/error.hpp>

#include <fmt/format.h>

#include <new>

#include <xgrad/autodiff/callable.hpp>
#include "autodiff/engine/thread.hpp"

namespace xgrad {

namespace {

// An op inside of one that the user wrote, on its line, fails by that one's name.
std::string named(Source source, const std::string& message) {
  const engine::Thread* t = engine::this_thread;
  const bool inside = t && t->located && t->named && t->at.file == source.file && t->at.line == source.line;
  const std::size_t end = inside && message[0] == '[' ? message.find("] ") : std::string::npos;
  return end == std::string::npos ? message : fmt::format("[{}{}", t->named, message.substr(end));
}

}  // namespace

std::string to_string(Source source) {
  const std::string file = source.file ? source.file : "?";
  return fmt::format("{}:{}", file.substr(file.find_last_of('/') + 1), source.line);  // npos + 1 is 0
}

namespace {
const Error no_memory("no memory");  // made beforehand; to throw a copy of it takes none
}

void fail(Source source, const std::string& inner) try {
  const std::string message = named(source, inner);
  if (!source.file) throw Error(message);
  throw Error(fmt::format("{}: {}", to_string(source), message));
} catch (const std::bad_alloc&) {
  throw Error(no_memory);
}

void fail_no_memory(Source source, const char* op) try {
  fail(source, fmt::format("[{}] no memory for its work; free some (release_memory()), or give it less to do", op));
} catch (const std::bad_alloc&) {
  throw Error(no_memory);
}

void engine::fail_function_memory() { fail_no_memory({}, "function"); }
void engine::fail_empty_function() { throw Error("expected a function to call, got an empty one"); }

}  // namespace xgrad
