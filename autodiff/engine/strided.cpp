#include "autodiff/engine/strided.hpp"

#include <algorithm>
#include <cstring>

#include "autodiff/engine/nodes.hpp"
#include "autodiff/parallel.hpp"

namespace xgrad::engine {

Layout layout_of(const Shape& shape, const Shape& strides) {
  Layout l;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 1) continue;
    const int last = l.extents.rank() - 1;
    if (last >= 0 && l.strides[last] == strides[i] * shape[i]) {
      l.extents[last] *= shape[i];
      l.strides[last] = strides[i];
    } else {
      l.extents.push_back(shape[i]);
      l.strides.push_back(strides[i]);
    }
  }
  return l;
}

Layout broadcast_layout(Node* x, const Shape& to) {
  const Shape own = strides_of(x);
  Shape strides;
  strides.resize(to.rank());
  const int lead = to.rank() - x->shape.rank();
  for (int i = 0; i < x->shape.rank(); ++i)
    if (x->shape[i] != 1) strides[lead + i] = own[i];
  return layout_of(to, strides);
}

namespace {

template <class T, int columns>
void copy_rows_of(T* out, const T* x, Size rows, Size down, Size across) {
  for (Size r = 0; r < rows; ++r, x += down, out += columns)
    for (int c = 0; c < columns; ++c) out[c] = x[c * across];
}
template <class T>
void copy_rows(T* out, const T* x, Size rows, Size columns, Size down, Size across) {
  switch (columns) {
    case 1: return copy_rows_of<T, 1>(out, x, rows, down, across);
    case 2: return copy_rows_of<T, 2>(out, x, rows, down, across);
    case 3: return copy_rows_of<T, 3>(out, x, rows, down, across);
    case 4: return copy_rows_of<T, 4>(out, x, rows, down, across);
    default:
      for (Size r = 0; r < rows; ++r, x += down)
        for (Size c = 0; c < columns; ++c) *out++ = x[c * across];
  }
}

// Of numbers that are not negative; many processors divide 32 bits in a third of the time.
Size quotient(Size x, Size y) {
  const auto a = static_cast<std::uint64_t>(x), b = static_cast<std::uint64_t>(y);
  if ((a | b) >> 32 == 0) return static_cast<std::uint32_t>(a) / static_cast<std::uint32_t>(b);
  return x / y;
}

template <class T>
void gather_typed(char* out_bytes, const char* base_bytes, const Layout& l, Size start, Size n) {
  T* out = reinterpret_cast<T*>(out_bytes);
  const T* base = reinterpret_cast<const T*>(base_bytes);
  const int rank = l.extents.rank();
  if (rank == 0) {
    std::fill(out, out + n, *base);
    return;
  }
  Shape index;
  index.resize(rank);
  Size at = 0;
  for (int i = rank; i-- > 1;) {
    const Size left = quotient(start, l.extents[i]);
    index[i] = start - left * l.extents[i];
    at += index[i] * l.strides[i];
    start = left;
  }
  index[0] = start;
  at += start * l.strides[0];
  const Size inner = l.extents[rank - 1], stride = l.strides[rank - 1];
  Size in_row = index[rank - 1];
  const auto next = [&](int axis) {  // the axes before it go on by one
    for (int i = axis; i-- > 0;) {
      at += l.strides[i];
      if (++index[i] < l.extents[i]) break;
      at -= l.extents[i] * l.strides[i];
      index[i] = 0;
    }
  };
  while (n > 0) {
    if (rank > 1 && inner <= 16 && in_row == 0 && n >= inner) {  // whole short rows
      const Size down = l.strides[rank - 2], left = l.extents[rank - 2] - index[rank - 2];
      const Size rows = std::min(left, n / inner);
      copy_rows(out, base + at, rows, inner, down, stride);
      out += rows * inner;
      n -= rows * inner;
      if (n == 0) return;
      at += rows * down;
      index[rank - 2] += rows;
      if (rows < left) continue;
      at -= l.extents[rank - 2] * down;
      index[rank - 2] = 0;
      next(rank - 2);
      continue;
    }
    const Size run = std::min(n, inner - in_row);
    const T* from = base + at;
    if (stride == 1) {
      if (run < 16)
        for (Size i = 0; i < run; ++i) out[i] = from[i];
      else std::memcpy(out, from, static_cast<std::size_t>(run) * sizeof(T));
    } else if (stride == 0) {
      std::fill(out, out + run, *from);
    } else {
      for (Size i = 0; i < run; ++i) out[i] = from[i * stride];
    }
    out += run;
    n -= run;
    if (n == 0) return;
    at -= in_row * stride;
    in_row = 0;
    next(rank - 1);
  }
}

}  // namespace

void gather_elements(char* out, const char* base, const Layout& l, Size item, Size start, Size n) {
  switch (item) {
    case 1: return gather_typed<std::uint8_t>(out, base, l, start, n);
    case 4: return gather_typed<std::uint32_t>(out, base, l, start, n);
    default: return gather_typed<std::uint64_t>(out, base, l, start, n);
  }
}

Elements::Elements(Node* x, DType as) : base_(x->data), item_(item_size(x->dtype)) {
  if (x->dtype != as) cast_ = current().kernels->cast[static_cast<int>(x->dtype)][static_cast<int>(as)];
  if (!x->row_major()) layout_ = layout_of(x->shape, strides_of(x));
  in_place_ = layout_.dense() && !cast_;
}

const char* Elements::copied(Size start, Size n, char* scratch) const {
  const char* x = base_ + start * item_;
  if (!layout_.dense()) {
    gather_elements(scratch, base_, layout_, item_, start, n);
    x = scratch;
  }
  if (!cast_) return x;
  char* to = scratch + block * static_cast<Size>(sizeof(double));
  cast_(to, x, nullptr, nullptr, n);
  return to;
}

