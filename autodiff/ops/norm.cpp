// Norms of vectors, of which the powers need not be in the dtype's range.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

namespace {

// sqrt(sum x^2) of n numbers, `stride` apart, where the squares overflow, or are so small that they lose digits: the
// greatest is scaled by a power of two to 1 ... 2. Sums are compensated (Neumaier 1974).
template <class T>
T scaled_norm(const T* x, Size stride, Size n) {
  T greatest = 0;
  for (Size i = 0; i < n; ++i) {
    const T size = std::abs(x[i * stride]);
    if (std::isnan(size)) return size;
    greatest = std::max(greatest, size);
  }
  if (greatest == 0 || std::isinf(greatest)) return greatest;
  constexpr int most = std::numeric_limits<T>::max_exponent - 1;  // of a power of two that is finite
  const int power = std::min(-std::ilogb(greatest), most);
  const T scale = std::ldexp(T(1), power);
  T sum = 0, lost = 0;
  for (Size i = 0; i < n; ++i) {
    const T scaled = x[i * stride] * scale, square = scaled * scaled, next = sum + square;
    lost += sum >= square ? (sum - next) + square : (square - next) + sum;
    sum = next;
  }
  return std::ldexp(std::sqrt(sum + lost), -power);
}

}  // namespace

// y = sqrt(sum x^2) over adjacent axes, a = {first, one past the last, keepdim}; the second input is the sum of squares,
// as it came out. It serves wherever it is in range and so great that what underflowed is less than a rounding of it.
void compute_norm(Node* n) {
  const Tensor squares = dense(n->in[1]);
  char* out = allocate(n);
  Size length = 1, inner = 1;
  const Shape& shape = n->in[0]->shape;
  for (int i = static_cast<int>(n->a[0]); i < shape.rank(); ++i) (i < n->a[1] ? length : inner) *= shape[i];
  Tensor x;
  with_type(n->dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      const T least = std::numeric_limits<T>::min() * 4 * static_cast<T>(length), most = std::numeric_limits<T>::max();
      const T* sums = squares.node()->data.as<const T>();
      for (Size i = 0; i < n->count; ++i) {
        T* y = reinterpret_cast<T*>(out) + i;
        if (sums[i] >= least && sums[i] <= most) {
          *y = std::sqrt(sums[i]);
        } else {
          if (!x.defined()) x = dense(n->in[0]);
          *y = scaled_norm(x.node()->data.as<const T>() + i / inner * length * inner + i % inner, inner, length);
        }
      }
    }
  });
  n->data = out;
}

// gx = g x / y; 0 where y is 0, as x / infinity is, with all its derivatives
Tensors vjp_norm(const Step& s) {
  const Tensor y = s.y();
  return {s.g * (s.x() / where(y == 0, std::numeric_limits<double>::infinity(), y))};
}

Tensor batch_norm(const Replayed& r) {
  const Tensor x = r.all(0), squares = r.all(1);
  return reshape_to(record(Op::norm, r.n->dtype, squares.node()->shape, {x.node(), squares.node()},
                           {{r.n->a[0] + 1, r.n->a[1] + 1, 1, 0}}, r.source()),
                    r.shape(), r.source());
}

Tensor norm_over(const Tensor& x, int first, int last, bool keepdim, Source source) {
  Tensor squares;
  {
    const NoGrad constant;
    squares = sum_over(square(x), first, last, true, source);
  }
  // Reduced axes stay, as extents of 1, for the rule; leading ones may go.
  const bool leading = first == 0 && !keepdim;
  Shape shape = squares.node()->shape;
  if (leading)
    for (int i = 0; i < last; ++i) shape.erase(0);
  Tensor y = record(Op::norm, x.node()->dtype, shape, {x.node(), squares.node()}, {{first, last, !leading, 0}}, source);
  if (leading || keepdim) return y;
  for (int i = first; i < last; ++i) shape.erase(first);
  return reshape_to(y, shape, source);
}

}  // namespace xgrad::engine

namespace xgrad {

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

// m (sum (|x| / m)^p)^(1/p): the greatest of |x|, or for p < 0 the least, is taken out as a constant, whose slopes cancel.
// Where x is 0, and where the norm is, there is no slope, and none is recorded.
Tensor power_norm(const Tensor& x, double p, const Axes& axes) {
  const Tensor size = abs(x);
  const Tensor most = [&] {
    const NoGrad constant;
    return p > 0 ? amax(size, axes, true) : amin(size, axes, true);
  }();
  const Tensor none = most == 0, scale = where(logical_or(none, most == infinite), 1, most);
  const Tensor powers =
      p > 0 ? where(x == 0, 0, pow(where(x == 0, 1, size) / scale, p)) : pow(where(none, 1, size) / scale, p);
  const Tensor total = sum(powers, axes, true);
  return where(none, 0, scale * pow(where(none, 1, total), 1 / p));
}

}  // namespace

Tensor norm(const In& x, double p, const Axes& axes, bool keepdim) {
  const Tensor t = engine::floats(engine::operand(x, "norm"));
  const Source source = engine::source_of(x, "norm");
  const Located at(x, "norm");
  if (std::isnan(p)) fail(source, "expected a number p, or an infinite one, got NaN");
  const engine::Together all = engine::together(t, axes, "norm", source);
  if (p == 2) {
    const bool in_place = all.x.node() == t.node();
    return all.shaped(engine::norm_over(all.x, all.first, all.last, keepdim && in_place, source), keepdim, source);
  }
  if (all.count == 0) return sum(t, axes, keepdim) + (p < 0 ? infinite : 0);
  if (p == 0) return cast(sum(t != 0, axes, keepdim), t.node()->dtype);
  if (p == 1) return sum(abs(t), axes, keepdim);
  if (p == infinite) return amax(abs(t), axes, keepdim);
  if (p == -infinite) return amin(abs(t), axes, keepdim);
  return all.shaped(power_norm(t, p, axes), keepdim, source);
}

}  // namespace xgrad
