// Products of vectors, matrices and batches of matrices.
#include "autodiff/kernels/matmul.hpp"

#include <fmt/format.h>

#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

namespace {

// The matrices of an operand as the kernel reads them: row-major, or transposed.
struct Matrices {
  Tensor held;
  const char* data;
  bool transposed;
  Size lead;     // numbers from row to row
  Shape strides;  // of the leading axes
};

Matrices matrices(Node* x) {
  const int rank = x->shape.rank();
  const Size rows = x->shape[rank - 2], columns = x->shape[rank - 1];
  Matrices m{share(x), nullptr, false, columns, strides_of(x)};
  const Size down = m.strides[rank - 2], across = m.strides[rank - 1];
  if ((across == 1 || columns == 1) && (down >= columns || rows == 1)) {
    m.lead = rows == 1 ? columns : down;
  } else if ((down == 1 || rows == 1) && across >= rows) {
    m.transposed = true;
    m.lead = across;
  } else {
    m = {dense(x), nullptr, false, columns, row_major_strides(x->shape)};
  }
  m.data = m.held.node()->data;
  return m;
}

}  // namespace

// z = x y:   gx = g y^T    gy = x^T g
void compute_matmul(Node* n) {
  Node *x = n->in[0], *y = n->in[1];
  const int rank = n->shape.rank();
  const Size m = n->shape[rank - 2], columns = n->shape[rank - 1], k = x->shape.back();
  const Matrices a = matrices(x), b = matrices(y);
  const Size item = item_size(n->dtype), batch = n->count / (m * columns);
  char* out = allocate(n);
  for (Size i = 0; i < batch; ++i) {
    Size at_a = 0, at_b = 0, rest = i;
    for (int axis = rank - 2; axis-- > 0;) {
      const Size index = rest % n->shape[axis];
      rest /= n->shape[axis];
      const int in_x = axis - (rank - x->shape.rank()), in_y = axis - (rank - y->shape.rank());
      if (in_x >= 0 && x->shape[in_x] != 1) at_a += index * a.strides[in_x];
      if (in_y >= 0 && y->shape[in_y] != 1) at_b += index * b.strides[in_y];
    }
    kernels::matmul(n->dtype, a.transposed, b.transposed, m, columns, k, a.data + at_a * item, a.lead,
                    b.data + at_b * item, b.lead, out + i * m * columns * item, columns);
  }
  n->data = out;
}
Tensor vjp_matmul(const Step& s, int i) {
  return i == 0 ? matmul(s.g, transpose(s.x(1))) : matmul(transpose(s.x(0)), s.g);
}

}  // namespace xgrad::engine

namespace xgrad {

using engine::operand;
using engine::source_of;

Tensor matmul(const In& x, const In& y) {
  const Source source = source_of(x);
  Tensor a = operand(x, "matmul"), b = operand(y, "matmul");
  if (const Shape &s = a.node()->shape, &t = b.node()->shape;
      s.rank() == 2 && t.rank() == 2 && s[1] == t[0] && a.node()->dtype == b.node()->dtype && is_float(a.node()->dtype)) {
    const Shape shape{s[0], t[1]};
    engine::checked_numel(shape, a.node()->dtype, "matmul", source);
    return engine::record(engine::Op::matmul, a.node()->dtype, shape, {a.node(), b.node()}, {}, source);
  }
  const Located at(x);
  const DType dtype = engine::meet(a, b, "matmul", source);
  if (!is_float(dtype)) fail(source, fmt::format("[matmul] expected floats, got {}; cast first", name(dtype)));
  a = engine::converted(a, dtype), b = engine::converted(b, dtype);
  const Shape sx = a.node()->shape, sy = b.node()->shape;
  if (sx.rank() == 0 || sy.rank() == 0)
    fail(source, fmt::format("[matmul] expected vectors or matrices, got {} x {}; * multiplies by a number", sx, sy));
  const Size inner = sy.rank() == 1 ? sy[0] : sy[sy.rank() - 2];
  if (sx.back() != inner) fail(source, fmt::format("[matmul] inner sizes differ: {} x {}", sx, sy));

  if (sx.rank() == 1) a = reshape(a, {1, sx[0]});
  if (sy.rank() == 1) b = reshape(b, {sy[0], 1});
  // many rows by one matrix: one product
  const bool rows = a.node()->shape.rank() > 2 && b.node()->shape.rank() == 2 && a.node()->count > 0;
  Shape shape;
  if (rows) {
    shape = a.node()->shape;
    shape[shape.rank() - 1] = b.node()->shape.back();
    a = reshape(a, {a.node()->count / inner, inner});
  }
  const Shape &ta = a.node()->shape, &tb = b.node()->shape;
  Shape lead_x = ta, lead_y = tb;
  lead_x.resize(ta.rank() - 2), lead_y.resize(tb.rank() - 2);
  Shape product = engine::broadcast(lead_x, lead_y, "matmul", source);
  product.push_back(ta[ta.rank() - 2]);
  product.push_back(tb.back());
  engine::checked_numel(product, dtype, "matmul", source);
  Tensor z = engine::record(engine::Op::matmul, dtype, product, {a.node(), b.node()}, {}, source);
  if (rows) z = reshape(z, shape);
  if (sx.rank() > 1 && sy.rank() > 1) return z;
  Shape squeezed = z.node()->shape;
  if (sy.rank() == 1) squeezed.erase(squeezed.rank() - 1);
  if (sx.rank() == 1) squeezed.erase(squeezed.rank() - (sy.rank() == 1 ? 1 : 2));
  return reshape(z, squeezed);
}

Tensor dot(const In& x, const In& y) {
  const Tensor a = operand(x, "dot"), b = operand(y, "dot");
  if (a.node()->shape.rank() != 1 || !(a.node()->shape == b.node()->shape))
    fail(source_of(x), fmt::format("[dot] expected two vectors of one length, got {} and {}", a.node()->shape, b.node()->shape));
  const Located at(x);
  return sum(a * b);
}

Tensor outer(const In& x, const In& y) {
  const Tensor a = operand(x, "outer"), b = operand(y, "outer");
  if (a.node()->shape.rank() != 1 || b.node()->shape.rank() != 1)
    fail(source_of(x), fmt::format("[outer] expected two vectors, got {} and {}", a.node()->shape, b.node()->shape));
  const Located at(x);
  return unsqueeze(a, 1) * unsqueeze(b, 0);
}

}  // namespace xgrad
