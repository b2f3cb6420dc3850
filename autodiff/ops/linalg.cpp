// Linear algebra, of square matrices in the last two axes; leading axes are batches. What a value can make impossible is
// computed where it is written, so that its Error names that line.
#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <limits>
#include <vector>

#include "autodiff/kernels/lapack.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad::engine {

namespace {

Size order_of(const Node* matrix) { return matrix->shape.back(); }

// f(i) for each of `count` matrices of order n; the first i for which it gives false, or -1.
template <class F>
Size each_matrix(Size count, Size n, const F& f) {
  constexpr double worth_a_job = 1 << 18;
  const double work = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
  const Size together = std::max<Size>(1, static_cast<Size>(worth_a_job / std::max(1.0, work)));
  std::atomic<Size> failed{count};
  share_out(count, together, [&](Size first, Size last) {
    for (Size i = first; i < last; ++i) {
      if (f(i)) continue;
      for (Size known = failed.load(); i < known && !failed.compare_exchange_weak(known, i);) {
      }
    }
  });
  return failed.load() < count ? failed.load() : -1;
}

Size matrices_in(const Node* x) { return order_of(x) == 0 ? 0 : x->count / (order_of(x) * order_of(x)); }

[[noreturn]] void fail_matrix(const Node* n, Size which, const Node* x, const char* what, const char* remedy) {
  fail(line_of(n, rule(n->op).name), "{}{} {}; {}", x->shape.rank() > 2 ? "matrix " : "the matrix",
       x->shape.rank() > 2 ? fmt::format("{} of the batch", which) : "", what, remedy);
}

// A copy of x's numbers as n's, f(matrix) of each. Where one fails, an Error.
template <class F>
void each_in_place(Node* n, const char* what, const char* remedy, const F& f) {
  const Tensor x = dense(n->in[0]);
  const Size item = item_size(n->dtype), size = order_of(n) * order_of(n) * item;
  char* out = allocate(n);
  std::memcpy(out, x.node()->data, static_cast<std::size_t>(n->count * item));
  const Size failed = each_matrix(matrices_in(n), order_of(n), [&](Size i) { return f(out + i * size); });
  if (failed >= 0) fail_matrix(n, failed, n, what, remedy);
  n->data = out;
}

// The matrices of the first operand, and the columns of the second, which are n's shape: f(matrix, columns) solves in place.
template <class F>
void each_system(Node* n, const char* what, const char* remedy, const F& f) {
  const Tensor a = dense(n->in[0]), b = dense(n->in[1]);
  const Size order = order_of(n->in[0]), row = order * item_size(n->dtype);
  char* out = allocate(n);
  std::memcpy(out, b.node()->data, static_cast<std::size_t>(n->count * item_size(n->dtype)));
  const Size count = n->count == 0 ? 0 : matrices_in(n->in[0]);
  const Size failed = each_matrix(
      count, order, [&](Size i) { return f(a.node()->data + i * order * row, out + i * n->shape.back() * row); });
  if (failed >= 0) fail_matrix(n, failed, n->in[0], what, remedy);
  n->data = out;
}

Tensor solved_triangular(const Tensor& t, const Tensor& b, bool lower, bool transposed, Source source) {
  return record(Op::solve_triangular, b.node()->dtype, b.node()->shape, {t.node(), b.node()},
                {{lower, transposed, 0, 0}}, source);
}
Tensor solved(const Tensor& a, const Tensor& b, bool transposed, Source source) {
  return record(Op::solve, b.node()->dtype, b.node()->shape, {a.node(), b.node()}, {{transposed, 0, 0, 0}}, source);
}
Tensor inverse(const Tensor& x, Source source) {
  return solved(x, expand_to(eye(order_of(x.node()), x.node()->dtype), x.node()->shape, source), false, source);
}
Tensor last_axes_added(const Tensor& x, int count) {
  Tensor y = x;
  for (int i = 0; i < count; ++i) y = unsqueeze(y, -1);
  return y;
}

}  // namespace

// x = y y^T:   gx = y^-T phi(y^T g) y^-1, phi: the lower triangle, half of the diagonal (Murray 2016, eq. 10)
void compute_cholesky(Node* n) {
  each_in_place(n, "is not positive definite", "add to its diagonal: x + 1e-6 * eye(n)",
                [&](char* a) { return kernels::cholesky(n->dtype, order_of(n), a); });
}
Tensors vjp_cholesky(const Step& s) {
  const Tensor y = s.y(), phi = tril(matmul(transpose(y), s.g)) * (1 - 0.5 * eye(order_of(s.n), s.n->dtype));
  const Tensor half = solved_triangular(y, phi, true, true, s.source());
  return {transpose(solved_triangular(y, transpose(half), true, true, s.source()))};
}

