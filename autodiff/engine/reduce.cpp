#include "autodiff/engine/reduce.hpp"

#include <cstring>
#include <numeric>

#include "autodiff/engine/strided.hpp"
#include "autodiff/kernels/rows.hpp"
#include "autodiff/kernels/threads.hpp"

namespace xgrad::engine {

Reduced reduced(Node* n) {
  const Shape& s = n->in[0]->shape;
  Reduced r{1, 1, 1, reduction_of(n->op)};
  for (int i = 0; i < s.rank(); ++i) (i < n->a[0] ? r.outer : i < n->a[1] ? r.length : r.inner) *= s[i];
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

void add_rows(Thread& t, DType dtype, char* sums, const char* x, Size rows, Size columns) {
  if (is_float(dtype)) return kernels::add_rows(dtype, sums, x, rows, columns);
  const kernels::Kernel add = kernels_of(*t.kernels, Op::add, dtype)[0];
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

void reduce_rows(const Node* n, const Reduced& r, const Folding& fold, char* out, const Elements& x, Size item) {
  // y = the elements of x from `start` reduced, chunk by chunk
  const auto fold_row = [&](char* y, Size start, char* partials) {
    alignas(64) Elements::Scratch scratch;
    if (r.length <= chunk) return fold(y, x.at(start, r.length, scratch), r.length);
    const Size parts = partials_of(r.length);
    for (Size k = 0; k < parts; ++k) {
      const Size some = std::min(chunk, r.length - k * chunk);
      fold(partials + k * item, x.at(start + k * chunk, some, scratch), some);
    }
    fold_partials(fold, y, partials, parts, item);
  };
  if (r.length <= chunk && r.outer * r.length <= 65536) {
    for (Size i = 0; i < r.outer; ++i) fold_row(out + i * item, i * r.length, nullptr);
    return;
  }
  if (r.outer == 1 && r.length > chunk) {  // one long row: its chunks side by side
    const Size parts = partials_of(r.length), together = 64;
    Buffer partials(parts * item, n);
    kernels::parallel((parts + together - 1) / together, [&](Size job) {
      alignas(64) Elements::Scratch scratch;
      for (Size k = job * together; k < std::min(parts, (job + 1) * together); ++k) {
        const Size some = std::min(chunk, r.length - k * chunk);
        fold(partials.data + k * item, x.at(k * chunk, some, scratch), some);
      }
    });
    return fold_partials(fold, out, partials.data, parts, item);
  }
  const Size together = std::max<Size>(1, 65536 / std::max<Size>(1, r.length)), parts = partials_of(r.length);
  const Size jobs = (r.outer + together - 1) / together;
  Buffer partials(jobs * parts * item, n);
  kernels::parallel(jobs, [&](Size job) {
    for (Size i = job * together; i < std::min(r.outer, (job + 1) * together); ++i)
      fold_row(out + i * item, i * r.length, partials.data + job * parts * item);
  });
}

// f(rows, numbers, first column, columns) for rows of `columns` elements from `start`, in order: many short ones at a
// time, or parts of a long one. Where they lie as they are, all at once.
template <class F>
void each_block(const Elements& x, Size start, Size rows, Size columns, const F& f) {
  if (x.in_place()) return f(rows, x.at(start, 0, nullptr), Size{0}, columns);
  alignas(64) Elements::Scratch scratch;
  const Size together = std::max<Size>(1, Elements::block / std::max<Size>(1, columns));
  for (Size r = 0; r < rows; r += together) {
    const Size some = std::min(together, rows - r);
    for (Size c = 0; c < columns; c += Elements::block) {
      const Size width = std::min(Elements::block, columns - c);
      f(some, x.at(start + r * columns + c, some * width, scratch), c, width);
    }
  }
}

void sum_columns(Thread& t, const Node* n, const Reduced& r, char* out, const Elements& x, Size start, Size item) {
  const Size unit = unit_rows(r.inner), units = (r.length + unit - 1) / unit;
  const auto bytes = static_cast<std::size_t>(r.inner * item);
  const auto add_to = [&](char* sums, Size first, Size rows) {
    std::memset(sums, 0, bytes);
    each_block(x, start + first * r.inner, rows, r.inner, [&](Size some, const char* at, Size column, Size width) {
      add_rows(t, n->dtype, sums + column * item, at, some, width);
    });
  };
  if (units == 1) return add_to(out, 0, r.length);
  Buffer sums(units * r.inner * item, n);
  kernels::parallel(units, [&](Size u) {
    add_to(sums.data + u * r.inner * item, u * unit, std::min(unit, r.length - u * unit));
  });
  std::memset(out, 0, bytes);
  add_rows(t, n->dtype, out, sums.data, units, r.inner);
}

void extreme_columns(Thread& t, const Node* n, const Reduced& r, char* out, const Elements& x, Size start, Size item) {
  const kernels::Kernel pick = kernels_of(*t.kernels, combining(r.kind), n->dtype)[0];
  each_block(x, start, 1, r.inner, [&](Size, const char* at, Size column, Size width) {
    std::memcpy(out + column * item, at, static_cast<std::size_t>(width * item));
  });
  each_block(x, start + r.inner, r.length - 1, r.inner, [&](Size rows, const char* at, Size column, Size width) {
    char* to = out + column * item;
    for (Size i = 0; i < rows; ++i) pick(to, to, at + i * width * item, nullptr, width);
  });
}

}  // namespace

void reduce(Thread& t, Node* n) {
  const Reduced r = reduced(n);
  const Size item = item_size(n->dtype);
  if (r.length == 0 || n->count == 0) {  // only sums get here, or what has no results
    n->data = static_cast<char*>(std::memset(allocate(n), 0, static_cast<std::size_t>(n->count * item)));
    return;
  }
  const Elements x(n->in[0], n->dtype);
  char* out = allocate(n);
  const Unfinished guard{n, out};
  if (r.rows()) {
    reduce_rows(n, r, folding(t, r.kind, n->dtype), out, x, item);
  } else {
    for (Size o = 0; o < r.outer; ++o) {
      char* to = out + o * r.inner * item;
      const Size start = o * r.length * r.inner;
      if (r.kind == kernels::Reduction::sum) sum_columns(t, n, r, to, x, start, item);
      else extreme_columns(t, n, r, to, x, start, item);
    }
  }
  n->data = out;
}

}  // namespace xgrad::engine
