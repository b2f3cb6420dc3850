// Softmax of rows, and sums over rows (rows.hpp).
#include "autodiff/kernels/rows.hpp"
#include "autodiff/kernels/simd/map.hpp"
#include "autodiff/kernels/simd/math_exp.hpp"
#include "autodiff/kernels/simd/math_log.hpp"

namespace xgrad::kernels {
namespace {

// A sum of sums of `chunk` numbers each, with what additions round off (Knuth's two-sum): rows may have millions.
template <class T>
struct Total {
  Batch<T> sum = Batch<T>(T(0)), lost = Batch<T>(T(0));
  XGRAD_INLINE void add(const Batch<T>& x) {
    const Batch<T> next = sum + x, added = next - sum;
    lost = lost + ((sum - (next - added)) + (x - added));
    sum = next;
  }
  XGRAD_INLINE Batch<T> value() const { return pick(lost == lost, sum + lost, sum); }  // where it is infinite: that
};

// log sum e, where the greatest e is 1. Where that is one, and the others are little, log1p of the others keeps their digits.
template <class T>
XGRAD_INLINE Batch<T> log_of_sum(const Batch<T>& all, const Batch<T>& below_1) {
  return log1p(pick(all < Batch<T>(T(1.5)), below_1, all - Batch<T>(T(1))));
}
template <class T>
XGRAD_INLINE Batch<T> if_below_1(const Batch<T>& e) {
  return pick(e == Batch<T>(T(1)), Batch<T>(T(0)), e);
}

constexpr Size few_columns = 16;  // up to which lanes are rows, not columns, where rows lie one after the other
XGRAD_INLINE bool by_lanes(const Rows& rows) { return rows.apart > 1 || rows.columns <= few_columns; }

// some(r, k, start) for rows r ... r + k - 1 that lie side by side, the first from x[start] on.
template <class T, class Some>
XGRAD_INLINE void side_by_side(const Rows& rows, const Some& some) {
  const Size end = rows.first + rows.count;
  for (Size r = rows.first; r < end;) {
    const Size at = r % rows.apart, left = rows.apart - at;
    Size k = end - r < left ? end - r : left;
    if (k > width<T>) k = width<T>;
    some(r, k, (r - at) * rows.columns + at);
    r += k;
  }
}

// column[c] holds column c of as many rows as a vector has lanes.
template <class T, bool logarithm>
XGRAD_INLINE void softmax_lanes(T (*column)[width<T>], Size columns) {
  const auto at = [&](Size c) XGRAD_LAMBDA { return Batch<T>::load_aligned(column[c]); };
  Batch<T> most = at(0);
  for (Size c = 1; c < columns; ++c) most = upper(most, at(c));
  Batch<T> sum(T(0)), below(T(0));
  for (Size c = 0; c < columns; ++c) {
    const Batch<T> x = at(c) - most, e = exp(x);
    (logarithm ? x : e).store_aligned(column[c]);
    sum = sum + e;
    if constexpr (logarithm) below = below + if_below_1(e);
  }
  if constexpr (logarithm) sum = log_of_sum(sum, below);
  for (Size c = 0; c < columns; ++c) (logarithm ? at(c) - sum : at(c) / sum).store_aligned(column[c]);
}

// some(r, k, column, start) for rows r ... r + k - 1, whose columns are there; the lanes past k are 0.
template <class T, class Some>
XGRAD_INLINE void by_columns(const T* x, const Rows& rows, const Some& some) {
  alignas(64) T column[longest_apart][width<T>];
  const Size columns = rows.columns, end = rows.first + rows.count;
  if (rows.apart > 1)
    return side_by_side<T>(rows, [&](Size r, Size k, Size start) XGRAD_LAMBDA {
      for (Size c = 0; c < columns; ++c) load_some(x + start + c * rows.apart, k).store_aligned(column[c]);
      some(r, k, column, start);
    });
  Size r = rows.first;
  for (; r + width<T> <= end; r += width<T>) {
    const T* from = x + r * columns;
    for (Size c = 0; c < columns; ++c)
      for (Size i = 0; i < width<T>; ++i) column[c][i] = from[i * columns + c];
    some(r, width<T>, column, r * columns);
  }
  if (r == end) return;
  for (Size c = 0; c < columns; ++c)
    for (Size i = 0; i < width<T>; ++i) column[c][i] = r + i < end ? x[(r + i) * columns + c] : T(0);
  some(r, end - r, column, r * columns);
}
// Back to where they are from: out[start] is the first row's first number.
template <class T>
XGRAD_INLINE void store_columns(T* out, Size k, const Rows& rows, const T (*column)[width<T>]) {
  const Size columns = rows.columns;
  if (rows.apart > 1) {
    for (Size c = 0; c < columns; ++c) store_some(out + c * rows.apart, Batch<T>::load_aligned(column[c]), k);
  } else if (k == width<T>) {
    for (Size c = 0; c < columns; ++c)
      for (Size i = 0; i < width<T>; ++i) out[i * columns + c] = column[c][i];
  } else {
    for (Size c = 0; c < columns; ++c)
      for (Size i = 0; i < k; ++i) out[i * columns + c] = column[c][i];
  }
}

template <class T, bool logarithm>
void softmax_of_few(T* out, const T* x, const Rows& rows) {
  by_columns(x, rows, [&](Size, Size k, T(*column)[width<T>], Size start) XGRAD_LAMBDA {
    softmax_lanes<T, logarithm>(column, rows.columns);
    store_columns<T>(out + start, k, rows, column);
  });
}

// Where the greatest number first is; -1 where there is none, of NaN.
template <class T>
Size place_of(const T* x, Size columns, T greatest) {
  const Batch<T> most(greatest);
  Size i = 0;
  while (i + width<T> <= columns && !xsimd::any(load(x + i) == most)) i += width<T>;
  for (; i < columns; ++i)
    if (x[i] == greatest) return i;
  return -1;
}

// e = exp(x - most) of a row; and the sum of all but one, at `apart`; -1: of all. Whole vectors of e are stored at `out` where it
// is asked for; what is left of the row, less than one, is in `tail`, where it is loaded from without waiting for a part of a store.
template <class T>
struct Tail {
  alignas(64) T lanes[width<T>] = {};
  XGRAD_INLINE Batch<T> get() const { return Batch<T>::load_aligned(lanes); }
};
template <class T, bool stored>
XGRAD_INLINE T sum_of_others(T* out, const T* x, Size columns, const Batch<T>& most, Size apart, Tail<T>& tail) {
  Total<T> total;
  const Batch<T> none(T(0));
  for (Size i = 0; i < columns;) {
    const Size end = columns - i < chunk ? columns : i + chunk;
    Batch<T> sums(T(0));
    for (; i < end; i += width<T>) {
      const Size k = columns - i;
      Batch<T> e;
      if (k >= width<T>) [[likely]] {
        e = exp(load(x + i) - most);
        if constexpr (stored) e.store_unaligned(out + i);
      } else {
        e = pick(before_lane<T>(k), exp(load_part(x + i, k) - most), none);
        if constexpr (stored) e.store_aligned(tail.lanes);
      }
      if (apart - i < width<T> && apart >= i) [[unlikely]]
        sums = sums + pick(Batch<T>::load_aligned(lane_numbers<T>) == Batch<T>(static_cast<T>(apart - i)), none, e);
      else sums = sums + e;
    }
    total.add(sums);
  }
  return reduce_lanes(total.value(), [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return a + b; });
}
// out = f(e), of those
template <class T, class F>
XGRAD_INLINE void map_stored(T* out, Size columns, const Tail<T>& tail, const F& f) {
  const Size whole = columns / width<T> * width<T>;
  map_light(out, whole, [&](Size i, Size) XGRAD_LAMBDA { return f(load(out + i)); });
  if (whole < columns) store_part(out + whole, f(tail.get()), columns - whole);
}

template <class T>
XGRAD_INLINE T greatest_of(const T* x, Size columns) {
  Batch<T> best(x[0]);
  Size i = 0;
  for (; i + width<T> <= columns; i += width<T>) best = upper(best, load(x + i));
  if (const Size k = columns - i; k > 0) best = upper(best, pick(before_lane<T>(k), load_part(x + i, k), best));
  return reduce_lanes(best, [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return upper(a, b); });
}

template <class T, bool logarithm>
void softmax_of_many(T* out, const T* x, Size rows, Size columns) {
  for (; rows > 0; --rows, x += columns, out += columns) {
    const T greatest = greatest_of(x, columns);
    const Batch<T> most(greatest);
    Tail<T> tail;
    if constexpr (logarithm) {
      const Batch<T> rest =
          log1p(Batch<T>(sum_of_others<T, false>(nullptr, x, columns, most, place_of(x, columns, greatest), tail)));
      map(out, columns, [&](Size i, Size k) XGRAD_LAMBDA { return (load_some(x + i, k) - most) - rest; });
    } else {
      const Batch<T> sum(sum_of_others<T, true>(out, x, columns, most, -1, tail));
      map_stored(out, columns, tail, [&](const Batch<T>& e) XGRAD_LAMBDA { return e / sum; });
    }
  }
}

template <class T, bool logarithm>
void softmax(void* to, const void* from, const Rows& rows) {
  T* out = static_cast<T*>(to);
  const T* x = static_cast<const T*>(from);
  const Size start = rows.first * rows.columns;
  if (rows.columns <= 0) return;
  if (by_lanes(rows)) softmax_of_few<T, logarithm>(out, x, rows);
  else softmax_of_many<T, logarithm>(out + start, x + start, rows.count, rows.columns);
}

// x - exp(y) sum. Where exp y is near 1 that is (x - sum) - (exp(y) - 1) sum: of the class that is sure, whose x is all of
// the sum, the last term is all there is.
template <class T>
XGRAD_INLINE Batch<T> less_part(const Batch<T>& x, const Batch<T>& y, const Batch<T>& sum) {
  Batch<T> k;
  const Batch<T> p = expm1_reduced(reduce_exp(unless_0(y, T(-1)), k));
  const Mask<T> near = k == Batch<T>(T(0));
  const Batch<T> none(T(0));
  return (x - pick(near, sum, none)) - scale_unless_0(y, p + pick(near, none, Batch<T>(T(1))), k) * sum;
}

// Where rows are short, a vector takes numbers of several rows; their sums are laid out in the result's place before.
template <class T>
void log_softmax_vjp(void* out, const void* x_bytes, const void* y_bytes, const Rows& all) {
  const auto plus = [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return a + b; };
  const T* x = static_cast<const T*>(x_bytes);
  const T* y = static_cast<const T*>(y_bytes);
  T* z = static_cast<T*>(out);
  const Size columns = all.columns, apart = all.apart;
  if (apart > 1)
    return side_by_side<T>(all, [&](Size, Size k, Size start) XGRAD_LAMBDA {
      Batch<T> sum(T(0));
      for (Size c = 0; c < columns; ++c) sum = sum + load_some(x + start + c * apart, k);
      for (Size c = 0; c < columns; ++c) {
        const Size i = start + c * apart;
        store_some(z + i, less_part(load_some(x + i, k), load_some(y + i, k), sum), k);
      }
    });
  Size rows = all.count;
  x += all.first * columns, y += all.first * columns, z += all.first * columns;
  if (columns <= few_columns) {
    for (Size r = 0; r < rows; ++r) {
      T sum = x[r * columns];
      for (Size c = 1; c < columns; ++c) sum += x[r * columns + c];
      for (Size c = 0; c < columns; ++c) z[r * columns + c] = sum;
    }
    return map(z, rows * columns, [&](Size i, Size k) XGRAD_LAMBDA {
      return less_part(load_some(x + i, k), load_some(y + i, k), load_some(z + i, k));
    });
  }
  for (; rows > 0; --rows, x += columns, y += columns, z += columns) {
    Total<T> total;
    for (Size i = 0; i < columns;) {
      const Size end = columns - i < chunk ? columns : i + chunk;
      Batch<T> sums(T(0));
      for (; i < end; i += width<T>) sums = sums + load_some(x + i, columns - i);
      total.add(sums);
    }
    const Batch<T> sum(reduce_lanes(total.value(), plus));
    map(z, columns,
        [&](Size i, Size k) XGRAD_LAMBDA { return less_part(load_some(x + i, k), load_some(y + i, k), sum); });
  }
}

// log softmax(x)[at], of each row
template <class T>
void log_softmax_at(void* out, const void* x_bytes, const Size* at, const Rows& rows) {
  const T* x = static_cast<const T*>(x_bytes);
  T* y = static_cast<T*>(out);
  const Size columns = rows.columns;
  if (!by_lanes(rows)) {
    x += rows.first * columns, at += rows.first, y += rows.first;
    for (Size r = 0; r < rows.count; ++r, x += columns, ++at, ++y) {
      const T greatest = greatest_of(x, columns);
      const Size apart = x[*at] == greatest ? *at : place_of(x, columns, greatest);
      Tail<T> tail;
      const Batch<T> most(greatest), others(sum_of_others<T, false>(nullptr, x, columns, most, apart, tail));
      *y = ((Batch<T>(x[*at]) - most) - log1p(others)).get(0);
    }
    return;
  }
  by_columns(x, rows, [=](Size r, Size k, const T(*column)[width<T>], Size) XGRAD_LAMBDA {
    const auto of = [=](Size c) XGRAD_LAMBDA { return Batch<T>::load_aligned(column[c]); };
    Batch<T> most = of(0);
    for (Size c = 1; c < columns; ++c) most = upper(most, of(c));
    Batch<T> sum(T(0)), below(T(0));
    for (Size c = 0; c < columns; ++c) {
      const Batch<T> e = exp(of(c) - most);
      sum = sum + e;
      below = below + if_below_1(e);
    }
    alignas(64) T picked[width<T>] = {};
    for (Size i = 0; i < k; ++i) picked[i] = column[at[r + i]][i];
    const Batch<T> z = (Batch<T>::load_aligned(picked) - most) - log_of_sum(sum, below);
    store_some(y + r, z, k);
  });
}

// g (1 [c = at] - softmax x), of each row; at `at`, what is left of 1 is the sum of the others, with all its digits.
template <class T>
void log_softmax_at_vjp(void* out, const void* g_bytes, const void* x_bytes, const Size* at, const Rows& rows) {
  const T* g = static_cast<const T*>(g_bytes);
  const T* x = static_cast<const T*>(x_bytes);
  T* z = static_cast<T*>(out);
  const Size columns = rows.columns;
  if (!by_lanes(rows)) {
    x += rows.first * columns, z += rows.first * columns, at += rows.first, g += rows.first;
    for (Size r = 0; r < rows.count; ++r, x += columns, z += columns, ++at, ++g) {
      const Batch<T> most(greatest_of(x, columns));
      Tail<T> tail;
      const T others = sum_of_others<T, true>(z, x, columns, most, *at, tail);
      const Size whole = columns / width<T> * width<T>;
      const T mine = *at < whole ? z[*at] : tail.lanes[*at - whole], each = *g / (others + mine);
      const Batch<T> factor(-each);
      map_stored(z, columns, tail, [&](const Batch<T>& e) XGRAD_LAMBDA { return e * factor; });
      z[*at] = others * each;
    }
    return;
  }
  by_columns(x, rows, [&](Size r, Size k, T(*column)[width<T>], Size start) XGRAD_LAMBDA {
    const auto of = [=](Size c) XGRAD_LAMBDA { return Batch<T>::load_aligned(column[c]); };
    alignas(64) T places[width<T>] = {};
    for (Size i = 0; i < k; ++i) places[i] = static_cast<T>(at[r + i]);
    const Batch<T> place = Batch<T>::load_aligned(places), none(T(0));
    Batch<T> most = of(0), others = none, mine = none;
    for (Size c = 1; c < columns; ++c) most = upper(most, of(c));
    for (Size c = 0; c < columns; ++c) {
      const Batch<T> e = exp(of(c) - most);
      const Mask<T> here = place == Batch<T>(static_cast<T>(c));
      others = others + pick(here, none, e);
      mine = pick(here, e, mine);
      e.store_aligned(column[c]);
    }
    const Batch<T> each = load_some(g + r, k) / (others + mine);
    for (Size c = 0; c < columns; ++c)
      (pick(place == Batch<T>(static_cast<T>(c)), others, -of(c)) * each).store_aligned(column[c]);
    store_columns<T>(z + start, k, rows, column);
  });
}

// y (g - sum g y)
template <class T>
void softmax_vjp(void* out, const void* g_bytes, const void* y_bytes, const Rows& rows) {
  const T *g = static_cast<const T*>(g_bytes), *y = static_cast<const T*>(y_bytes);
  T* to = static_cast<T*>(out);
  const Size columns = rows.columns, apart = rows.apart;
  if (apart > 1)
    return side_by_side<T>(rows, [&](Size, Size k, Size start) XGRAD_LAMBDA {
      const auto of = [&](const T* x, Size c) XGRAD_LAMBDA { return load_some(x + start + c * apart, k); };
      Batch<T> sum(T(0));
      for (Size c = 0; c < columns; ++c) sum = sum + of(g, c) * of(y, c);
      for (Size c = 0; c < columns; ++c) store_some(to + start + c * apart, of(y, c) * (of(g, c) - sum), k);
    });
  g += rows.first * columns, y += rows.first * columns, to += rows.first * columns;
  for (Size r = 0; r < rows.count; ++r, g += columns, y += columns, to += columns) {
    T sum(0);
    if (columns <= few_columns) {
      for (Size c = 0; c < columns; ++c) sum += g[c] * y[c];
    } else {
      Total<T> total;
      for (Size i = 0; i < columns;) {
        const Size end = columns - i < chunk ? columns : i + chunk;
        Batch<T> sums(T(0));
        for (; i < end; i += width<T>) sums = sums + load_some(g + i, columns - i) * load_some(y + i, columns - i);
        total.add(sums);
      }
      sum = reduce_lanes(total.value(), [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return a + b; });
    }
    map(to, columns,
        [&](Size i, Size k) XGRAD_LAMBDA { return load_some(y + i, k) * (load_some(g + i, k) - Batch<T>(sum)); });
  }
}

// Up to `vectors` vectors of columns, in registers from the first row to the last.
template <class T, int vectors>
XGRAD_INLINE void add_block(T* sums, const T* x, const T* end, Size stride, Size columns) {
  constexpr Size last = (vectors - 1) * width<T>;
  const Size k = columns - last;  // in the last vector
  Batch<T> s[vectors];
  for (int v = 0; v < vectors - 1; ++v) s[v] = load(sums + v * width<T>);
  s[vectors - 1] = k == width<T> ? load(sums + last) : load_part(sums + last, k);
  for (; x < end; x += stride) {
    for (int v = 0; v < vectors - 1; ++v) s[v] = s[v] + load(x + v * width<T>);
    // past the columns, the last vector reads what follows in the matrix, and does not keep it
    const bool inside = k == width<T> || x + last + width<T> <= end;
    s[vectors - 1] = s[vectors - 1] + (inside ? load(x + last) : load_part(x + last, k));
  }
  for (int v = 0; v < vectors - 1; ++v) s[v].store_unaligned(sums + v * width<T>);
  if (k == width<T>) s[vectors - 1].store_unaligned(sums + last);
  else store_part(sums + last, s[vectors - 1], k);
}

template <class T>
void add_rows(void* to, const void* from, Size rows, Size columns) {
  T* sums = static_cast<T*>(to);
  const T* x = static_cast<const T*>(from);
  if (rows <= 0 || columns <= 0) return;
  const T* end = x + rows * columns;
  const Size vectors = (columns + width<T> - 1) / width<T>;
  if (vectors == 1) return add_block<T, 1>(sums, x, end, columns, columns);
  if (vectors == 2) return add_block<T, 2>(sums, x, end, columns, columns);
  if (vectors == 3) return add_block<T, 3>(sums, x, end, columns, columns);
  if (vectors == 4) return add_block<T, 4>(sums, x, end, columns, columns);
  Size r = 0;
  for (; r + 4 <= rows; r += 4) {  // four rows at a time, so that the sums are loaded and stored less often
    const T* row = x + r * columns;
    map(sums, columns, [&](Size i, Size k) XGRAD_LAMBDA {
      if (k >= width<T>) [[likely]]
        return (((load(sums + i) + load(row + i)) + load(row + columns + i)) + load(row + 2 * columns + i)) +
               load(row + 3 * columns + i);
      return (((load_part(sums + i, k) + load_part(row + i, k)) + load_part(row + columns + i, k)) +
              load_part(row + 2 * columns + i, k)) +
             load_part(row + 3 * columns + i, k);
    });
  }
  for (; r < rows; ++r) {
    const T* row = x + r * columns;
    map(sums, columns, [&](Size i, Size k) XGRAD_LAMBDA {
      if (k >= width<T>) [[likely]]
        return load(sums + i) + load(row + i);
      return load_part(sums + i, k) + load_part(row + i, k);
    });
  }
}

}  // namespace

namespace XGRAD_ARCH {

void fill_rows(Simd& all) {
  all.log_softmax_rows[0] = softmax<float, true>;
  all.log_softmax_rows[1] = softmax<double, true>;
  all.softmax_rows[0] = softmax<float, false>;
  all.softmax_rows[1] = softmax<double, false>;
  all.log_softmax_vjp_rows[0] = log_softmax_vjp<float>;
  all.log_softmax_vjp_rows[1] = log_softmax_vjp<double>;
  all.log_softmax_at[0] = log_softmax_at<float>;
  all.log_softmax_at[1] = log_softmax_at<double>;
  all.log_softmax_at_vjp[0] = log_softmax_at_vjp<float>;
  all.log_softmax_at_vjp[1] = log_softmax_at_vjp<double>;
  all.softmax_vjp_rows[0] = softmax_vjp<float>;
  all.softmax_vjp_rows[1] = softmax_vjp<double>;
  all.add_rows[0] = add_rows<float>;
  all.add_rows[1] = add_rows<double>;
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
