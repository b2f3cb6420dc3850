// argmax and argmin: where the extremes are.
#include <algorithm>

#include "autodiff/engine/strided.hpp"
#include "autodiff/ops/rules.hpp"

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

}  // namespace xgrad::engine

namespace xgrad {

using engine::operand;
using engine::source_of;

namespace {
Tensor extreme_place(engine::Op op, const In& x, const Axes& axes, bool keepdim, const char* what) {
  const Tensor t = operand(x, what);
  const Source source = source_of(x);
  const Located at(x, what);
  const engine::Together all = engine::together(t, axes, what, source);
  if (all.count == 0) fail(source.named(what), "of no elements has no value");
  const Tensor line = all.as_one(source);
  Shape shape = line.node()->shape;
  shape.erase(all.first);
  const Tensor y = engine::record(op, i64, shape, {line.node()}, {{all.first, 0, false, 0}}, source);
  return all.shaped(y, keepdim, source);
}
}  // namespace

Tensor argmax(const In& x, const Axes& axes, bool keepdim) {
  return extreme_place(engine::Op::argmax, x, axes, keepdim, "argmax");
}
Tensor argmin(const In& x, const Axes& axes, bool keepdim) {
  return extreme_place(engine::Op::argmin, x, axes, keepdim, "argmin");
}

}  // namespace xgrad
