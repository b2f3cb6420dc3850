// Softmax of rows, and sums over rows (rows.hpp).
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

constexpr Size few_columns = 16;  // up to which lanes are rows, not columns

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

// Where rows are short, lanes are rows: column[c] holds column c of some.
template <class T>
XGRAD_INLINE void fill_lanes(T (*column)[width<T>], const T* x, Size rows, Size columns) {
  for (Size c = 0; c < columns; ++c) {
    for (Size i = 0; i < rows; ++i) column[c][i] = x[i * columns + c];
    for (Size i = rows; i < width<T>; ++i) column[c][i] = T(0);
  }
}

template <class T, bool logarithm>
void softmax_of_few(T* out, const T* x, Size rows, Size columns) {
  for (Size r = 0; r < rows; r += width<T>) {
    const Size k = rows - r < width<T> ? rows - r : width<T>;
    alignas(64) T column[few_columns][width<T>];
    fill_lanes(column, x + r * columns, k, columns);
    softmax_lanes<T, logarithm>(column, columns);
    for (Size i = 0; i < k; ++i)
      for (Size c = 0; c < columns; ++c) out[(r + i) * columns + c] = column[c][i];
  }
}

// Where the first vector is that has the greatest number in it; -1 where there is none, of NaN.
template <class T>
Size vector_of(const T* x, Size columns, const Batch<T>& greatest) {
  Size i = 0;
  for (; i + width<T> <= columns; i += width<T>)
    if (xsimd::any(load(x + i) == greatest)) return i;
  for (Size j = i; j < columns; ++j)
    if (x[j] == greatest.get(0)) return i;
  return -1;
}
// Without 1 where the first 1 is, so that a sum that is 1 and little more keeps the digits of that; NaN stays.
template <class T>
Batch<T> less_one(const Batch<T>& e) {
  alignas(64) T lanes[width<T>];
  e.store_aligned(lanes);
  T* last = lanes + width<T> - 1;
  T* at = lanes;
  while (at != last && *at != T(1)) ++at;
  *at = *at - T(1);
  return Batch<T>::load_aligned(lanes);
}

template <class T, bool logarithm>
void softmax_of_many(T* out, const T* x, Size rows, Size columns) {
  const auto great = [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return upper(a, b); };
  const auto plus = [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return a + b; };
  for (Size r = 0; r < rows; ++r, x += columns, out += columns) {
    Batch<T> best(x[0]);
    Size i = 0;
    for (; i + width<T> <= columns; i += width<T>) best = upper(best, load(x + i));
    T last = x[0];
    for (Size j = i; j < columns; ++j) last = x[j] > last ? x[j] : last;
    const Batch<T> most(reduce_lanes(upper(best, Batch<T>(last)), great));
    const Size apart = logarithm ? vector_of(x, columns, most) : -1;
    Total<T> total;
    const Batch<T> none(-infinity<T>);  // exp of it adds nothing
    for (i = 0; i < columns;) {
      const Size end = columns - i < chunk ? columns : i + chunk;
      Batch<T> sums(T(0));
      for (; i < end; i += width<T>) {
        const Size k = columns - i;
        if (k >= width<T>) {
          Batch<T> e = exp(load(x + i) - most);
          if constexpr (!logarithm) e.store_unaligned(out + i);
          if (logarithm && i == apart) e = less_one(e);
          sums = sums + e;
        } else {
          alignas(64) T part[width<T>];
          none.store_aligned(part);
          for (Size j = 0; j < k; ++j) part[j] = x[i + j] - most.get(0);
          Batch<T> e = exp(Batch<T>::load_aligned(part));
          if constexpr (!logarithm) store_part(out + i, e, k);
          if (logarithm && i == apart) e = less_one(e);
          sums = sums + e;
        }
      }
      total.add(sums);
    }
    const Batch<T> sum(reduce_lanes(total.value(), plus));
    if constexpr (logarithm) {
      const Batch<T> rest = log1p(sum);
      map(out, columns, [&](Size j, Size k) XGRAD_LAMBDA {
        return ((k >= width<T> ? load(x + j) : load_part(x + j, k)) - most) - rest;
      });
    } else {
      map(out, columns, [&](Size j, Size k) XGRAD_LAMBDA {
        return (k >= width<T> ? load(out + j) : load_part(out + j, k)) / sum;
      });
    }
  }
}

template <class T, bool logarithm>
void softmax(void* out, const void* x, Size rows, Size columns) {
  if (columns <= 0) return;
  if (columns <= few_columns) softmax_of_few<T, logarithm>(static_cast<T*>(out), static_cast<const T*>(x), rows, columns);
  else softmax_of_many<T, logarithm>(static_cast<T*>(out), static_cast<const T*>(x), rows, columns);
}

