// Products of vectors, matrices and batches of matrices.
#include "autodiff/kernels/matmul.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "autodiff/parallel.hpp"
#include "autodiff/ops/matrices.hpp"

namespace xgrad::engine {

// The library's bits may depend on whether an operand is read by rows or by columns. Which one is fixed when the product
// is recorded; what lies otherwise in memory (a flipped view, a constant, a copy that somebody's look has made) is copied.
Matrices matrices(Node* x, bool transposed, bool by_columns) {
  const int rank = x->shape.rank();
  const Size rows = x->shape[rank - 2], columns = x->shape[rank - 1];
  const bool turn = by_columns != transposed;  // x is to be read by its columns
  if (rank == 2 && x->row_major() && !turn) return {{}, x->data, transposed, columns, {}};
  Matrices m{{}, x->data, by_columns, 0, strides_of(x)};
  const Size down = m.strides[rank - 2], across = m.strides[rank - 1];
  if (!turn && (across == 1 || columns == 1) && (down >= columns || rows == 1)) {
    m.lead = rows == 1 ? columns : down;
  } else if (turn && (down == 1 || rows == 1) && (across >= rows || columns == 1)) {
    m.lead = columns == 1 ? rows : across;
  } else {
    m.copy = turn ? dense_transposed(x) : dense(x);
    m.data = m.copy.node()->data;
    m.lead = turn ? rows : columns;
    m.strides = row_major_strides(x->shape);  // of leading axes: the same either way
  }
  return m;
}

Shape order_of(const Node* y) {
  const int rank = y->shape.rank();
  if (!y->has(strided)) return {};
  const Shape& strides = y->strides();
  Shape order = strides;
  for (int i = 0; i < rank; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](Size i, Size k) { return strides[static_cast<int>(i)] > strides[static_cast<int>(k)]; });
  return order.back() == rank - 1 && strides.back() == 1 ? order : Shape();
}

Shape strides_in(const Node* z, const Shape& order) {
  constexpr Size few = static_cast<Size>(inline_bytes) / static_cast<Size>(sizeof(float));
  if (order.empty() || z->count <= few) return {};
  Shape strides = order;
  Size step = 1;
  for (int i = order.rank(); i-- > 0;) {
    const int axis = static_cast<int>(order[i]);
    strides[axis] = step, step *= z->shape[axis];
  }
  return strides == row_major_strides(z->shape) ? Shape() : strides;
}

Shape strides_like(const Node* z, const Node* y) {
  const int rank = z->shape.rank();
  if (y->shape.rank() != rank) return {};
  for (int i = 0; i < rank - 2; ++i)
    if (y->shape[i] != z->shape[i]) return {};
  return strides_in(z, order_of(y));
}

void lies_at(Node* n, Shape&& strides) {
  new (n->local) Shape(std::move(strides));
  n->flags |= strided;
}

namespace {

// The product of x and y, each transposed first where its flag says so, kept in a; with a row that is added, or none.
Tensor product(Node* x, bool tx, Node* y, bool ty, Source source, Node* row = nullptr) {
  const Shape &a = x->shape, &b = y->shape;
  const int ra = a.rank(), rb = b.rank();
  const Size rows = a[ra - (tx ? 1 : 2)], columns = b[rb - (ty ? 2 : 1)];
  Shape shape{rows, columns};
  if (ra > 2 || rb > 2) {
    Shape lead_x = a, lead_y = b;
    lead_x.resize(ra - 2), lead_y.resize(rb - 2);
    shape = broadcast(lead_x, lead_y, "matmul", source);
    shape.push_back(rows);
    shape.push_back(columns);
  }
  checked_numel(shape, x->dtype, "matmul", source);
  Node* const in[] = {x, y, row};
  const Args args{{tx, ty, tx != x->has(turned), ty != y->has(turned)}};
  return record(Op::matmul, x->dtype, shape, in, row ? 3 : 2, args, source);
}
Tensor product(const Tensor& x, bool tx, const Tensor& y, bool ty, Source source) {
  return product(x.node(), tx, y.node(), ty, source);
}

// An operand that is a transpose of matrices is taken as it was before, but where somebody may ask for the gradient by
// the transpose itself.
Tensor untransposed(const Tensor& x, const In& in, bool& transposed) {
  Node* n = x.node();
  if (n->op != Op::permute || n->inputs == 0 || !swaps_last_axes(n)) return x;
  constexpr unsigned ours = 2;  // handles: the temporary, and x
  const bool nobody_has_it = in.is_temporary() && n->refs <= ours && n->shared().load(std::memory_order_relaxed) == 0;
  if (n->has(needs_grad) ? !nobody_has_it : n->in[0]->has(needs_grad)) return x;  // the latter: cut by NoGrad
  transposed = true;
  return share(n->in[0]);
}

}  // namespace

