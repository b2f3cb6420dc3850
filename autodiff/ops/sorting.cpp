// Order: places are picked as they are computed, and values are gathered from them, so that values differentiate.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "autodiff/parallel.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

// The places of x along the last axis in order, a = {descending}: equal ones as they lie, NaN as if greater than all.
void compute_argsort(Node* n) {
  const Tensor x = dense(n->in[0]);
  const Size length = n->shape.back(), rows = length == 0 ? 0 : n->count / length;
  auto* out = reinterpret_cast<Size*>(allocate(n));
  const bool descending = n->a[0] != 0;
  with_type(n->in[0]->dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto sort_row = [&](Size row) {
      const T* v = x.node()->data.template as<const T>() + row * length;
      Size* to = out + row * length;
      std::iota(to, to + length, Size{0});
      const auto less = [](T p, T q) { return p < q || (q != q && p == p); };
      if (descending) std::stable_sort(to, to + length, [&](Size i, Size j) { return less(v[j], v[i]); });
      else std::stable_sort(to, to + length, [&](Size i, Size j) { return less(v[i], v[j]); });
    };
    constexpr Size numbers_of_a_job = 4096;
    share_out(rows, std::max<Size>(1, numbers_of_a_job / std::max<Size>(1, length)), [&](Size first, Size last) {
      for (Size row = first; row < last; ++row) sort_row(row);
    });
  });
  n->data = reinterpret_cast<char*>(out);
}

}  // namespace xgrad::engine

namespace xgrad {

using engine::operand;
using engine::source_of;

namespace {

// Along the last axis.
Tensor order_of_last(const Tensor& x, bool descending, Source source) {
  return engine::record(engine::Op::argsort, i64, x.node()->shape, {x.node()}, {{descending, 0, 0, 0}}, source);
}
Tensor order(const Tensor& x, int axis, bool descending, Source source) {
  const int last = x.node()->shape.rank() - 1;
  if (axis == last) return order_of_last(x, descending, source);
  return transpose(order_of_last(transpose(x, axis, last), descending, source), axis, last);
}

}  // namespace

Tensor argsort(const In& x, At axis, bool descending) {
  const Tensor t = operand(x, "argsort");
  const int a = engine::checked_axis(axis, t.node()->shape.rank(), "argsort", source_of(x));
  const Located at(x, "argsort");
  return order(t, a, descending, source_of(x));
}

Tensors sort(const In& x, At axis, bool descending) {
  const Tensor t = operand(x, "sort");
  const int a = engine::checked_axis(axis, t.node()->shape.rank(), "sort", source_of(x));
  const Located at(x, "sort");
  const Tensor places = order(t, a, descending, source_of(x));
  return {gather(t, a, places), places};
}

Tensors topk(const In& x, At k, At axis, bool largest) {
  const Tensor t = operand(x, "topk");
  const int a = engine::checked_axis(axis, t.node()->shape.rank(), "topk", source_of(x));
  const Size most = t.node()->shape[a], count = k;
  if (count < 0 || count > most)
    fail(source_of(x, "topk"), "{} of {} along axis {}; expected 0 ... {}", count, most, a, most);
  const Located at(x, "topk");
  const Tensor places = slice(order(t, a, largest, source_of(x)), a, 0, count);
  return {gather(t, a, places), places};
}

}  // namespace xgrad
