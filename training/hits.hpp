// The accuracy that fit shows. Private to training/.
#pragma once

#include <optional>

#include <xgrad/autodiff/tensor.hpp>

namespace xgrad::training {

// How many labels the outputs meet, of how many; none where the targets are no classes.
struct Hits {
  double right = 0, of = 0;
};

// Outputs [n, classes, ...] and classes [n, ...]; or one column, where `floats` may be labels too.
std::optional<Hits> hits(const Tensor& outputs, const Tensor& targets, double threshold, bool floats, Source source);

}  // namespace xgrad::training