// op(T) y = b, op(T) being T or T^T, a = {lower, transposed}:   gb = op(T)^-T g    gT = the triangle of -gb y^T, or its transpose
void compute_solve_triangular(Node* n) {
  const Size order = order_of(n->in[0]), item = item_size(n->dtype);
  each_system(n, "has a 0 on its diagonal", "a triangular matrix with one is singular", [&](const char* t, char* b) {
    for (Size k = 0; k < order; ++k)
      if (read_number(n->dtype, t + k * (order + 1) * item) == 0) return false;
    kernels::triangular_solve(n->dtype, order, n->shape.back(), t, n->a[0], n->a[1], b);
    return true;
  });
}
Tensors vjp_solve_triangular(const Step& s) {
  const bool lower = s.a(0), transposed = s.a(1);
  const Tensor gb = solved_triangular(s.x(0), s.g, lower, !transposed, s.source());
  if (!s.wants(0)) return {Tensor(), gb};
  const Tensor gt = transposed ? matmul(s.y(), transpose(gb)) : matmul(gb, transpose(s.y()));
  return {-(lower ? tril(gt) : triu(gt)), gb};
}

// op(A) y = b, a = {transposed}:   gb = op(A)^-T g    gA = -gb y^T, or its transpose
void compute_solve(Node* n) {
  const Size order = order_of(n->in[0]), size = order * order * item_size(n->dtype);
  each_system(n, "is singular (a pivot of its LU factors is 0, or NaN)",
              "x + 1e-6 * eye(n) is regular where x is positive semi-definite", [&](const char* a, char* b) {
                std::vector<char> lu(a, a + size);
                std::vector<int> pivots(static_cast<std::size_t>(order));
                if (!kernels::lu(n->dtype, order, lu.data(), pivots.data())) return false;
                kernels::lu_solve(n->dtype, order, n->shape.back(), lu.data(), pivots.data(), n->a[0], b);
                return true;
              });
}

namespace {
// Systems of one matrix are one system, of the columns of all.
Tensor batch_of_systems(const Replayed& r) {
  if (r.each[0] || r.n->shape.rank() > 2) return batch_leading(r);
  const Size n = r.n->shape[0], columns = r.n->shape[1];
  const Tensor all = reshape_to(permute(r.in[1], {1, 0, 2}), {n, r.count * columns}, r.source());
  Node* const in[] = {r.in[0].node(), all.node()};
  const Tensor y = record(r.n->op, r.n->dtype, all.node()->shape, in, 2, args_of(r.n), r.source());
  return permute(reshape_to(y, {n, r.count, columns}, r.source()), {1, 0, 2});
}
}  // namespace
Tensor batch_solve(const Replayed& r) { return batch_of_systems(r); }
Tensor batch_solve_triangular(const Replayed& r) { return batch_of_systems(r); }

Tensors vjp_solve(const Step& s) {
  const bool transposed = s.a(0);
  const Tensor gb = solved(s.x(0), s.g, !transposed, s.source());
  if (!s.wants(0)) return {Tensor(), gb};
  return {-(transposed ? matmul(s.y(), transpose(gb)) : matmul(gb, transpose(s.y()))), gb};
}

namespace {
// f(determinant, place) of each matrix
template <class F>
void each_determinant(Node* n, const F& f) {
  const Tensor x = dense(n->in[0]);
  const Size order = order_of(n->in[0]), size = order * order * item_size(n->dtype);
  each_matrix(matrices_in(n->in[0]), order, [&](Size i) {
    const char* matrix = x.node()->data + i * size;
    std::vector<char> lu(matrix, matrix + size);
    std::vector<int> pivots(static_cast<std::size_t>(order));
    kernels::lu(n->dtype, order, lu.data(), pivots.data());
    f(kernels::lu_determinant(n->dtype, order, lu.data(), pivots.data()), i);
    return true;
  });
}
}  // namespace

// y = det x:   gx = g y x^-T
void compute_det(Node* n) {
  char* out = allocate(n);
  const Size item = item_size(n->dtype);
  for (Size i = 0; i < n->count; ++i) write_number(n->dtype, out + i * item, 1);  // of no rows
  each_determinant(n, [&](const kernels::Determinant& d, Size i) { write_number(n->dtype, out + i * item, d.value); });
  n->data = out;
}
Tensors vjp_det(const Step& s) { return {last_axes_added(s.g * s.y(), 2) * transpose(inverse(s.x(), s.source()))}; }

