// Running totals and products along an axis.
#include <algorithm>
#include <type_traits>

#include "autodiff/ops/rules.hpp"
#include "autodiff/parallel.hpp"

namespace xgrad::engine {

namespace {

// What running totals are kept in: f32 would lose digits, and i64 wraps.
template <class T>
using Total = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;

// first(totals, count, at, apart), then next(...): the steps along an axis, forwards or from the end, of some lines together, so
// that numbers are read as they lie and one sum does not wait for another. Line i's number is at `at` + i `apart`.
template <class T, class First, class Next>
void walk(const Axis& a, bool from_end, const First& first, const Next& next) {
  constexpr Size side_by_side = 128, below_each_other = 8, job = 1 << 15;
  const auto go = [&](Size start, Size lines, auto apart) {
    Total<T> totals[side_by_side];
    const auto at = [&](Size k) { return start + (from_end ? a.length - 1 - k : k) * a.inner; };
    if (a.length > 0) first(totals, lines, at(0), apart);
    for (Size k = 1; k < a.length; ++k) next(totals, lines, at(k), apart);
  };
  const Size numbers = std::max<Size>(1, a.length * a.inner);  // of a step along the axes before
  share_out(a.outer, std::max(below_each_other, job / numbers), [&](Size begin, Size end) {
    if (a.inner == 1) {
      for (Size o = begin; o < end; o += below_each_other)
        go(o * a.length, std::min(below_each_other, end - o), a.length);
    } else {
      for (Size o = begin; o < end; ++o)
        for (Size left = 0; left < a.inner; left += side_by_side)
          go(o * numbers + left, std::min(side_by_side, a.inner - left), std::integral_constant<Size, 1>{});
    }
  });
}

// x moved by one place along an axis that is not empty, towards its end or its beginning; 0 where there is none.
Tensor moved(const Tensor& x, int axis, bool to_end, Source source) {
  const Size length = x.node()->shape[axis];
  const Tensor some = slice_at(x, axis, to_end ? 0 : 1, 1, length - 1, source);
  return pad_at(some, axis, to_end ? 1 : 0, 1, length, source);
}

}  // namespace

// y[k] = x[0] + ... + x[k] along an axis, a = {axis}; a[1]: x[k] + ... to the end.   gx = the other way round, of g
void compute_cumsum(Node* n) {
  const Tensor x = dense(n->in[0]);
  char* out = allocate(n);
  with_type(n->dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto* from = x.node()->data.as<const T>();
    auto* to = reinterpret_cast<T*>(out);
    walk<T>(
        axis_of(n->shape, static_cast<int>(n->a[0])), n->a[1] != 0,
        [=](Total<T>* totals, Size lines, Size at, auto apart) {
          for (Size i = 0; i < lines; ++i, at += apart) totals[i] = static_cast<Total<T>>(to[at] = from[at]);
        },
        [=](Total<T>* totals, Size lines, Size at, auto apart) {
          for (Size i = 0; i < lines; ++i, at += apart)
            to[at] = static_cast<T>(totals[i] += static_cast<Total<T>>(from[at]));
        });
  });
  n->data = out;
}
Tensors vjp_cumsum(const Step& s) {
  return {record(Op::cumsum, s.n->dtype, s.n->shape, {s.g.node()}, {{s.a(0), !s.a(1), 0, 0}}, s.source())};
}

// y[k] = a[k] y[k - 1] + b[k] along an axis, from y[0] = b[0], a = {axis}; a[1]: from the end.
//   gb[k] = g[k] + a[k + 1] gb[k + 1]    ga[k] = gb[k] y[k - 1], ga[0] = 0
void compute_recurrence(Node* n) {
  const Tensor a = dense(n->in[0]), b = dense(n->in[1]);
  char* out = allocate(n);
  with_type(n->dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto *factor = a.node()->data.as<const T>(), *term = b.node()->data.as<const T>();
    auto* to = reinterpret_cast<T*>(out);
    walk<T>(
        axis_of(n->shape, static_cast<int>(n->a[0])), n->a[1] != 0,
        [=](Total<T>* before, Size lines, Size at, auto apart) {
          for (Size i = 0; i < lines; ++i, at += apart) before[i] = static_cast<Total<T>>(to[at] = term[at]);
        },
        [=](Total<T>* before, Size lines, Size at, auto apart) {
          for (Size i = 0; i < lines; ++i, at += apart) {
            before[i] = static_cast<Total<T>>(factor[at]) * before[i] + static_cast<Total<T>>(term[at]);
            to[at] = static_cast<T>(before[i]);
          }
        });
  });
  n->data = out;
}
Tensors vjp_recurrence(const Step& s) {
  const int axis = static_cast<int>(s.a(0));
  const bool from_end = s.a(1);
  const Tensor gb =
      record(Op::recurrence, s.n->dtype, s.n->shape, {moved(s.x(0), axis, from_end, s.source()).node(), s.g.node()},
             {{axis, !from_end, 0, 0}}, s.source());
  if (!s.wants(0)) return {Tensor(), gb};
  const Size length = s.n->shape[axis];
  const Tensor later = slice_at(gb, axis, from_end ? 0 : 1, 1, length - 1, s.source());
  const Tensor before = slice_at(s.y(), axis, from_end ? 1 : 0, 1, length - 1, s.source());
  return {pad_at(later * before, axis, from_end ? 0 : 1, 1, length, s.source()), gb};
}

}  // namespace xgrad::engine

namespace xgrad {

Tensor cumsum(const In& x, At axis) {
  const Tensor t = engine::summable(x, "cumsum");
  const int a = engine::checked_axis(axis, t.node()->shape.rank(), "cumsum", engine::source_of(x));
  return engine::record(engine::Op::cumsum, t.node()->dtype, t.node()->shape, {t.node()}, {{a, 0, 0, 0}},
                        engine::source_of(x));
}

// y[k] = x[k] y[k - 1], from y[0] = x[0]
Tensor cumprod(const In& x, At axis) {
  const Tensor t = engine::summable(x, "cumprod");
  const Source source = engine::source_of(x);
  const Located at(source, "cumprod");
  const Shape& shape = t.node()->shape;
  const int a = engine::checked_axis(axis, shape.rank(), "cumprod", source);
  if (shape[a] == 0) return engine::as_it_is(t);
  const Tensor first = engine::pad_at(engine::slice_at(t, a, 0, 1, 1, source), a, 0, 1, shape[a], source);
  return engine::record(engine::Op::recurrence, t.node()->dtype, shape, {t.node(), first.node()}, {{a, 0, 0, 0}},
                        source);
}

}  // namespace xgrad
