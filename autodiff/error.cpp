#include "autodiff/error.hpp"

#include <fmt/format.h>

#include "autodiff/callable.hpp"

namespace xgrad {

void fail(Source source, const std::string& message) {
  if (!source.file) throw Error(message);
  const std::string file = source.file;
  const std::size_t slash = file.find_last_of('/');
  throw Error(fmt::format("{}:{}: {}", slash == std::string::npos ? file : file.substr(slash + 1), source.line, message));
}

void engine::fail_empty_function() { throw Error("expected a function to call, got an empty one"); }

}  // namespace xgrad