// y = (sign det x, log |det x|):   gx = g[1] x^-T
void compute_slogdet(Node* n) {
  char* out = allocate(n);
  const Size item = item_size(n->dtype);
  for (Size i = 0; i < n->count; ++i) write_number(n->dtype, out + i * item, i % 2 == 0 ? 1 : 0);
  each_determinant(n, [&](const kernels::Determinant& d, Size i) {
    write_number(n->dtype, out + 2 * i * item, d.sign);
    write_number(n->dtype, out + (2 * i + 1) * item, d.log);
  });
  n->data = out;
}
Tensors vjp_slogdet(const Step& s) {
  return {last_axes_added(xgrad::select(s.g, -1, 1), 2) * transpose(inverse(s.x(), s.source()))};
}

// x v = v diag(w), packed: w is row 0 of y, and v the others.
//   gx = v (diag(gw) + f o (v^T gv)) v^T,  f[i][j] = 1 / (w[j] - w[i]), 0 where they are equal (Giles 2008, 3.1)
void compute_eigh(Node* n) {
  const Tensor x = dense(n->in[0]);
  const Size order = order_of(n), item = item_size(n->dtype), size = order * order * item;
  char* out = allocate(n);
  const Size failed = each_matrix(matrices_in(n->in[0]), order, [&](Size i) {
    char* packed = out + i * (size + order * item);
    std::memcpy(packed + order * item, x.node()->data + i * size, static_cast<std::size_t>(size));
    return kernels::eigh(n->dtype, order, packed + order * item, packed);
  });
  if (failed >= 0)
    fail_matrix(n, failed, n->in[0], "has no eigenvalues that could be found", "look for NaN or infinities in it");
  n->data = out;
}
Tensors vjp_eigh(const Step& s) {
  const Tensor w = slice(s.y(), -2, 0, 1), v = slice(s.y(), -2, 1), gw = slice(s.g, -2, 0, 1), gv = slice(s.g, -2, 1);
  const Tensor apart = w - transpose(w), one = eye(order_of(s.n), s.n->dtype);
  const Tensor f = where(apart == 0, 0, reciprocal(where(apart == 0, 1, apart)));
  return {matmul(matmul(v, gw * one + f * matmul(transpose(v), gv)), transpose(v))};
}

}  // namespace xgrad::engine

