#include "data/dataset.hpp"

#include <fmt/core.h>

#include "autodiff/ops.hpp"
#include "autodiff/scope.hpp"

namespace xgrad::data {

Split split(const Dataset& whole, Size count, Source source) {
  const Located at(source);
  if (whole.inputs.dim(source) == 0 || whole.labels.dim(source) == 0)
    fail(source, "[split] expected inputs and labels with a first axis, got a 0-d tensor");
  const Size rows = whole.inputs.size(0);
  if (whole.labels.size(0) != rows)
    fail(source, fmt::format("[split] expected a label for each input, got {} inputs and {} labels", rows,
                             whole.labels.size(0)));
  if (count < 0 || count > rows)
    fail(source, fmt::format("[split] expected a count in 0 ... {}, got {}", rows, count));
  return {.train = {slice(whole.inputs, 0, 0, count), slice(whole.labels, 0, 0, count)},
          .test = {slice(whole.inputs, 0, count), slice(whole.labels, 0, count)}};
}

}  // namespace xgrad::data
