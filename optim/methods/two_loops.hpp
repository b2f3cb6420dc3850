// L-BFGS's direction. Private to optim/.
#pragma once

#include <vector>

#include <xgrad/optim/methods/lbfgs.hpp>

namespace xgrad::optim {

// d = -H g, by the two loops, and its slope g^T d. The vector of the second loop is kept without the scale c of H0, by
// which it is multiplied at the end: q = r / c.
struct Direction {
  Tensor d;
  double slope;
  Direction(const double* g, Size n, const std::vector<LBFGSRule::State::Pair>& pairs);
};

// Keeps the pair of a step from x to where f is, as the last of `history`: the oldest of so many goes. Not kept, and nothing
// goes, where the slope along it did not rise by more than rounding: by less than 2^-52 of `fell`, how far the slope at x says
// that the step leads down.
void remember(Objective& f, const Tensor& x, const Tensor& g, double fell, Size history, LBFGSRule::State& state);

}  // namespace xgrad::optim