// x - exp(y) sum. Where exp y is near 1 that is (x - sum) - (exp(y) - 1) sum: of the class that is sure, whose x is all of
// the sum, the last term is all there is.
template <class T>
XGRAD_INLINE Batch<T> less_part(const Batch<T>& x, const Batch<T>& y, const Batch<T>& sum) {
  const Batch<T> inside = upper(Batch<T>(exp_lowest<T>), y);
  Batch<T> k;
  const Batch<T> p = expm1_reduced(reduce_exp(inside, k));
  const Mask<T> near = k == Batch<T>(T(0));
  const Batch<T> none(T(0));
  return (x - pick(near, sum, none)) - scale(p + pick(near, none, Batch<T>(T(1))), k) * sum;
}

// Where rows are short, a vector takes numbers of several rows; their sums are laid out in the result's place before.
template <class T>
void log_softmax_vjp(void* out, const void* x_bytes, const void* y_bytes, Size rows, Size columns) {
  const auto plus = [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return a + b; };
  const auto part = [](const T* from, Size k) XGRAD_LAMBDA { return k >= width<T> ? load(from) : load_part(from, k); };
  const T* x = static_cast<const T*>(x_bytes);
  const T* y = static_cast<const T*>(y_bytes);
  T* z = static_cast<T*>(out);
  if (columns <= few_columns) {
    for (Size r = 0; r < rows; ++r) {
      T sum = x[r * columns];
      for (Size c = 1; c < columns; ++c) sum += x[r * columns + c];
      for (Size c = 0; c < columns; ++c) z[r * columns + c] = sum;
    }
    return map(z, rows * columns, [&](Size i, Size k) XGRAD_LAMBDA {
      return less_part(part(x + i, k), part(y + i, k), part(z + i, k));
    });
  }
  for (; rows > 0; --rows, x += columns, y += columns, z += columns) {
    Total<T> total;
    for (Size i = 0; i < columns;) {
      const Size end = columns - i < chunk ? columns : i + chunk;
      Batch<T> sums(T(0));
      for (; i < end; i += width<T>) sums = sums + part(x + i, columns - i);
      total.add(sums);
    }
    const Batch<T> sum(reduce_lanes(total.value(), plus));
    map(z, columns, [&](Size i, Size k) XGRAD_LAMBDA { return less_part(part(x + i, k), part(y + i, k), sum); });
  }
}

// e = exp(x - most) of a row, stored where `out` is not null; and the sum of all but one, at `apart`.
template <class T, bool stored>
XGRAD_INLINE T sum_of_others(T* out, const T* x, Size columns, const Batch<T>& most, Size apart) {
  Total<T> total;
  const Batch<T> none(-infinity<T>);  // exp of it adds nothing
  for (Size i = 0; i < columns;) {
    const Size end = columns - i < chunk ? columns : i + chunk;
    Batch<T> sums(T(0));
    for (; i < end; i += width<T>) {
      const Size k = columns - i;
      Batch<T> from = load_some(x + i, k) - most;
      const bool here = apart - i < width<T> && apart >= i;
      if (k < width<T> || here) [[unlikely]] {
        alignas(64) T lanes[width<T>];
        from.store_aligned(lanes);
        for (Size j = k; j < width<T>; ++j) lanes[j] = -infinity<T>;
        from = Batch<T>::load_aligned(lanes);
      }
      const Batch<T> e = exp(from);
      if constexpr (stored) store_some(out + i, e, k);
      if (here) [[unlikely]] {
        alignas(64) T lanes[width<T>];
        e.store_aligned(lanes);
        lanes[apart - i] = T(0);
        sums = sums + Batch<T>::load_aligned(lanes);
      } else {
        sums = sums + e;
      }
    }
    total.add(sums);
  }
  return reduce_lanes(total.value(), [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return a + b; });
}

template <class T>
XGRAD_INLINE T greatest_of(const T* x, Size columns) {
  Batch<T> best(x[0]);
  Size i = 0;
  for (; i + width<T> <= columns; i += width<T>) best = upper(best, load(x + i));
  T most = reduce_lanes(best, [](const Batch<T>& a, const Batch<T>& b) XGRAD_LAMBDA { return upper(a, b); });
  for (; i < columns; ++i) most = x[i] > most ? x[i] : most;
  return most;
}

