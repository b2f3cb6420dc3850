#include "autodiff/engine/reduce.hpp"

#include <cstring>
#include <numeric>

#include "autodiff/engine/strided.hpp"
#include "autodiff/kernels/rows.hpp"
#include "autodiff/kernels/threads.hpp"

namespace xgrad::engine {

Reduced reduced(Node* n) {
  const Shape& s = n->in[0]->shape;
  Reduced r{1, 1, 1, kernels::Reduction::sum};
  for (int i = 0; i < s.rank(); ++i) (i < n->a[0] ? r.outer : i < n->a[1] ? r.length : r.inner) *= s[i];
  if (n->op == Op::greatest) r.kind = kernels::Reduction::greatest;
  if (n->op == Op::least) r.kind = kernels::Reduction::least;
  return r;
}

Size unit_rows(Size columns) {
  const Size step = chunk / std::gcd(columns, chunk);
  return std::max<Size>(1, (65536 / columns + step - 1) / step) * step;
}

Folding folding(const Thread& t, kernels::Reduction kind, DType dtype) {
  return {t.kernels->fold[static_cast<int>(kind)][static_cast<int>(dtype)], dtype,
          kind == kernels::Reduction::sum && is_float(dtype)};
}

void fold_partials(const Folding& fold, char* y, char* x, Size n, Size item) {
  while (n > chunk) {
    const Size parts = partials_of(n);
    for (Size k = 0; k < parts; ++k) fold(x + k * item, x + k * chunk * item, std::min(chunk, n - k * chunk));
    n = parts;
  }
  if (n == 1) std::memcpy(y, x, static_cast<std::size_t>(item));
  else fold(y, x, n);
}

void fold_row(const Folding& fold, char* y, const char* x, Size n, Size item, char* partials) {
  if (n <= chunk) return fold(y, x, n);
  const Size parts = partials_of(n);
  for (Size k = 0; k < parts; ++k) fold(partials + k * item, x + k * chunk * item, std::min(chunk, n - k * chunk));
  fold_partials(fold, y, partials, parts, item);
}

void add_rows(Thread& t, DType dtype, char* sums, const char* x, Size rows, Size columns) {
  if (is_float(dtype)) return kernels::add_rows(dtype, sums, x, rows, columns);
  const kernels::Kernel add = t.kernels->elementwise[static_cast<int>(Op::add) - 1][static_cast<int>(dtype)][0];
  for (Size r = 0; r < rows; ++r) add(sums, sums, x + r * columns * item_size(dtype), nullptr, columns);
}

namespace {

struct Buffer {
  std::uint8_t pool;
  char* data;
  Buffer(Size bytes, const Node* n)
      : data(take_buffer(static_cast<std::size_t>(bytes), pool, rule(n->op).name, {n->file, n->line})) {}
  ~Buffer() { give_buffer(data, pool); }
};

void reduce_rows(const Node* n, const Reduced& r, const Folding& fold, char* out, const char* x, Size item) {
  if (r.length <= chunk && r.outer * r.length <= 65536) {
    for (Size i = 0; i < r.outer; ++i) fold(out + i * item, x + i * r.length * item, r.length);
    return;
  }
  if (r.outer == 1 && r.length > chunk) {  // one long row: its chunks side by side
    const Size parts = partials_of(r.length), together = 64;
    Buffer partials(parts * item, n);
    kernels::parallel((parts + together - 1) / together, [&](Size job) {
      for (Size k = job * together; k < std::min(parts, (job + 1) * together); ++k)
        fold(partials.data + k * item, x + k * chunk * item, std::min(chunk, r.length - k * chunk));
    });
    return fold_partials(fold, out, partials.data, parts, item);
  }
  const Size together = std::max<Size>(1, 65536 / std::max<Size>(1, r.length)), parts = partials_of(r.length);
  const Size jobs = (r.outer + together - 1) / together;
  Buffer partials(jobs * parts * item, n);
  kernels::parallel(jobs, [&](Size job) {
    for (Size i = job * together; i < std::min(r.outer, (job + 1) * together); ++i)
      fold_row(fold, out + i * item, x + i * r.length * item, r.length, item, partials.data + job * parts * item);
  });
}

void sum_columns(Thread& t, const Node* n, const Reduced& r, DType dtype, char* out, const char* x, Size item) {
  const Size unit = unit_rows(r.inner), units = (r.length + unit - 1) / unit;
  const auto bytes = static_cast<std::size_t>(r.inner * item);
  if (units == 1) {
    std::memset(out, 0, bytes);
    return add_rows(t, dtype, out, x, r.length, r.inner);
  }
  Buffer sums(units * r.inner * item, n);
  kernels::parallel(units, [&](Size u) {
    char* own = sums.data + u * r.inner * item;
    std::memset(own, 0, bytes);
    add_rows(t, dtype, own, x + u * unit * r.inner * item, std::min(unit, r.length - u * unit), r.inner);
  });
  std::memset(out, 0, bytes);
  add_rows(t, dtype, out, sums.data, units, r.inner);
}

void extreme_columns(Thread& t, const Reduced& r, DType dtype, char* out, const char* x, Size item) {
  const Op op = r.kind == kernels::Reduction::greatest ? Op::maximum : Op::minimum;
  const kernels::Kernel pick = t.kernels->elementwise[static_cast<int>(op) - 1][static_cast<int>(dtype)][0];
  std::memcpy(out, x, static_cast<std::size_t>(r.inner * item));
  for (Size i = 1; i < r.length; ++i) pick(out, out, x + i * r.inner * item, nullptr, r.inner);
}

}  // namespace

void reduce(Thread& t, Node* n) {
  const Reduced r = reduced(n);
  const Size item = item_size(n->dtype);
  if (r.length == 0) {  // only sums get here
    n->data = static_cast<char*>(std::memset(allocate(n), 0, static_cast<std::size_t>(n->count * item)));
    return;
  }
  const Tensor x = dense(n->in[0]);
  char* out = allocate(n);
  const Unfinished guard{n, out};
  const char* from = x.node()->data;
  const Folding fold = folding(t, r.kind, n->dtype);
  if (r.rows()) {
    reduce_rows(n, r, fold, out, from, item);
  } else {
    for (Size o = 0; o < r.outer; ++o) {
      char* to = out + o * r.inner * item;
      const char* block = from + o * r.length * r.inner * item;
      if (r.kind == kernels::Reduction::sum) sum_columns(t, n, r, n->dtype, to, block, item);
      else extreme_columns(t, r, n->dtype, to, block, item);
    }
  }
  n->data = out;
}

}  // namespace xgrad::engine
