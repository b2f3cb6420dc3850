#include "autodiff/engine/reduce.hpp"

#include <cstring>
#include <numeric>

#include "autodiff/engine/strided.hpp"
#include "autodiff/kernels/rows.hpp"
#include "autodiff/engine/nodes.hpp"
#include "autodiff/parallel.hpp"

namespace xgrad::engine {

Reduced reduced(Node* n) {
  const Shape& s = n->in[0]->shape;
  Reduced r{1, 1, 1, reduction_of(n->op)};
  for (int i = 0; i < s.rank(); ++i) (i < n->a[0] ? r.outer : i < n->a[1] ? r.length : r.inner) *= s[i];
  return r;
}

Units units_of(Size rows, Size columns) {
  constexpr Size most = 128, narrow = 32, about = 65536;
  const Size all = rows * columns;
  if (rows <= most) return {columns, columns, all, all, 1};
  Size step = columns, steps = most;
  while (step < narrow) step *= 2;
  while (steps > 4 && steps * step > about) steps /= 2;
  const Size unit = steps * step, aligned = std::lcm(unit, chunk);
  const Size job = std::max<Size>(1, about / aligned) * aligned;  // NOLINT(*DivideZero): none is 0, as columns is not
  return {columns, step, unit, job, (all + job - 1) / job};
}

Folding folding(const kernels::Table& kernels, kernels::Reduction kind, DType dtype) {
  return {kernels.fold[static_cast<int>(kind)][static_cast<int>(dtype)], dtype,
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

namespace {

// sums[c] += x[r][c], row by row.
void add_rows(ThreadState& t, DType dtype, char* sums, const char* x, Size rows, Size columns) {
  if (is_float(dtype) && rows > 1) return kernels::add_rows(dtype, sums, x, rows, columns);
  const kernels::Kernel add = kernels_of(*t.kernels, Op::add, dtype)[0];
  for (Size r = 0; r < rows; ++r) add(sums, sums, x + r * columns * item_size(dtype), nullptr, columns);
}

}  // namespace

void add_to_job(ThreadState& t, DType dtype, const Units& u, char* total, char* running, const char* x, Size at, Size n,
                Size length) {
  const Size item = item_size(dtype), step = u.step;
  const auto bytes = static_cast<std::size_t>(step * item);
  if (at == 0) std::memset(total, 0, bytes);
  char* sums = u.alone() ? total : running;
  for (Size in_unit = at % u.unit; n > 0; in_unit = 0) {
    if (in_unit == 0 && !u.alone()) std::memset(running, 0, bytes);
    Size left = std::min(n, u.unit - in_unit);
    n -= left;
    at += left;
    const bool ends = in_unit + left == u.unit || at == length;
    if (const Size column = in_unit ? in_unit % step : 0) {
      const Size part = std::min(step - column, left);
      add_rows(t, dtype, sums + column * item, x, 1, part);
      x += part * item;
      left -= part;
    }
    const Size steps = left / step, rest = left - steps * step;
    if (steps) add_rows(t, dtype, sums, x, steps, step);
    x += steps * step * item;
    if (rest) add_rows(t, dtype, sums, x, 1, rest);
    x += rest * item;
    if (ends && !u.alone()) add_rows(t, dtype, total, running, 1, step);
  }
}

void add_totals(ThreadState& t, DType dtype, char* y, char* gathered, const Units& units) {
  const Size item = item_size(dtype);
  char *room = gathered + units.jobs * units.step * item, *running = room + units.step * item;
  Size rows = units.rows_left();
  while (rows > 1) {
    const Units u = units_of(rows, units.columns);
    const Size all = rows * units.columns;
    for (Size j = 0; j < u.jobs; ++j) {
      const Size length = std::min(u.job, all - j * u.job);
      add_to_job(t, dtype, u, room, running, gathered + j * u.job * item, 0, length, length);
      std::memcpy(gathered + j * u.step * item, room, static_cast<std::size_t>(u.step * item));
    }
    rows = u.rows_left();
  }
  std::memcpy(y, gathered, static_cast<std::size_t>(units.columns * item));
}

namespace {

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
  const auto fold_some = [&](Size first, Size last, char* partials) {
    if (r.length <= chunk && x.in_place())
      return fold.rows(out + first * item, x.at(first * r.length, 0, nullptr), last - first, r.length);
    for (Size i = first; i < last; ++i) fold_row(out + i * item, i * r.length, partials);
  };
  if (r.length <= chunk && r.outer * r.length <= 65536) return fold_some(0, r.outer, nullptr);
  if (r.outer == 1 && r.length > chunk) {  // one long row: its chunks side by side
    const Size parts = partials_of(r.length), together = 64;
    Buffer partials(parts * item, n);
    parallel_for((parts + together - 1) / together, [&](Size job) {
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
  parallel_for(jobs, [&](Size job) {
    fold_some(job * together, std::min(r.outer, (job + 1) * together), partials.data + job * parts * item);
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

void sum_columns(ThreadState& t, const Node* n, const Reduced& r, char* out, const Elements& x, Size start, Size item) {
  const Units u = units_of(r.length, r.inner);
  const Size all = r.length * r.inner;
  const auto add_job = [&](char* total, char* running, Size first) {
    const Size length = std::min(u.job, all - first);
    if (x.in_place())
      return add_to_job(t, n->dtype, u, total, running, x.at(start + first, 0, nullptr), 0, length, length);
    alignas(64) Elements::Scratch scratch;
    for (Size at = 0; at < length; at += Elements::block) {
      const Size some = std::min(Elements::block, length - at);
      add_to_job(t, n->dtype, u, total, running, x.at(start + first + at, some, scratch), at, some, length);
    }
  };
  if (u.jobs == 1 && u.alone()) return add_job(out, nullptr, 0);
  Buffer gathered(u.gathered() * item, n);
  parallel_for(u.jobs, [&](Size j) {
    add_job(gathered.data + j * u.step * item, gathered.data + (u.jobs + j) * u.step * item, j * u.job);
  });
  add_totals(t, n->dtype, out, gathered.data, u);
}

void extreme_columns(ThreadState& t, const Node* n, const Reduced& r, char* out, const Elements& x, Size start,
                     Size item) {
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

void reduce(ThreadState& t, Node* n) {
  const Reduced r = reduced(n);
  const Size item = item_size(n->dtype);
  if (r.length == 0 || n->count == 0) {  // only sums get here, or what has no results
    n->data = static_cast<char*>(std::memset(allocate(n), 0, static_cast<std::size_t>(n->count * item)));
    return;
  }
  const Elements x(n->in[0], n->dtype);
  char* out = allocate(n);
  if (r.rows()) {
    reduce_rows(n, r, folding(*t.kernels, r.kind, n->dtype), out, x, item);
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