// z = x y, or x y + row; a = {x is transposed, y is, x is read by columns, y is}:   gx = g y^T    gy = x^T g    g_row = g
void compute_matmul(Node* n) {
  Node *x = n->in[0], *y = n->in[1];
  const int rank = n->shape.rank();
  const Size m = n->shape[rank - 2], columns = n->shape[rank - 1];
  const Size k = x->shape[x->shape.rank() - (n->a[0] ? 2 : 1)];
  const Matrices a = matrices(x, n->a[0], n->a[2]), b = matrices(y, n->a[1], n->a[3]);
  Shape to = rank > 2 && !n->a[1] && !n->a[3] ? strides_like(n, y) : Shape();
  char* out = allocate(n);
  if (n->inputs == 3) {
    Node* row = n->in[2];
    const Tensor copy = row->row_major() ? Tensor() : dense(row);
    if (copy.defined()) row = copy.node();
    kernels::matmul_plus(n->dtype, a.transposed, b.transposed, m, columns, k, a.data, a.lead, b.data, b.lead, row->data,
                         out, columns);
    n->data = out;
    return;
  }
  if (rank == 2) {
    kernels::matmul(n->dtype, a.transposed, b.transposed, m, columns, k, a.data, a.lead, b.data, b.lead, out, columns);
    n->data = out;
    return;
  }
  const bool as_y = !to.empty();
  if (!as_y) to = row_major_strides(n->shape);
  const Size item = item_size(n->dtype), batch = n->count / (m * columns);
  const auto one = [&](Size i) {
    Size at = 0, at_a = 0, at_b = 0, rest = i;
    for (int axis = rank - 2; axis-- > 0;) {
      const Size index = rest % n->shape[axis];
      rest /= n->shape[axis];
      at += index * to[axis];
      const int in_x = axis - (rank - x->shape.rank()), in_y = axis - (rank - y->shape.rank());
      if (in_x >= 0 && x->shape[in_x] != 1) at_a += index * a.strides[in_x];
      if (in_y >= 0 && y->shape[in_y] != 1) at_b += index * b.strides[in_y];
    }
    kernels::matmul(n->dtype, a.transposed, b.transposed, m, columns, k, a.data + at_a * item, a.lead,
                    b.data + at_b * item, b.lead, out + at * item, to[rank - 2]);
  };
  // Many small products are shared among the threads; a large one shares itself.
  constexpr double worth_a_job = 1 << 18;
  const double work = static_cast<double>(m) * static_cast<double>(columns) * static_cast<double>(std::max<Size>(k, 1));
  const Size together = std::max<Size>(1, static_cast<Size>(worth_a_job / work)),
             jobs = (batch + together - 1) / together;
  if (jobs < 2 || work > 8 * worth_a_job) {
    for (Size i = 0; i < batch; ++i) one(i);
  } else {
    parallel_for(jobs, [&](Size job) {
      for (Size i = job * together; i < std::min(batch, (job + 1) * together); ++i) one(i);
    });
  }
  if (as_y) lies_at(n, std::move(to));
  n->data = out;
}
Tensors vjp_matmul(const Step& s) {
  const bool tx = s.a(0), ty = s.a(1);
  Tensor gx, gy;
  if (s.wants(0)) gx = tx ? product(s.x(1), ty, s.g, true, s.source()) : product(s.g, false, s.x(1), !ty, s.source());
  if (s.wants(1)) gy = ty ? product(s.g, true, s.x(0), tx, s.source()) : product(s.x(0), !tx, s.g, false, s.source());
  return {gx, gy, s.g};
}