// (x - most) - log1p(the sum of the others than the greatest)
template <class T>
void log_softmax_at(void* out, const void* x_bytes, const Size* index, Size rows, Size columns) {
  const T* x = static_cast<const T*>(x_bytes);
  if (columns <= few_columns) {
    for (Size r = 0; r < rows; r += width<T>) {
      const Size k = rows - r < width<T> ? rows - r : width<T>;
      alignas(64) T column[few_columns][width<T>];
      fill_lanes(column, x + r * columns, k, columns);
      softmax_lanes<T, true>(column, columns);
      for (Size i = 0; i < k; ++i) static_cast<T*>(out)[r + i] = column[index[r + i]][i];
    }
    return;
  }
  for (Size r = 0; r < rows; ++r, x += columns) {
    const Batch<T> most(greatest_of(x, columns));
    Size apart = index[r];
    if (x[apart] != most.get(0)) {
      apart = vector_of(x, columns, most);
      while (apart >= 0 && x[apart] != most.get(0)) ++apart;
    }
    const Batch<T> others(sum_of_others<T, false>(nullptr, x, columns, most, apart));
    static_cast<T*>(out)[r] = ((Batch<T>(x[index[r]]) - most) - log1p(others)).get(0);
  }
}

// - g e / sum e;  at the index  g (the sum of the others) / sum e
template <class T>
void log_softmax_at_vjp(void* out, const void* g, const void* x_bytes, const Size* index, Size rows, Size columns) {
  const T* x = static_cast<const T*>(x_bytes);
  T* to = static_cast<T*>(out);
  if (columns <= few_columns) {
    for (Size r = 0; r < rows; r += width<T>) {
      const Size k = rows - r < width<T> ? rows - r : width<T>;
      alignas(64) T column[few_columns][width<T>], places[width<T>] = {};
      fill_lanes(column, x + r * columns, k, columns);
      for (Size i = 0; i < k; ++i) places[i] = static_cast<T>(index[r + i]);
      const auto at = [&](Size c) XGRAD_LAMBDA { return Batch<T>::load_aligned(column[c]); };
      const Batch<T> place = Batch<T>::load_aligned(places), own_g = load_some(static_cast<const T*>(g) + r, k), none(T(0));
      Batch<T> most = at(0), own(T(0)), others(T(0));
      for (Size c = 1; c < columns; ++c) most = upper(most, at(c));
      for (Size c = 0; c < columns; ++c) {
        const Batch<T> e = exp(at(c) - most);
        const Mask<T> here = place == Batch<T>(static_cast<T>(c));
        e.store_aligned(column[c]);
        own = own + pick(here, e, none);
        others = others + pick(here, none, e);
      }
      const Batch<T> all = others + own, factor = negate(own_g / all);
      for (Size c = 0; c < columns; ++c)
        pick(place == Batch<T>(static_cast<T>(c)), own_g * (others / all), at(c) * factor).store_aligned(column[c]);
      for (Size i = 0; i < k; ++i)
        for (Size c = 0; c < columns; ++c) to[(r + i) * columns + c] = column[c][i];
    }
    return;
  }
  for (Size r = 0; r < rows; ++r, x += columns, to += columns) {
    const T own_g = static_cast<const T*>(g)[r], most = greatest_of(x, columns);
    const T others = sum_of_others<T, true>(to, x, columns, Batch<T>(most), index[r]), all = others + to[index[r]];
    const Batch<T> factor(-own_g / all);
    map_light(to, columns, [&](Size i, Size k) XGRAD_LAMBDA { return load_some(to + i, k) * factor; });
    to[index[r]] = own_g * (others / all);
  }
}

// y (g - sum g y)
template <class T>
void softmax_vjp(void* out, const void* g_bytes, const void* y_bytes, Size rows, Size columns) {
  const T *g = static_cast<const T*>(g_bytes), *y = static_cast<const T*>(y_bytes);
  T* to = static_cast<T*>(out);
  for (; rows > 0; --rows, g += columns, y += columns, to += columns) {
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
    map(to, columns, [&](Size i, Size k) XGRAD_LAMBDA { return load_some(y + i, k) * (load_some(g + i, k) - Batch<T>(sum)); });
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
      if (k >= width<T>) [[likely]] return load(sums + i) + load(row + i);
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
  all.log_softmax_at_rows[0] = log_softmax_at<float>;
  all.log_softmax_at_rows[1] = log_softmax_at<double>;
  all.log_softmax_at_vjp_rows[0] = log_softmax_at_vjp<float>;
  all.log_softmax_at_vjp_rows[1] = log_softmax_at_vjp<double>;
  all.softmax_vjp_rows[0] = softmax_vjp<float>;
  all.softmax_vjp_rows[1] = softmax_vjp<double>;
  all.add_rows[0] = add_rows<float>;
  all.add_rows[1] = add_rows<double>;
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
