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
Tensor kept(const Step& s, const Tensor& g) {
  if (s.a(2) || s.a(0) == 0) return g;
  Shape shape = s.n->in[0]->shape;
  for (Size i = s.a(0); i < s.a(1); ++i) shape[i] = 1;
  return reshape(g, shape);
}

}  // namespace

// y = sum x:   gx = g, repeated
Tensors vjp_sum(const Step& s) { return {expand(kept(s, s.g), s.n->in[0]->shape)}; }

// y = max x:   gx = g / (how many are greatest) where x is greatest
Tensors vjp_greatest(const Step& s) {
  const Tensor here = cast(s.x() == kept(s, s.y()), s.n->dtype);
  const Tensor many = sum_over(here, static_cast<int>(s.a(0)), static_cast<int>(s.a(1)), true, s.source());
  return {here * (kept(s, s.g) / many)};
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

namespace {

// Which axes: 1 at each that is named.
Shape chosen(std::initializer_list<At> axes, int rank, const char* op, Source source) {
  Shape in;
  in.resize(rank);
  for (const Size axis : axes) {
    const int a = checked_axis(axis, rank, op, source);
    if (in[a]++) fail(source, fmt::format("[{}] axis {} is named twice", op, axis));
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

Tensor summable(const In& x, const char* op) {
  const Tensor t = operand(x, op);
  return t.node()->dtype == boolean ? engine::converted(t, i64) : t;
}

// Integers and booleans become floats of the default dtype.
Tensor floats(const In& x, const char* op) { return engine::floats(operand(x, op)); }

Size count_of(const Tensor& x, const Shape& in) {
  Size n = 1;
  for (int i = 0; i < in.rank(); ++i)
    if (in[i]) n *= x.node()->shape[i];
  return n;
}

// Sums of nothing are 0; means and extremes of nothing are errors.
void require_some(Size n, const char* op, Source source) {
  if (n == 0) fail(source, fmt::format("[{}] of no elements has no value", op));
}

}  // namespace

Tensor sum(const In& x) {
  const Tensor t = operand(x, "sum");
  return engine::sum_over(t, 0, t.node()->shape.rank(), false, source_of(x));
}
Tensor sum(const In& x, At axis, bool keepdim) {
  const Tensor t = operand(x, "sum");
  const int a = checked_axis(axis, t.node()->shape.rank(), "sum", source_of(x));
  return engine::sum_over(t, a, a + 1, keepdim, source_of(x));
}
Tensor sum(const In& x, std::initializer_list<At> axes, bool keepdim) {
  const Tensor t = operand(x, "sum");
  return sum_chosen(t, chosen(axes, t.node()->shape.rank(), "sum", source_of(x)), keepdim, source_of(x));
}

// sum / n
Tensor mean(const In& x) {
  const Tensor t = floats(x, "mean");
  const Located at(x, "mean");
  require_some(t.node()->count, "mean", source_of(x));
  return sum(t) / static_cast<double>(t.node()->count);
}
Tensor mean(const In& x, std::initializer_list<At> axes, bool keepdim) {
  const Tensor t = floats(x, "mean");
  const Located at(x, "mean");
  const Shape in = chosen(axes, t.node()->shape.rank(), "mean", source_of(x));
  const Size n = count_of(t, in);
  require_some(n, "mean", source_of(x));
  return sum_chosen(t, in, keepdim, source_of(x)) / static_cast<double>(n);
}
Tensor mean(const In& x, At axis, bool keepdim) { return mean(x, {axis}, keepdim); }

namespace {

// What is left to divide by.
double freedom(Size n, At correction, const char* op, Source source) {
  if (correction < 0) fail(source, fmt::format("[{}] expected a correction of 0 or more, got {}", op, correction.index));
  if (n <= correction)
    fail(source, fmt::format("[{}] {} elements with correction {} leave nothing to divide by", op, n, correction.index));
  return static_cast<double>(n - correction);
}

// Numbers less their mean, over adjacent axes, and what the sum of their squares is divided by.
struct Deviations {
  Tensor from_mean;
  int first, last;
  double n;
};
Deviations deviations(const In& x, At axis, At correction, const char* op) {
  const Tensor t = floats(x, op);
  const int a = checked_axis(axis, t.node()->shape.rank(), op, source_of(x));
  const double n = freedom(t.node()->shape[a], correction, op, source_of(x));
  return {t - mean(t, a, true), a, a + 1, n};
}
Deviations deviations(const In& x, const char* op) {
  const Tensor t = floats(x, op);
  const double n = freedom(t.node()->count, 1, op, source_of(x));
  return {t - mean(t), 0, t.node()->shape.rank(), n};
}

// sum (x - mean)^2 / (n - correction)
Tensor variance(const Deviations& d, bool keepdim, Source source) {
  return engine::sum_over(square(d.from_mean), d.first, d.last, keepdim, source) / d.n;
}
// sqrt(variance), of which the squares need not be in range
Tensor deviation(const Deviations& d, bool keepdim, Source source) {
  return engine::norm_over(d.from_mean, d.first, d.last, keepdim, source) / std::sqrt(d.n);
}

}  // namespace

Tensor var(const In& x) {
  const Located at(x, "var");
  return variance(deviations(x, "var"), false, source_of(x));
}
Tensor var(const In& x, At axis, At correction, bool keepdim) {
  const Located at(x, "var");
  return variance(deviations(x, axis, correction, "var"), keepdim, source_of(x));
}
Tensor stddev(const In& x) {
  const Located at(x, "stddev");
  return deviation(deviations(x, "stddev"), false, source_of(x));
}
Tensor stddev(const In& x, At axis, At correction, bool keepdim) {
  const Located at(x, "stddev");
  return deviation(deviations(x, axis, correction, "stddev"), keepdim, source_of(x));
}

// Halves multiplied by halves: every factor's slope is the product of the others, zeros among them or not.
Tensor prod(const In& x, At axis, bool keepdim) {
  const Tensor t = summable(x, "prod");
  const Located at(x, "prod");
  const int a = checked_axis(axis, t.node()->shape.rank(), "prod", source_of(x));
  Tensor y = t, odd;
  Size n = t.node()->shape[a];
  if (n == 0) return sum(t, a, keepdim) + 1;
  for (; n > 1; n /= 2) {
    if (n % 2) {
      const Tensor last = slice(y, a, n - 1, n);
      odd = odd.defined() ? odd * last : last;
    }
    y = slice(y, a, 0, n / 2) * slice(y, a, n / 2, n / 2 * 2);
  }
  if (odd.defined()) y = y * odd;
  return keepdim ? y : squeeze(y, a);
}
Tensor prod(const In& x) {
  const Tensor t = operand(x, "prod");
  const Located at(x, "prod");
  return prod(reshape(t, {-1}), 0);
}

namespace {

Tensor extreme(engine::Op op, const In& x, int first, int last, bool keepdim, const char* what) {
  const Source source = source_of(x);
  const Tensor t = operand(x, what);
  if (t.node()->dtype == boolean)
    fail(source, fmt::format("[{}] expected numbers, got boolean; any and all are for booleans", what));
  Size n = 1;
  for (int i = first; i < last; ++i) n *= t.node()->shape[i];
  require_some(n, what, source);
  return first == last ? engine::as_it_is(t) : engine::reduce_axes(op, t, first, last, keepdim, source);
}
// Scattered axes are brought together, so that all ties share.
Tensor extreme_axes(engine::Op op, const In& x, std::initializer_list<At> axes, bool keepdim, const char* what) {
  const Tensor t = operand(x, what);
  const Located at(x, what);
  const int rank = t.node()->shape.rank();
  const Shape in = chosen(axes, rank, what, source_of(x));
  Shape order, kept = t.node()->shape;
  for (int i = 0; i < rank; ++i)
    if (!in[i]) order.push_back(i);
  const int first = order.rank();
  for (int i = 0; i < rank; ++i)
    if (in[i]) order.push_back(i), kept[i] = 1;
  const Tensor y = extreme(op, permute(t, order), first, rank, false, what);
  return keepdim ? reshape(y, kept) : y;
}
Tensor extreme_axis(engine::Op op, const In& x, At axis, bool keepdim, const char* what) {
  const int a = checked_axis(axis, operand(x, what).node()->shape.rank(), what, source_of(x));
  return extreme(op, x, a, a + 1, keepdim, what);
}

}  // namespace

Tensor amax(const In& x) { return extreme(engine::Op::greatest, x, 0, operand(x, "amax").node()->shape.rank(), false, "amax"); }
Tensor amin(const In& x) { return extreme(engine::Op::least, x, 0, operand(x, "amin").node()->shape.rank(), false, "amin"); }
Tensor amax(const In& x, At axis, bool keepdim) { return extreme_axis(engine::Op::greatest, x, axis, keepdim, "amax"); }
Tensor amin(const In& x, At axis, bool keepdim) { return extreme_axis(engine::Op::least, x, axis, keepdim, "amin"); }
Tensor amax(const In& x, std::initializer_list<At> axes, bool keepdim) {
  return extreme_axes(engine::Op::greatest, x, axes, keepdim, "amax");
}
Tensor amin(const In& x, std::initializer_list<At> axes, bool keepdim) {
  return extreme_axes(engine::Op::least, x, axes, keepdim, "amin");
}

Tensor all(const In& x) {
  const Tensor t = cast(x, boolean);
  const Located at(x, "all");
  return sum(t) == t.node()->count;
}
Tensor any(const In& x) {
  const Tensor t = cast(x, boolean);
  const Located at(x, "any");
  return sum(t) > 0;
}

// m + log sum exp(x - m), with m = max x as a constant. Where all x are -inf the sum is 0: log's slope there is left out,
// so that the gradient is 0, and not NaN.
Tensor logsumexp(const In& x, At axis, bool keepdim) {
  const Tensor t = floats(x, "logsumexp");
  const Located at(x, "logsumexp");
  constexpr double infinite = std::numeric_limits<double>::infinity();
  const Tensor m = [&] {
    const NoGrad constant;
    const Tensor greatest = amax(t, axis, true);
    return where(abs(greatest) == infinite, 0.0, greatest);
  }();
  const Tensor s = sum(exp(t - m), axis, true), none = s == 0;
  const Tensor y = where(none, -infinite, log(where(none, 1, s))) + m;
  return keepdim ? y : squeeze(y, axis);
}

Tensor norm(const In& x) {
  const Tensor t = floats(x, "norm");
  const Located at(x, "norm");
  return engine::norm_over(t, 0, t.node()->shape.rank(), false, source_of(x));
}

}  // namespace xgrad

namespace xgrad::engine {

namespace {

// The first of equals; a NaN is more than any number (as PyTorch's). T: the numbers' type.
template <class T, class More>
void pick(const Elements& x, Size* out, const Axis& a, const More& more) {
  constexpr Size block = Elements::block;
  alignas(64) Elements::Scratch scratch;
  const auto read = [&](Size start, Size n) { return reinterpret_cast<const T*>(x.at(start, n, scratch)); };
  if (a.inner == 1) {
    for (Size o = 0; o < a.outer; ++o) {
      T best = *read(o * a.length, 1);
      out[o] = 0;
      for (Size k = 0; k < a.length; k += block) {
        const Size n = std::min(block, a.length - k);
        const T* row = read(o * a.length + k, n);
        for (Size i = 0; i < n; ++i)
          if (more(row[i], best)) best = row[i], out[o] = k + i;
      }
    }
    return;
  }
  T best[block];
  for (Size o = 0; o < a.outer; ++o)
    for (Size left = 0; left < a.inner; left += block) {
      const Size n = std::min(block, a.inner - left);
      Size* to = out + o * a.inner + left;
      for (Size k = 0; k < a.length; ++k) {
        const T* row = read((o * a.length + k) * a.inner + left, n);
        for (Size i = 0; i < n; ++i)
          if (k == 0 || more(row[i], best[i])) best[i] = row[i], to[i] = k;
      }
    }
}

void compute_extreme_place(Node* n, bool greatest) {
  const Elements x(n->in[0], n->in[0]->dtype);
  const Axis a = axis_of(n->in[0]->shape, static_cast<int>(n->a[0]));
  auto* out = reinterpret_cast<Size*>(allocate(n));
  with_type(n->in[0]->dtype, [&](auto zero) {
    using T = decltype(zero);
    if (greatest) pick<T>(x, out, a, [](T p, T q) { return p > q || (p != p && q == q); });
    else pick<T>(x, out, a, [](T p, T q) { return p < q || (p != p && q == q); });
  });
  n->data = reinterpret_cast<char*>(out);
}

}  // namespace

void compute_argmax(Node* n) { compute_extreme_place(n, true); }
void compute_argmin(Node* n) { compute_extreme_place(n, false); }

// y[k] = x[0] + ... + x[k] along an axis, a = {axis}; a[1]: x[k] + ... to the end.   gx = the other way round, of g
void compute_cumsum(Node* n) {
  const Tensor x = dense(n->in[0]);
  const Axis a = axis_of(n->shape, static_cast<int>(n->a[0]));
  const bool from_end = n->a[1] != 0;
  char* out = allocate(n);
  with_type(n->dtype, [&](auto zero) {
    using T = decltype(zero);
    using Total = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;  // f32 stalls; i64 wraps
    constexpr Size together = 128;
    const auto* from = x.node()->data.as<const T>();
    auto* to = reinterpret_cast<T*>(out);
    for (Size o = 0; o < a.outer; ++o)
      for (Size left = 0; left < a.inner; left += together) {
        Total totals[together];
        const Size columns = std::min(together, a.inner - left);
        std::fill_n(totals, columns, std::is_floating_point_v<T> ? static_cast<Total>(-0.0) : Total(0));
        for (Size k = 0; k < a.length; ++k) {
          const Size row = (o * a.length + (from_end ? a.length - 1 - k : k)) * a.inner + left;
          for (Size i = 0; i < columns; ++i) to[row + i] = static_cast<T>(totals[i] += static_cast<Total>(from[row + i]));
        }
      }
  });
  n->data = out;
}
Tensors vjp_cumsum(const Step& s) {
  return {record(Op::cumsum, s.n->dtype, s.n->shape, {s.g.node()}, {{s.a(0), !s.a(1), 0, 0}}, s.source())};
}

}  // namespace xgrad::engine

namespace xgrad {

namespace {
Tensor extreme_place(engine::Op op, const In& x, At axis, bool keepdim, const char* what) {
  const Tensor t = operand(x, what);
  const int a = checked_axis(axis, t.node()->shape.rank(), what, source_of(x));
  require_some(t.node()->shape[a], what, source_of(x));
  Shape shape = t.node()->shape;
  keepdim ? void(shape[a] = 1) : shape.erase(a);
  return engine::record(op, i64, shape, {t.node()}, {{a, 0, keepdim, 0}}, source_of(x));
}
}  // namespace

Tensor argmax(const In& x, At axis, bool keepdim) { return extreme_place(engine::Op::argmax, x, axis, keepdim, "argmax"); }
Tensor argmin(const In& x, At axis, bool keepdim) { return extreme_place(engine::Op::argmin, x, axis, keepdim, "argmin"); }

// The place in row-major order.
Tensor argmax(const In& x) {
  const Tensor t = operand(x, "argmax");
  const Located at(x, "argmax");
  return argmax(reshape(t, {-1}), 0);
}
Tensor argmin(const In& x) {
  const Tensor t = operand(x, "argmin");
  const Located at(x, "argmin");
  return argmin(reshape(t, {-1}), 0);
}

Tensor cumsum(const In& x, At axis) {
  const Tensor t = summable(x, "cumsum");
  const int a = checked_axis(axis, t.node()->shape.rank(), "cumsum", source_of(x));
  return engine::record(engine::Op::cumsum, t.node()->dtype, t.node()->shape, {t.node()}, {{a, 0, 0, 0}}, source_of(x));
}

}  // namespace xgrad
