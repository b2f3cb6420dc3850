// Steps along the gradient, of which nothing tells how long they should be. Private to optim/.
#pragma once

#include <algorithm>

#include <xgrad/optim/methods/searches.hpp>

namespace xgrad::optim {

// d = -g is in the loss's units, which may be any. The first step is as long as `one`, or as d where that is shorter, but no shorter
// than a part of x that values can tell (half of their digits). A search may go as far as 1e10 times d, or 1e10 times x, or 1e10.
struct FirstStep {
  double first, longest;
  FirstStep(double length_of_d, double length_of_x, double one = 1) {
    const double at_least = 0x1p-26 * (length_of_x > 0 ? length_of_x : 1) / length_of_d;
    first = std::max(std::min(1.0, one / length_of_d), at_least);
    longest = Wolfe().longest * std::max(1.0, std::max(1.0, length_of_x) / length_of_d);
  }
};

}  // namespace xgrad::optim
