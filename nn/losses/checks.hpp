// What losses share: checks of their operands, and reductions. Private to nn/losses/.
#pragma once

#include <limits>

#include <xgrad/nn/losses/reduction.hpp>

namespace xgrad::nn {

constexpr double infinity = std::numeric_limits<double>::infinity();

// The sum of nothing is 0, but its mean has no value.
void check_some(const char* op, Size numbers, Reduction reduction, Source source);
Tensor reduce(const char* op, const Tensor& x, Reduction reduction, Source source);

// loss, or 0 where it is infinite and has no weight; and weight x that: what has no weight counts for nothing, however wrong it is.
Tensor counted(const Tensor& weight, const Tensor& loss, double infinite = infinity);
Tensor times(const Tensor& weight, const Tensor& loss, double infinite = infinity);

// A target that broadcasts makes a loss of the wrong pairs: (n, 1) next to (n) gives (n, n). So the shapes must agree; the
// target may be one number.
void check_pair(const char* op, In x, In y, const char* names = "prediction and target");
void check_floats(const char* op, const Tensor& x, Source source);  // and not empty
// A prediction of floats and its target, as check_pair says; the target as floats.
Tensor target_of(const char* op, In x, In y);
// Targets that mean yes or no: in [0, 1], or of a sign, -1 or 1; give or take a thousandth, as they may be computed. NaN passes, and
// inside of vmap nobody knows them yet.
void check_probabilities(const char* op, const Tensor& y, Source source);
void check_signs(const char* op, const Tensor& y, Source source);
// A weight that broadcasts to the losses, which `weighted` is made of already.
void check_weight_of_each(const char* op, const Tensor& weighted, const Tensor& weight, const char* which,
                          const Shape& shape, Source source);
void check_least(const char* op, const char* option, double value, double least,
                 const In& x);  // and finite, and in the dtype

// Class indices, checked once, and how many rows are to be left out. Inside of vmap nobody knows yet: `some`, as if there were.
struct Classes {
  Tensor index;
  Size ignored = 0;
  bool some = false;
};
constexpr Size ignores_none = std::numeric_limits<Size>::min();
Classes check_classes(const char* op, const Tensor& scores, const Tensor& target, Size ignore_index, Source source);
Size class_axis(const Tensor& scores);  // 1, or 0 of a single row
void check_scores(const char* op, const Tensor& scores, Source source);
void check_class_weight(const char* op, const Tensor& weight, const Tensor& scores, Source source);

}  // namespace xgrad::nn
