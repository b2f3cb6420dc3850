// Reductions. The primitives take adjacent axes, a = {first, one past the last, keepdim}; others are made of them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

namespace {

// g with the reduced axes back, as extents of 1; leading ones broadcast without.
Tensor with_reduced_axes(const Step& s, const Tensor& g) {
  if (s.a(2) || s.a(0) == 0) return g;
  Shape shape = s.n->in[0]->shape;
  for (Size i = s.a(0); i < s.a(1); ++i) shape[i] = 1;
  return reshape(g, shape);
}

}  // namespace

// y = sum x:   gx = g, repeated
Tensors vjp_sum(const Step& s) { return {expand(with_reduced_axes(s, s.g), s.n->in[0]->shape)}; }

// y = max x:   gx = g / (how many are greatest) where x is greatest
Tensors vjp_greatest(const Step& s) {
  const Tensor here = cast(s.x() == with_reduced_axes(s, s.y()), s.n->dtype);
  const Tensor many = sum_over(here, static_cast<int>(s.a(0)), static_cast<int>(s.a(1)), true, s.source());
  return {here * (with_reduced_axes(s, s.g) / many)};
}
Tensors vjp_least(const Step& s) { return vjp_greatest(s); }

namespace {

// Booleans are counted, as they are read.
DType number_of(const Tensor& x) { return x.node()->dtype == DType::boolean ? DType::i64 : x.node()->dtype; }

Tensor reduce_axes(Op op, const Tensor& x, int first, int last, bool keepdim, Source source) {
  const Shape& from = x.node()->shape;
  Shape shape;
  for (int i = 0; i < from.rank(); ++i) {
    if (i < first || i >= last) shape.push_back(from[i]);
    else if (keepdim) shape.push_back(1);
  }
  return record(op, number_of(x), shape, {x.node()}, {{first, last, keepdim, 0}}, source);
}

}  // namespace

Tensor sum_over(const Tensor& x, int first, int last, bool keepdim, Source source) {
  if (first == last) return as_it_is(converted(x, number_of(x)));
  return reduce_axes(Op::sum, x, first, last, keepdim, source);
}

Tensor sum_to(const Tensor& g, const Shape& shape, Source source) {
  Tensor y = g;
  const int lead = y.node()->shape.rank() - shape.rank();
  const auto repeated = [&](int i) { return i < lead || (shape[i - lead] == 1 && y.node()->shape[i] != 1); };
  for (int i = y.node()->shape.rank(); i-- > 0;) {  // from the last: groups of adjacent axes
    if (!repeated(i)) continue;
    int first = i;
    while (first > 0 && first != lead && repeated(first - 1)) --first;
    y = sum_over(y, first, i + 1, i >= lead, source);  // axes that `shape` lacks go
    i = first;
  }
  return y.node()->shape == shape ? y : reshape_to(y, shape, source);
}

}  // namespace xgrad::engine

