// The accuracy that fit shows. Private to training/.
#pragma once

#include <optional>

#include <xgrad/autodiff/tensor.hpp>

namespace xgrad::training {

// How many labels the outputs meet, of how many; none where the targets are no classes.
struct Hits {
  double right = 0, of = 0;
};

// Outputs [n, classes, ...] and classes [n, ...], of which -100 are left out as cross_entropy leaves them out; or one column of
// labels 0, 1 and -100, where `floats` may be labels too.
std::optional<Hits> hits(const Tensor& outputs, const Tensor& targets, double threshold, bool floats, Source source);

// The rows of a batch of i64 classes, less the share of those that are left out: the weight of its loss.
double rows_that_count(const Tensor& classes);

}  // namespace xgrad::training
