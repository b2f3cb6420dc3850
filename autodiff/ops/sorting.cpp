// Order: places are picked as they are computed, and values are gathered from them, so that values differentiate.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "autodiff/parallel.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

// The places of x along the last axis in order, or the first of them, as many as the result has, a = {descending}: equal ones as
// they lie, NaN as if greater than all.
void compute_argsort(Node* n) {
  const Tensor x = dense(n->in[0]);
  const Size length = n->in[0]->shape.back(), kept = n->shape.back(), rows = kept == 0 ? 0 : n->count / kept;
  auto* out = reinterpret_cast<Size*>(allocate(n));
  const bool descending = n->a[0] != 0;
  with_type(n->in[0]->dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto less = [](T p, T q) { return p < q || (q != q && p == p); };
    const auto order = [&](const T* v, Size* places, const auto& sorted) {
      std::iota(places, places + length, Size{0});
      if (descending) sorted(places, [=](Size i, Size j) { return less(v[j], v[i]); });
      else sorted(places, [=](Size i, Size j) { return less(v[i], v[j]); });
    };
    constexpr Size numbers_of_a_job = 4096;
    share_out(rows, std::max<Size>(1, numbers_of_a_job / std::max<Size>(1, length)), [&](Size first, Size last) {
      std::vector<Size> all(static_cast<std::size_t>(kept < length ? length : 0));
      for (Size row = first; row < last; ++row) {
        const T* v = x.node()->data.template as<const T>() + row * length;
        Size* to = out + row * kept;
        if (kept == length) {
          order(v, to, [&](Size* at, const auto& before) { std::stable_sort(at, at + length, before); });
          continue;
        }
        order(v, all.data(), [&](Size* at, const auto& before) {
          if (kept > length / 8) return std::stable_sort(at, at + length, before);
          std::partial_sort(at, at + kept, at + length,
                            [&](Size i, Size j) { return before(i, j) || (!before(j, i) && i < j); });
        });
        std::copy_n(all.data(), kept, to);
      }
    });
  });
  n->data = reinterpret_cast<char*>(out);
}

}  // namespace xgrad::engine

namespace xgrad {

using engine::operand;
using engine::source_of;

namespace {

// The first `count` places.
Tensor order_of_last(const Tensor& x, Size count, bool descending, Source source) {
  Shape shape = x.node()->shape;
  shape[shape.rank() - 1] = count;
  return engine::record(engine::Op::argsort, i64, shape, {x.node()}, {{descending, 0, 0, 0}}, source);
}
Tensor order(const Tensor& x, int axis, Size count, bool descending, Source source) {
  const int last = x.node()->shape.rank() - 1;
  if (axis == last) return order_of_last(x, count, descending, source);
  return transpose(order_of_last(transpose(x, axis, last), count, descending, source), axis, last);
}

}  // namespace

Tensor argsort(const In& x, At axis, bool descending) {
  const Tensor t = operand(x, "argsort");
  const int a = engine::checked_axis(axis, t.node()->shape.rank(), "argsort", source_of(x));
  const Located at(x, "argsort");
  return order(t, a, t.node()->shape[a], descending, source_of(x));
}

Tensors sort(const In& x, At axis, bool descending) {
  const Tensor t = operand(x, "sort");
  const int a = engine::checked_axis(axis, t.node()->shape.rank(), "sort", source_of(x));
  const Located at(x, "sort");
  const Tensor places = order(t, a, t.node()->shape[a], descending, source_of(x));
  return {gather(t, a, places), places};
}

Tensors topk(const In& x, At k, At axis, bool largest) {
  const Tensor t = operand(x, "topk");
  const int a = engine::checked_axis(axis, t.node()->shape.rank(), "topk", source_of(x));
  const Size most = t.node()->shape[a], count = k;
  if (count < 0 || count > most)
    fail(source_of(x, "topk"), "{} of {} along axis {}; expected 0 ... {}", count, most, a, most);
  const Located at(x, "topk");
  const Tensor places = order(t, a, count, largest, source_of(x));
  return {gather(t, a, places), places};
}

}  // namespace xgrad