namespace xgrad {

using engine::checked_axis;
using engine::operand;
using engine::source_of;
using engine::summable;

namespace {

// Which axes: 1 at each that is named.
Shape chosen(const Axes& axes, int rank, const char* op, Source source) {
  Shape in;
  in.resize(rank);
  if (axes.are_all())
    for (Size& mark : in) mark = 1;
  for (const Size axis : axes.list()) {
    const int a = checked_axis(axis, rank, op, source);
    if (in[a]++) fail(source.named(op), "axis {} is named twice", axis);
  }
  return in;
}

Tensor sum_chosen(const Tensor& x, const Shape& in, bool keepdim, Source source) {
  Tensor y = engine::sum_over(x, 0, 0, keepdim, source);
  for (int i = in.rank(); i-- > 0;) {
    if (!in[i]) continue;
    int first = i;
    while (first > 0 && in[first - 1]) --first;
    y = engine::sum_over(y, first, i + 1, keepdim, source);
    i = first;
  }
  return y;
}

// How many numbers are reduced to one.
Size count_of(const Tensor& x, const Shape& in) {
  Size n = 1;
  for (int i = 0; i < in.rank(); ++i)
    if (in[i]) n *= x.node()->shape[i];
  return n;
}
Size count_of(const Tensor& x, const Axes& axes, const char* op, Source source) {
  if (axes.are_all()) return x.node()->count;
  return count_of(x, chosen(axes, x.node()->shape.rank(), op, source));
}

// Integers and booleans become floats of the default dtype.
Tensor floats(const In& x, const char* op) { return engine::floats(operand(x, op)); }

// Sums of nothing are 0; means and extremes of nothing are errors.
void require_some(Size n, const char* op, Source source) {
  if (n == 0) fail(source.named(op), "of no elements has no value");
}

}  // namespace

namespace engine {

Together together(const Tensor& x, const Axes& axes, const char* op, Source source) {
  const Shape &shape = x.node()->shape, in = chosen(axes, shape.rank(), op, source);
  Together t{x, 0, 0, count_of(x, in), shape, {}};
  Shape order, last;
  for (int i = 0; i < shape.rank(); ++i) {
    (in[i] ? last : order).push_back(i);
    if (in[i]) t.kept[i] = 1;
    else t.dropped.push_back(shape[i]);
  }
  if (last.empty()) return t;
  if (last.back() - last[0] + 1 == last.rank()) {
    t.first = static_cast<int>(last[0]), t.last = t.first + last.rank();
    return t;
  }
  t.first = order.rank(), t.last = shape.rank();
  for (const Size axis : last) order.push_back(axis);
  t.x = permute(x, order);
  return t;
}

Tensor Together::as_one(Source source) const {
  Shape shape = x.node()->shape;
  for (int i = first + 1; i < last; ++i) shape.erase(first + 1);
  if (last == first) shape.insert(first, 1);
  else shape[first] = count;
  return shape == x.node()->shape ? x : reshape_to(x, shape, source);
}

Tensor Together::shaped(const Tensor& y, bool keepdim, Source source) const {
  const Shape& shape = keepdim ? kept : dropped;
  return y.node()->shape == shape ? y : reshape_to(y, shape, source);
}

}  // namespace engine

Tensor sum(const In& x, const Axes& axes, bool keepdim) {
  const Tensor t = operand(x, "sum");
  const Source source = source_of(x);
  const int rank = t.node()->shape.rank();
  if (axes.are_all()) return engine::sum_over(t, 0, rank, keepdim, source);
  if (axes.list().rank() == 1) {
    const int a = checked_axis(axes.list()[0], rank, "sum", source);
    return engine::sum_over(t, a, a + 1, keepdim, source);
  }
  return sum_chosen(t, chosen(axes, rank, "sum", source), keepdim, source);
}

// sum / n
Tensor mean(const In& x, const Axes& axes, bool keepdim) {
  const Tensor t = floats(x, "mean");
  const Located at(x, "mean");
  const Size n = count_of(t, axes, "mean", source_of(x));
  require_some(n, "mean", source_of(x));
  return sum(t, axes, keepdim) / static_cast<double>(n);
}

namespace {

// Numbers less their mean, and what the sum of their squares is divided by.
struct Deviations {
  Tensor from_mean;
  double n;
};
Deviations deviations(const In& x, const Axes& axes, At correction, const char* op) {
  const Tensor t = floats(x, op);
  const Source source = source_of(x);
  const Size n = count_of(t, axes, op, source);
  if (correction < 0) fail(source.named(op), "expected a correction of 0 or more, got {}", correction.index);
  if (n <= correction)
    fail(source.named(op), "{} elements with correction {} leave nothing to divide by", n, correction.index);
  return {t - mean(t, axes, !axes.are_all()), static_cast<double>(n - correction)};
}

}  // namespace

// sum (x - mean)^2 / (n - correction)
Tensor var(const In& x, const Axes& axes, At correction, bool keepdim) {
  const Located at(x, "var");
  const Deviations d = deviations(x, axes, correction, "var");
  return sum(square(d.from_mean), axes, keepdim) / d.n;
}
// sqrt(variance), of which the squares need not be in range
Tensor stddev(const In& x, const Axes& axes, At correction, bool keepdim) {
  const Located at(x, "stddev");
  const Deviations d = deviations(x, axes, correction, "stddev");
  return norm(d.from_mean, 2, axes, keepdim) / std::sqrt(d.n);
}

// Halves multiplied by halves: every factor's slope is the product of the others, zeros among them or not.
Tensor prod(const In& x, const Axes& axes, bool keepdim) {
  const Tensor t = summable(x, "prod");
  const Source source = source_of(x);
  const Located at(x, "prod");
  const engine::Together all = engine::together(t, axes, "prod", source);
  const int a = all.first;
  Tensor y = all.as_one(source), odd;
  Size n = all.count;
  if (n == 0) return sum(t, axes, keepdim) + 1;
  for (; n > 1; n /= 2) {
    if (n % 2) {
      const Tensor last = slice(y, a, n - 1, n);
      odd = odd.defined() ? odd * last : last;
    }
    y = slice(y, a, 0, n / 2) * slice(y, a, n / 2, n / 2 * 2);
  }
  return all.shaped(odd.defined() ? y * odd : y, keepdim, source);
}

namespace {

// Scattered axes are brought together, so that all ties share.
Tensor extreme(engine::Op op, const In& x, const Axes& axes, bool keepdim, const char* what) {
  const Source source = source_of(x);
  const Tensor t = operand(x, what);
  if (t.node()->dtype == boolean)
    fail(source.named(what), "expected numbers, got boolean; any and all are for booleans");
  const Located at(x, what);
  const engine::Together all = engine::together(t, axes, what, source);
  require_some(all.count, what, source);
  if (all.first == all.last) return engine::as_it_is(t);
  const bool in_place = all.x.node() == t.node();
  return all.shaped(engine::reduce_axes(op, all.x, all.first, all.last, keepdim && in_place, source), keepdim, source);
}

}  // namespace

Tensor amax(const In& x, const Axes& axes, bool keepdim) {
  return extreme(engine::Op::greatest, x, axes, keepdim, "amax");
}
Tensor amin(const In& x, const Axes& axes, bool keepdim) {
  return extreme(engine::Op::least, x, axes, keepdim, "amin");
}

Tensor all(const In& x, const Axes& axes, bool keepdim) {
  const Located at(x, "all");
  const Tensor t = cast(x, boolean);
  return sum(t, axes, keepdim) == count_of(t, axes, "all", source_of(x));
}
Tensor any(const In& x, const Axes& axes, bool keepdim) {
  const Located at(x, "any");
  const Tensor t = cast(x, boolean);
  return sum(t, axes, keepdim) > 0;
}

// m + log sum exp(x - m), with m = max x as a constant. Where all x are -inf the sum is 0: log's slope there is left out,
// so that the gradient is 0, and not NaN.
Tensor logsumexp(const In& x, const Axes& axes, bool keepdim) {
  const Tensor t = floats(x, "logsumexp");
  const Located at(x, "logsumexp");
  constexpr double infinite = std::numeric_limits<double>::infinity();
  const Tensor m = [&] {
    const NoGrad constant;
    const Tensor greatest = amax(t, axes, true);
    return where(abs(greatest) == infinite, 0.0, greatest);
  }();
  const Tensor s = sum(exp(t - m), axes, true), none = s == 0;
  const Tensor y = where(none, -infinite, log(where(none, 1, s))) + m;
  return keepdim ? y : engine::together(t, axes, "logsumexp", source_of(x)).shaped(y, false, source_of(x));
}

}  // namespace xgrad
