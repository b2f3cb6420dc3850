#include <xgrad/data/dataset.hpp>

#include <fmt/core.h>

#include <utility>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/data/random.hpp>
#include "data/checks.hpp"

namespace xgrad::data {

// How many rows there are: as many inputs as labels.
Size checked_rows(const char* op, const Dataset& whole, Source source) {
  if (whole.inputs.dim(source.named(op)) == 0 || whole.labels.dim(source.named(op)) == 0)
    fail(source.named(op), "expected inputs and labels with a first axis, got a 0-d tensor");
  const Size rows = whole.inputs.size(0);
  if (whole.labels.size(0) != rows)
    fail(source.named(op), "expected a label for each input, got {} inputs and {} labels", rows, whole.labels.size(0));
  return rows;
}

// Fisher and Yates; Durstenfeld 1964
Dataset shuffled(const Dataset& whole, std::optional<std::uint64_t> seed, Source source) {
  const Located at(source, "shuffled");
  const Size rows = checked_rows("shuffled", whole, source);
  Random random = Random::from(seed);
  const Tensor order = filled(Shape{rows}, i64, [&](void* memory) {
    auto* index = static_cast<Size*>(memory);
    for (Size i = 0; i < rows; ++i) index[i] = i;
    for (Size i = rows; i-- > 1;) std::swap(index[i], index[random.below(i + 1)]);
  });
  return {index_select(whole.inputs, 0, order), index_select(whole.labels, 0, order)};
}

Split split(const Dataset& whole, Size count, Source source) {
  const Located at(source, "split");
  const Size rows = checked_rows("split", whole, source);
  if (count < 0 || count > rows) fail(source.named("split"), "expected a count in 0 ... {}, got {}", rows, count);
  return {.train = {slice(whole.inputs, 0, 0, count), slice(whole.labels, 0, 0, count)},
          .test = {slice(whole.inputs, 0, count), slice(whole.labels, 0, count)}};
}

}  // namespace xgrad::data
