// Numbers moved along an axis, around its end.
#include <algorithm>

#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

namespace {
Tensor rolled(const Tensor& x, Size axis, Size by, Source source) {
  return record(Op::roll, x.node()->dtype, x.node()->shape, {x.node()}, {{axis, by, 0, 0}}, source);
}
}  // namespace

// y[(k + by) mod n] = x[k] along an axis, a = {axis, by}, 0 <= by <= n:   gx = g, rolled by n - by
void compute_roll(Node* n) {
  const Tensor x = dense(n->in[0]);
  char* out = allocate(n);
  const Axis a = axis_of(n->shape, static_cast<int>(n->a[0]));
  with_type(n->dtype, [&](auto zero) {
    using T = decltype(zero);
    const Size row = a.length * a.inner, moved = n->a[1] * a.inner;
    const auto* from = x.node()->data.as<const T>();
    auto* to = reinterpret_cast<T*>(out);
    for (Size o = 0; o < a.outer; ++o, from += row, to += row)
      std::rotate_copy(from, from + row - moved, from + row, to);
  });
  n->data = out;  // last: from now on it has numbers, for other threads, too
}
Tensors vjp_roll(const Step& s) {
  const Size n = s.x().shape()[static_cast<int>(s.a(0))];
  return {rolled(s.g, s.a(0), n - s.a(1), s.source())};
}

}  // namespace xgrad::engine

namespace xgrad {

Tensor roll(const In& x, std::int64_t by, At axis) {
  const Tensor t = engine::operand(x, "roll");  // an Error where it is empty
  const Source source = engine::source_of(x, "roll");
  const int a = engine::checked_axis(axis, t.dim(), "roll", source);
  const Size n = std::max<Size>(1, t.shape()[a]);
  return engine::rolled(t, a, (by % n + n) % n, source);
}

}  // namespace xgrad