namespace {

// The rows of many matrices x[i], or of their transposes, below each other.
Tensor rows_of(const Tensor& x, bool transposed, Source source) {
  const Shape& shape = x.node()->shape;
  const Size many = shape[0], rows = shape[transposed ? 2 : 1], inner = shape[transposed ? 1 : 2];
  const bool alike = !transposed || rows == 1 || inner == 1;  // the transpose has the same numbers in the same order
  return reshape_to(alike ? x : transpose(x), {many * rows, inner}, source);
}

// x with as many axes for batches as `rank` has, and one in front of them where `each` of many examples has its own.
Tensor with_batch_axes(const Tensor& x, bool each, int rank, Source source) {
  Shape shape = x.node()->shape;
  if (!each) return x;
  while (shape.rank() < rank + 1) shape.insert(1, 1);
  return reshape_to(x, shape, source);
}

}  // namespace

// Where one of the operands is the same for all, rows of all examples are one product.
Tensor batch_matmul(const Replayed& r) {
  const Source source = r.source();
  const bool tx = r.n->a[0], ty = r.n->a[1];
  const Tensor &x = r.in[0], &y = r.in[1];
  const int rank = r.n->shape.rank();
  const Size rows = r.n->shape[rank - 2], columns = r.n->shape[rank - 1];
  Tensor z;
  if (rank == 2 && r.each[0] && !r.each[1]) {
    z = reshape_to(product(rows_of(x, tx, source), false, y, ty, source), r.shape(), source);
  } else if (rank == 2 && r.each[1] && !r.each[0]) {
    z = reshape_to(product(rows_of(y, !ty, source), false, x, !tx, source), {r.count, columns, rows}, source);
    z = rows == 1 || columns == 1 ? reshape_to(z, r.shape(), source) : transpose(z);
  } else if (!r.each[0] && !r.each[1]) {
    z = expand_to(product(x, tx, y, ty, source), r.shape(), source);
  } else {
    z = product(with_batch_axes(x, r.each[0], rank, source), tx, with_batch_axes(y, r.each[1], rank, source), ty,
                source);
  }
  if (r.n->inputs < 3) return z;
  return z + (r.each[2] ? unsqueeze(r.in[2], 1) : r.in[2]);
}

}  // namespace xgrad::engine

