// Dataset: inputs and labels, row for row.
#pragma once

#include <cstdint>
#include <optional>

#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

// xtl, which xtensor's headers include, calls a function data() that is to be found by its argument. After `using
// namespace xgrad` it would find the namespace xgrad::data first, but for this name, which is nearer.
namespace mpark::detail::access {
void data();
}

namespace xgrad::data {

struct Dataset {
  Tensor inputs;  // f32 [n, ...]
  Tensor labels;  // i64 [n], classes; of a regression f32 [n, 1]

  operator Tensors() const { return {inputs, labels}; }  // what a DataLoader takes
};

struct Split {
  Dataset train, test;
};

// The rows in a random order; without a `seed` from the thread's generator.
Dataset shuffled(const Dataset& whole, std::optional<std::uint64_t> seed = {}, Source source = Source::here());

// The first `count` rows, and the others: views of the same numbers, in their order.
Split split(const Dataset& whole, Size count, Source source = Source::here());

}  // namespace xgrad::data

#pragma GCC visibility pop
