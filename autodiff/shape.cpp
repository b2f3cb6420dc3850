#include <xgrad/autodiff/shape.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <new>

#include <xgrad/autodiff/error.hpp>

namespace xgrad {

void fail_too_large(const char* what, std::uint64_t number, Source source) {
  fail(source.named(what), "{} does not fit a signed 64-bit integer", number);
}

void Shape::fail_place(At i) const {
  fail(i.source.named("shape"), "no extent {} in {}; {}", i.index, to_string(*this),
       rank_ == 0 ? "a 0-d tensor has none" : "-1 is the last");
}

void Shape::require_rank(std::size_t n, Source source) const {
  if (size() != n)
    fail(source.named("shape"), "{} has {} extents where {} are taken; as<{}>() takes so many", to_string(*this), rank_,
         n, rank_);
}

void Shape::insert(int at, Size extent) {
  push_back(extent);
  std::rotate(begin() + at, end() - 1, end());
}

void Shape::erase(int at) {
  std::copy(begin() + at + 1, end(), begin() + at);
  --rank_;
}

void Shape::give_back() noexcept { delete[] heap_; }

void Shape::grow(int rank) {
  const int capacity = std::max(rank, 2 * capacity_);
  auto* more = new (std::nothrow) Size[static_cast<std::size_t>(capacity)];
  if (!more) fail_no_memory({}, "shape");
  std::copy(begin(), end(), more);
  free();
  heap_ = more;
  capacity_ = capacity;
}

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (int i = 0; i < shape.rank(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + (shape.rank() == 1 ? ",)" : ")");
}

}  // namespace xgrad
