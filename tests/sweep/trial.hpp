// A case with its numbers, and how numbers are compared.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sweep/inputs.hpp"

namespace sweep {

struct Wrong {
  std::string what;
};

// A case with its numbers: x, the cotangent g, the direction t.
struct Trial {
  const Case& c;
  Point x, t;
  Vector g;
  Shape result;

  explicit Trial(const Case& of) : c(of) {
    Draws draws(c.name());
    for (std::size_t k = 0; k < c.shapes.size(); ++k) {
      x.push_back(sample(c.row->domains[k], c.shapes[k], c.layouts[k], k, draws));
      t.push_back(factors(x.back().size(), draws));
    }
    const NoGrad no_grad;
    const Tensor y = apply(operands(f64));
    if (y.dtype() != f64) throw Wrong{fmt::format("of f64 operands the result is {}", xgrad::name(y.dtype()))};
    result = y.shape();
    g = factors(static_cast<std::size_t>(y.numel()), draws);
  }

  std::size_t operand_count() const { return x.size(); }
  Tensors operands(DType dtype) const {
    Tensors list;
    for (std::size_t k = 0; k < x.size(); ++k) list.push_back(laid_out(x[k], c.shapes[k], dtype, c.layouts[k]));
    return list;
  }
  Tensor direction(std::size_t k, DType dtype) const { return laid_out(t[k], c.shapes[k], dtype, Layout::dense); }
  Tensor cotangent(DType dtype) const { return laid_out(g, result, dtype, Layout::dense); }

  // f, of pending operands where the layout says so.
  Tensor apply(const Tensors& in) const {
    Tensors list;
    for (std::size_t k = 0; k < in.size(); ++k) list.push_back(c.layouts[k] == Layout::pending ? in[k] * 1 : in[k]);
    return c.row->f(list);
  }
  Tensor apply_with(const Tensors& in, std::size_t k, const Tensor& x_k) const {
    Tensors list = in;
    list[k] = x_k;
    return apply(list);
  }
};

inline void append(Vector& to, const Tensor& t) {
  const Vector v = t.to_vector<double>();
  to.insert(to.end(), v.begin(), v.end());
}
inline Vector joined(const Tensors& list) {
  Vector v;
  for (const Tensor& t : list) append(v, t);
  return v;
}
inline double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

inline void compare(const std::string& what, const Vector& got, const Vector& expected, double tolerance) {
  if (got.size() != expected.size())
    throw Wrong{fmt::format("{}: {} numbers, expected {}", what, got.size(), expected.size())};
  double scale = 1;
  for (double e : expected) scale = std::max(scale, std::abs(e));
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!(std::abs(got[i] - expected[i]) <= tolerance * scale))  // NaN is wrong
      throw Wrong{fmt::format("{}: element {}: {:.12g}, expected {:.12g}", what, i, got[i], expected[i])};
}

}  // namespace sweep
