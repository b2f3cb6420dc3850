// Central differences, the tests' own: f's numbers at moved points, in plain vectors.
#pragma once

#include <vector>

namespace sweep {

using Vector = std::vector<double>;
using Point = std::vector<Vector>;  // one an operand

constexpr double difference_step = 1.0 / 2048;  // exact in f32

// df/dh at x + h along, to the fourth order: (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h
template <class F>
Vector differences(const F& f, const Point& x, const Point& along) {
  const auto at = [&](double h) {
    Point moved = x;
    for (std::size_t k = 0; k < x.size(); ++k)
      for (std::size_t i = 0; i < x[k].size(); ++i) moved[k][i] += h * along[k][i];
    return f(moved);
  };
  constexpr double h = difference_step;
  const Vector a = at(h), b = at(-h), c = at(2 * h), d = at(-2 * h);
  Vector slope(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) slope[i] = (8 * (a[i] - b[i]) - (c[i] - d[i])) / (12 * h);
  return slope;
}

}  // namespace sweep