namespace xgrad {

using engine::Op;
using engine::operand;
using engine::source_of;

namespace {

void require_matrices(const Shape& shape, const char* op, Source source) {
  if (shape.rank() < 2) fail(source.named(op), "expected a matrix, or a batch of them, got {}", shape);
}

// x of square matrices, of floats.
Tensor square_matrices(const In& x, const char* op) {
  Tensor t = operand(x, op);
  const Shape& shape = t.node()->shape;
  require_matrices(shape, op, source_of(x));
  if (shape.back() != shape[shape.rank() - 2])
    fail(source_of(x, op), "expected square matrices in the last two axes, got {}", shape);
  if (!is_float(t.node()->dtype))
    fail(source_of(x, op), "expected floats, got {}; cast first: cast(x, f64)", name(t.node()->dtype));
  return t;
}

Tensor symmetric_part(const Tensor& x) { return 0.5 * (x + transpose(x)); }

// Both with the batch axes that they meet in; a vector b as a column.
struct System {
  Tensor a, b;
  bool vector;
};
System system_of(const In& a_in, const In& b_in, const char* op) {
  const Source source = source_of(a_in);
  Tensor a = square_matrices(a_in, op), b = operand(b_in, op);
  const DType dtype = engine::meet(a, b, op, source);
  a = engine::converted(a, dtype), b = engine::converted(b, dtype);
  const bool vector = b.node()->shape.rank() == 1;
  if (b.node()->shape.rank() == 0 || b.node()->shape[vector ? 0 : b.node()->shape.rank() - 2] != a.node()->shape.back())
    fail(source.named(op), "expected b with as many rows as the matrix, a vector or [..., n, columns]; got {} and {}",
         a.node()->shape, b.node()->shape);
  if (vector) b = unsqueeze(b, -1);
  const auto batch_of = [](const Shape& s) {
    Shape batch = s;
    batch.resize(s.rank() - 2);
    return batch;
  };
  const Shape batch = engine::broadcast(batch_of(a.node()->shape), batch_of(b.node()->shape), op, source);
  const auto to_batch = [&](const Tensor& x) {
    Shape shape = batch;
    const Shape& own = x.node()->shape;
    shape.push_back(own[own.rank() - 2]);
    shape.push_back(own.back());
    engine::checked_numel(shape, dtype, op, source);
    return engine::expand_to(x, shape, source);
  };
  return {to_batch(a), to_batch(b), vector};
}

Tensor triangle(const In& x, At diagonal, bool lower, const char* op) {
  const Tensor t = operand(x, op);
  const Shape& shape = t.node()->shape;
  require_matrices(shape, op, source_of(x));
  const Located at(x, op);
  const Tensor i = unsqueeze(arange(shape[shape.rank() - 2]), 1), j = unsqueeze(arange(shape.back()), 0);
  const Tensor apart = j - i;
  return where(lower ? apart <= Size(diagonal) : apart >= Size(diagonal), t, zeros(Shape{}, t.node()->dtype));
}

}  // namespace

Tensor tril(const In& x, At diagonal) { return triangle(x, diagonal, true, "tril"); }
Tensor triu(const In& x, At diagonal) { return triangle(x, diagonal, false, "triu"); }

// Every (columns + 1)-th number of the matrix, from where the diagonal begins.
Tensor diagonal(const In& x, At offset) {
  const Tensor t = operand(x, "diagonal");
  const Shape& shape = t.node()->shape;
  require_matrices(shape, "diagonal", source_of(x));
  const Size rows = shape[shape.rank() - 2], columns = shape.back(), from = offset;
  const Size count = std::max<Size>(0, from >= 0 ? std::min(rows, columns - from) : std::min(rows + from, columns));
  const Located at(x, "diagonal");
  Shape flat = shape;
  flat.resize(shape.rank() - 2);
  flat.push_back(rows * columns);
  const Size begin = count == 0 ? 0 : from >= 0 ? from : -from * columns;
  return slice(reshape(t, flat), -1, begin, count == 0 ? 0 : begin + (count - 1) * (columns + 1) + 1, columns + 1);
}

Tensor trace(const In& x) {
  const Tensor t = operand(x, "trace");
  const Located at(x, "trace");
  return sum(diagonal(t), -1);
}

Tensor cholesky(const In& x) {
  const Tensor t = square_matrices(x, "cholesky");
  const Located at(x, "cholesky");
  const Tensor s = symmetric_part(t);
  return engine::record(Op::cholesky, s.node()->dtype, s.node()->shape, {s.node()}, {}, source_of(x));
}

Tensor solve_triangular(const In& t, const In& b, TriangularOptions options) {
  const Located at(t, "solve_triangular");
  const System s = system_of(t, b, "solve_triangular");
  const Tensor y = engine::solved_triangular(s.a, s.b, options.lower, options.transposed, source_of(t));
  return s.vector ? squeeze(y, -1) : y;
}

Tensor solve(const In& a, const In& b) {
  const Located at(a, "solve");
  const System s = system_of(a, b, "solve");
  const Tensor y = engine::solved(s.a, s.b, false, source_of(a));
  return s.vector ? squeeze(y, -1) : y;
}

Tensor inv(const In& x) {
  const Tensor t = square_matrices(x, "inv");
  const Located at(x, "inv");
  return engine::inverse(t, source_of(x));
}

namespace {
Tensor record_of_matrices(Op op, const Tensor& x, std::initializer_list<Size> last, Source source) {
  Shape shape = x.node()->shape;
  shape.resize(shape.rank() - 2);
  for (const Size extent : last) shape.push_back(extent);
  return engine::record(op, x.node()->dtype, shape, {x.node()}, {}, source);
}
}  // namespace

Tensor det(const In& x) { return record_of_matrices(Op::det, square_matrices(x, "det"), {}, source_of(x)); }

Tensors slogdet(const In& x) {
  const Tensor t = square_matrices(x, "slogdet");
  const Located at(x, "slogdet");
  const Tensor both = record_of_matrices(Op::slogdet, t, {2}, source_of(x));
  return {select(both, -1, 0), select(both, -1, 1)};
}

Tensor logdet(const In& x) {
  const Tensor t = square_matrices(x, "logdet");
  const Located at(x, "logdet");
  const Tensors both = slogdet(t);
  return where(both[0] < 0, std::numeric_limits<double>::quiet_NaN(), both[1]);
}

Tensors eigh(const In& x) {
  const Tensor t = square_matrices(x, "eigh");
  const Located at(x, "eigh");
  const Size n = t.node()->shape.back();
  const Tensor packed = record_of_matrices(Op::eigh, symmetric_part(t), {n + 1, n}, source_of(x));
  return {select(packed, -2, 0), slice(packed, -2, 1)};
}

}  // namespace xgrad
