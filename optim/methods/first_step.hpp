// Steps along the gradient, of which nothing tells how long they should be. Private to optim/.
#pragma once

#include <algorithm>

#include <xgrad/optim/methods/searches.hpp>

namespace xgrad::optim {

// d = -g is in the loss's units, which may be any. The first step is as long as `one` (or as x's last digits, where that is longer), or
// as d where that is shorter, but then not shorter than a part of x that values can tell, by half of their digits. A search may go as far as 1e10 times d, or 1e10 times x, or 1e10.
struct FirstStep {
  double first, longest;
  FirstStep(double length_of_d, double length_of_x, double one = 1) {
    const double x = length_of_x > 0 ? length_of_x : 1;
    first = length_of_d > one ? std::max(one, 0x1p-50 * x) / length_of_d : std::max(1.0, 0x1p-26 * x / length_of_d);
    longest = Wolfe().longest * std::max(1.0, std::max(1.0, length_of_x) / length_of_d);
  }
};

// Is that step one into the infinite? Steps along a d that is short are not, though they are a long way of it.
inline bool went_far(double step, double length_of_x) {
  return step >= 0.5 * Wolfe().longest * std::max(1.0, length_of_x);
}

}  // namespace xgrad::optim
