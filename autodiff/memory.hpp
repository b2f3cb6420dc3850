// The numbers behind tensors, for code that reads or writes memory: optimizers, file formats, other libraries.
// Bodies: api/memory.cpp.
#pragma once

#include <xgrad/autodiff/parameter.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// t computed, row-major and dense: t itself where it is so already. It keeps its history.
Tensor contiguous(const Tensor& t, Source source = Source::here());

// The address of t's numbers, row-major; t must come from contiguous() and outlive the pointer's use.
const void* readable(const Tensor& t, Source source = Source::here());

// A tensor of numbers that `fill(memory)` writes, row-major, before it returns; for makers and readers.
template <class Fill>
Tensor filled(const Shape& shape, DType dtype, const Fill& fill, Source source = Source::here(),
              const char* op = "filled");

// The variable's numbers, row-major, for writing in place (f32 or f64, as its dtype says). Numbers that another handle
// still sees are copied first, so a value that was read never changes.
void* writable(const Parameters::Entry& p);

// A variable's gradient as it lies, in one look: nothing is computed, nor made dense.
struct GradientNumbers {
  bool held = false;  // has the variable another holder, a Parameter or a reference, than this entry?
  bool any = false;   // is there a gradient?
  const char* numbers =
      nullptr;  // its numbers, row-major; null: they are yet to be computed, or made so by contiguous()
  const Tensor* dense = nullptr;  // the tensor itself, where it is one
  const Tensor* rows = nullptr;  // by rows, of a variable that was picked from: their indices, ascending and each once,
  const Tensor* row_values = nullptr;  // and their values; else null
};
GradientNumbers gradient_numbers(const Parameters::Entry& p) noexcept;

// A gradient apart from its variable: dense, or by rows, or none.
struct GradientValue {
  Tensor dense = {}, rows = {}, row_values = {};
};
// Exchanges it with the variable's.
void swap_gradient(const Parameters::Entry& p, GradientValue& g) noexcept;

// What the variable holds, with its place in the records that it was read into, to be put back later: takes no memory.
Tensor leaf_of(const Parameters::Entry& p) noexcept;
void put_back(const Parameters::Entry& p, Tensor leaf) noexcept;

// Where this thread's random numbers are, so that they may be drawn again.
struct RandomPoint {
  std::uint64_t seed = 0, counter = 0;
};
RandomPoint random_point();
void go_to(RandomPoint point);
// n numbers of the normal distribution (f32 or f64), the counter-th draw of that seed.
void fill_normal(DType dtype, void* memory, Size n, std::uint64_t seed, std::uint64_t counter);

// The line where a tensor was made; of an empty one none.
Source made_at(const Tensor& t) noexcept;

// Stores a value in each variable: in all of them, or where that fails in none.
void assign_all(const Parameters& variables, const std::vector<Tensor>& values, Source source = Source::here());

// A tensor with uninitialised memory of its own, to be filled through the returned address before any other use.
struct Uninitialised {
  Tensor tensor;
  void* memory;
};
Uninitialised uninitialised(const Shape& shape, DType dtype, Source source = Source::here(),
                            const char* op = "uninitialised");

template <class Fill>
Tensor filled(const Shape& shape, DType dtype, const Fill& fill, Source source, const char* op) {
  Uninitialised made = uninitialised(shape, dtype, source, op);
  fill(made.memory);
  return std::move(made.tensor);
}

}  // namespace xgrad

#pragma GCC visibility pop