namespace xgrad {

using engine::Node;
using engine::operand;
using engine::source_of;

Tensor matmul(const In& x, const In& y) {
  const Source source = source_of(x, "matmul");
  Tensor a = operand(x, "matmul"), b = operand(y, "matmul");
  const Shape &sx = a.node()->shape, &sy = b.node()->shape;
  if (sx.rank() == 0 || sy.rank() == 0)
    fail(source, "expected vectors or matrices, got {} x {}; * multiplies by a number", sx, sy);
  const Size inner = sy.rank() == 1 ? sy[0] : sy[sy.rank() - 2];
  if (sx.back() != inner) fail(source, "inner sizes differ: {} x {}", sx, sy);
  const DType dtype = engine::meet(a, b, "matmul", source);
  if (!is_float(dtype)) fail(source, "expected floats, got {}; cast first: cast(x, f32)", name(dtype));
  if (a.node()->dtype != dtype || b.node()->dtype != dtype) {
    const Located at(source);
    return matmul(engine::converted(a, dtype), engine::converted(b, dtype));
  }
  // vectors are matrices of one row or column; many rows by one matrix are one product
  const bool vector_x = sx.rank() == 1, vector_y = sy.rank() == 1;
  const bool rows = sx.rank() > 2 && sy.rank() == 2 && a.node()->count > 0;
  if (vector_x || vector_y || rows) {
    const Located at(source);
    Shape shape = sx;
    shape.resize(sx.rank() - 1);
    if (rows) {
      shape.push_back(sy[1]);
      return reshape(matmul(reshape(a, {a.node()->count / inner, inner}), b), shape);
    }
    const Tensor z = matmul(vector_x ? reshape(a, {1, inner}) : a, vector_y ? reshape(b, {inner, 1}) : b);
    shape = z.node()->shape;
    if (vector_y) shape.erase(shape.rank() - 1);
    if (vector_x) shape.erase(shape.rank() - (vector_y ? 1 : 2));
    return reshape(z, shape);
  }
  bool tx = false, ty = false;
  a = engine::untransposed(a, x, tx);
  b = engine::untransposed(b, y, ty);
  return engine::product(a, tx, b, ty, source);
}

// y = x w^T + b
Tensor linear(const In& x, const In& weight, const In& bias) {
  const Source source = source_of(x, "linear");
  // The weight is not counted once more for nothing: threads may share it.
  const Tensor a = operand(x, "linear"), number = weight.node() ? Tensor() : operand(weight, "linear");
  Node *w = number.defined() ? number.node() : weight.node(), *b = bias.node();
  const Shape &sx = a.node()->shape, &sw = w->shape;
  if (sx.rank() == 0 || sw.rank() != 2 || sx.back() != sw[1])
    fail(source, "expected x [..., in] and a weight [out, in], got {} and {}", sx, sw);
  if (!is_float(engine::meet(a, weight, "linear", source)))
    fail(source, "expected floats, got {}; cast first: cast(x, f32)", name(w->dtype));
  if (bias.is_number() || (b && b->shape != Shape{sw[0]}))
    fail(source, "expected a bias [{}] for the weight {}, got {}", sw[0], sw,
         b ? fmt::format("{}", b->shape) : "a number");
  if (b) engine::meet(weight, bias, "linear", source);
  const Located at(source, "linear");
  if (sx.rank() > 2) {  // one product of matrices, not a batch of them
    Shape shape = sx;
    shape.resize(sx.rank() - 1);
    const Size rows = shape.numel();
    shape.push_back(sw[0]);
    return reshape(linear(reshape(a, {rows, sx.back()}), weight, bias), shape);
  }
  const DType dtype = a.node()->dtype;
  const auto plain = [&](Node* n) { return n->dtype == dtype && is_float(dtype); };
  if (sx.rank() == 2 && plain(w) && (!b || plain(b))) {
    if (!b || kernels::takes_row(sx[0], sw[0])) return engine::product(a.node(), false, w, true, source, b);
    return engine::product(a.node(), false, w, true, source) + bias;
  }
  const Tensor z = matmul(a, transpose(weight));
  return b ? z + bias : z;
}

Tensor dot(const In& x, const In& y) {
  const Tensor a = operand(x, "dot"), b = operand(y, "dot");
  if (a.node()->shape.rank() != 1 || !(a.node()->shape == b.node()->shape))
    fail(source_of(x, "dot"), "expected two vectors of one length, got {} and {}", a.node()->shape, b.node()->shape);
  const Located at(x, "dot");
  return sum(a * b);
}

Tensor outer(const In& x, const In& y) {
  const Tensor a = operand(x, "outer"), b = operand(y, "outer");
  if (a.node()->shape.rank() != 1 || b.node()->shape.rank() != 1)
    fail(source_of(x, "outer"), "expected two vectors, got {} and {}", a.node()->shape, b.node()->shape);
  const Located at(x, "outer");
  return unsqueeze(a, 1) * unsqueeze(b, 0);
}

}  // namespace xgrad