namespace {

// Dense numbers repeated as a whole, [1, 3] to [2, 3], or each by itself, [2, 1] to [2, 3]: the everyday broadcasts.
// How many of them lie between two of the same; 0: another case.
Size period_of(const Node* x, const Shape& to) {
  if (!x->row_major()) return 0;
  const Shape& from = x->shape;
  const int rank = from.rank(), lead = to.rank() - rank;
  int i = rank;
  while (i > 0 && from[i - 1] == to[lead + i - 1]) --i;
  int k = i;
  while (k > 0 && from[k - 1] == 1) --k;
  if (k == 0) return x->count;
  if (lead > 0 || i < rank) return 0;
  while (k > 0 && from[k - 1] == to[k - 1]) --k;
  return k == 0 ? 1 : 0;
}

template <class T>
void repeat_each(char* out_bytes, const char* x_bytes, Size count, Size times) {
  T* out = reinterpret_cast<T*>(out_bytes);
  const T* x = reinterpret_cast<const T*>(x_bytes);
  for (Size i = 0; i < count; ++i)
    for (Size k = 0; k < times; ++k) *out++ = x[i];
}

// The copies double, so that there are few of them.
void repeat_all(char* out, const char* x, Size bytes, Size all) {
  std::memcpy(out, x, static_cast<std::size_t>(bytes));
  for (Size have = bytes; have < all; have *= 2)
    std::memcpy(out + have, out, static_cast<std::size_t>(std::min(have, all - have)));
}

// Matrices whose columns lie side by side, by tiles: a line of memory is read once for all rows that it has numbers of.
constexpr Size tile = 16;
bool is_turned(const Layout& l) {
  const int last = l.extents.rank() - 1;
  return last > 0 && l.strides[last - 1] == 1 && l.strides[last] >= tile && l.extents[last] >= tile &&
         l.extents[last - 1] >= tile;
}
template <class T>
void copy_turned(char* out_bytes, const char* x_bytes, const Layout& l, Size n) {
  const int last = l.extents.rank() - 1;
  const Size rows = l.extents[last - 1], columns = l.extents[last], across = l.strides[last];
  const Size bands = (rows + tile - 1) / tile, matrices = n / (rows * columns);
  const Size together = std::max<Size>(1, (1 << 16) / (tile * columns));
  parallel_for((matrices * bands + together - 1) / together, [&](Size job) {
    for (Size b = job * together; b < std::min(matrices * bands, (job + 1) * together); ++b) {
      Size at = 0, rest = b / bands;
      for (int i = last - 1; i-- > 0; rest /= l.extents[i]) at += rest % l.extents[i] * l.strides[i];
      const Size first = b % bands * tile, end = std::min(rows, first + tile);
      const T* x = reinterpret_cast<const T*>(x_bytes) + at;
      T* out = reinterpret_cast<T*>(out_bytes) + b / bands * rows * columns;
      for (Size c = 0; c < columns; c += tile)
        for (Size r = first; r < end; ++r)
          for (Size k = c; k < std::min(columns, c + tile); ++k) out[r * columns + k] = x[r + k * across];
    }
  });
}

void copy_strided(char* out, const char* x, const Layout& l, Size item, Size n) {
  constexpr Size block = 1 << 16;
  if (is_turned(l)) {
    if (item == 4) return copy_turned<std::uint32_t>(out, x, l, n);
    if (item == 8) return copy_turned<std::uint64_t>(out, x, l, n);
  }
  if (n <= block) {
    if (l.dense()) std::memcpy(out, x, static_cast<std::size_t>(n * item));
    else gather_elements(out, x, l, item, 0, n);
    return;
  }
  parallel_for((n + block - 1) / block, [&](Size job) {
    const Size start = job * block;
    gather_elements(out + start * item, x, l, item, start, std::min(block, n - start));
  });
}

}  // namespace

void copy_broadcast(char* out, Node* x, const Shape& to) {
  constexpr Size small = 1 << 16;
  const Size n = to.numel(), item = item_size(x->dtype);
  if (n == 0) return;
  if (n <= small) {
    const Size period = period_of(x, to);
    if (period == x->count) return repeat_all(out, x->data, period * item, n * item);
    if (period == 1 && item == 4) return repeat_each<std::uint32_t>(out, x->data, x->count, n / x->count);
    if (period == 1 && item == 8) return repeat_each<std::uint64_t>(out, x->data, x->count, n / x->count);
  }
  copy_strided(out, x->data, broadcast_layout(x, to), item, n);
}

Tensor dense(Node* x) {
  if (x->row_major()) return share(x);
  Node* n = new_node(Op::leaf, x->dtype, x->shape, {x->file, x->line});
  Tensor result = Tensor::adopt(n);
  char* memory = allocate(n, x->op == Op::leaf ? "contiguous" : rule(x->op).name);
  copy_broadcast(memory, x, x->shape);
  n->data = memory;
  return result;
}

Tensor dense_transposed(Node* x) {
  Shape shape = x->shape, strides = strides_of(x);
  const int last = shape.rank() - 1;
  std::swap(shape[last], shape[last - 1]);
  std::swap(strides[last], strides[last - 1]);
  Node* n = new_node(Op::leaf, x->dtype, shape, {x->file, x->line});
  Tensor result = Tensor::adopt(n);
  char* memory = allocate(n, "transpose");
  if (n->count > 0) copy_strided(memory, x->data, layout_of(shape, strides), item_size(x->dtype), n->count);
  n->data = memory;
  return result;
}

}  // namespace xgrad::engine
