// The inner loops of convolutions (kernels/convolution.cpp): every tap of the kernel, of every channel, reads the image at
// an offset of its own, and positions that lie side by side are lanes.
#include "autodiff/kernels/simd/lanes.hpp"
#include "autodiff/kernels/simd/turn.hpp"

namespace xgrad::kernels {
namespace {

constexpr Size most_depth = 1024;  // numbers that one running total is of

// Rows x vectors of positions:  out[r][v] = or += sum over k of a[r][k] x[offset[k] + start[v]]
template <class T, int rows, int vectors>
XGRAD_INLINE void tile(const T* a, Size lda, const T* x, const Size (&start)[3], const Size* offset, Size depth,
                       bool add, T* out, Size ldo) {
  Batch<T> sums[rows][vectors];
  for (auto& row : sums)
    for (auto& sum : row) sum = Batch<T>(T(0));
  for (Size k = 0; k < depth; ++k) {
    const T* at = x + offset[k];
    Batch<T> y[vectors];
    for (int v = 0; v < vectors; ++v) y[v] = load(at + start[v]);
    for (int r = 0; r < rows; ++r) {
      const Batch<T> w(a[r * lda + k]);
      for (int v = 0; v < vectors; ++v) sums[r][v] = madd(w, y[v], sums[r][v]);
    }
  }
  each_of<rows, vectors>([&](int r, int v) XGRAD_LAMBDA {
    T* to = out + r * ldo + v * width<T>;
    (add ? load(to) + sums[r][v] : sums[r][v]).store_unaligned(to);
  });
}

// Vectors of positions that lie side by side in the results: of each line so many, and lines are `across` apart in x.
struct Vectors {
  Size count, of_line, across;
};

template <class T, int rows>
void strip(const T* a, Size lda, const T* x, const Size* offset, Size depth, T* out, Size ldo, const Vectors& all) {
  Size from = 0;
  do {
    const Size some = depth - from < most_depth ? depth - from : most_depth;
    Size next = 0, left_in_line = all.of_line;  // of vectors
    for (Size v = 0; v < all.count; v += 3) {
      const Size left = all.count - v;
      Size start[3];
      for (Size& of_vector : start) {
        of_vector = next;
        next += width<T>;
        if (--left_in_line > 0) continue;
        next += all.across - all.of_line * width<T>;
        left_in_line = all.of_line;
      }
      const auto at = [&]<int vectors>() XGRAD_LAMBDA {
        tile<T, rows, vectors>(a + from, lda, x, start, offset + from, some, from > 0, out + v * width<T>, ldo);
      };
      if (left > 2) at.template operator()<3>();
      else if (left == 2) at.template operator()<2>();
      else at.template operator()<1>();
    }
    from += some;
  } while (from < depth);
}

template <class T>
Size correlate(const void* a_bytes, Size rows, Size lda, const void* x_bytes, const Size* offset, Size depth,
               void* out_bytes, Size ldo, Size lines, Size count, Size across) {
  const T *a = static_cast<const T*>(a_bytes), *x = static_cast<const T*>(x_bytes);
  T* out = static_cast<T*>(out_bytes);
  // Vectors of each line, or of all with what is between them, whichever are fewer.
  const Size of_line = (count + width<T> - 1) / width<T>;
  const Size of_all = ((lines - 1) * across + count + width<T> - 1) / width<T>;
  const bool by_lines = lines * of_line <= of_all;
  const Vectors all{by_lines ? lines * of_line : of_all, by_lines ? of_line : of_all, across};
  const auto strip_of = [&]<int some>() { strip<T, some>(a, lda, x, offset, depth, out, ldo, all); };
  const Size apart = by_lines ? of_line * width<T> : across;
  const auto next = [&](Size some) { a += some * lda, out += some * ldo; };
  switch (rows) {
#if defined(__AVX512F__)  // 32 registers
    case 8: strip_of.template operator()<8>(); break;
    case 6: strip_of.template operator()<6>(); break;
#else
    case 8: strip_of.template operator()<4>(), next(4), strip_of.template operator()<4>(); break;
    case 6: strip_of.template operator()<3>(), next(3), strip_of.template operator()<3>(); break;
#endif
    case 7: strip_of.template operator()<4>(), next(4), strip_of.template operator()<3>(); break;
    case 5: strip_of.template operator()<3>(), next(3), strip_of.template operator()<2>(); break;
    case 4: strip_of.template operator()<4>(); break;
    case 3: strip_of.template operator()<3>(); break;
    case 2: strip_of.template operator()<2>(); break;
    default: strip_of.template operator()<1>();
  }
  return apart;
}

template <class T>
void take_lines(const void* from_bytes, Size across, Size lines, Size count, const void* plus, void* to_bytes,
                Size row) {
  const T* from = static_cast<const T*>(from_bytes);
  T* to = static_cast<T*>(to_bytes);
  const Batch<T> more(plus ? *static_cast<const T*>(plus) : T(-0.0));
  const Size last = count - width<T>;  // where the last vector begins
  for (Size line = 0; line < lines; ++line, from += across, to += row) {
    if (last < 0) {
      store_part(to, load_part(from, count) + more, count);
      continue;
    }
    for (Size i = 0; i < last; i += width<T>) (load(from + i) + more).store_unaligned(to + i);
    (load(from + last) + more).store_unaligned(to + last);
  }
}

// to[i] += the sum of the lanes of v[i]
template <class T>
XGRAD_INLINE void add_lanes(const Batch<T> (&v)[4], double* to) {
#if defined(__AVX__)
  if constexpr (sizeof(T) == 4) {
    __m256 half[4];
    for (int i = 0; i < 4; ++i) {
#if defined(__AVX512F__)
      half[i] = _mm256_add_ps(_mm512_castps512_ps256(v[i]), _mm512_extractf32x8_ps(v[i], 1));
#else
      half[i] = v[i];
#endif
    }
    const __m256 four = _mm256_hadd_ps(_mm256_hadd_ps(half[0], half[1]), _mm256_hadd_ps(half[2], half[3]));
    const __m128 sums = _mm_add_ps(_mm256_castps256_ps128(four), _mm256_extractf128_ps(four, 1));
    _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), _mm256_cvtps_pd(sums)));
    return;
  }
#endif
  each_of<4, 1>([&](int i, int) XGRAD_LAMBDA {
    to[i] += static_cast<double>(
        reduce_lanes(v[i], [](const Batch<T>& p, const Batch<T>& q) XGRAD_LAMBDA { return p + q; }));
  });
}

constexpr int most_rows = 4;

// Vectors of positions, the rows' beside each other; the last `partial` are of `length` numbers each. And where each
// begins in x.
template <class T, int rows>
struct Packed {
  alignas(64) T g[most_positions / width<T>][rows][width<T>];
  Size at[most_positions / width<T>];
  Size whole, partial, length;

  // The lines' numbers, filled up with zeros: whole vectors of all lines, then what is left of each.
  Packed(const SumLine* lines, Size count, Size of, Size ldg) {
    const Size each = of / width<T>;
    length = of - each * width<T>;
    whole = count * each;
    partial = length > 0 ? count : 0;
    for (Size line = 0; line < count; ++line) {
      for (Size v = 0; v < each; ++v) at[line * each + v] = lines[line].x + v * width<T>;
      if (partial > 0) at[whole + line] = lines[line].x + each * width<T>;
      for (Size r = 0; r < rows; ++r) {
        const T* from = static_cast<const T*>(lines[line].g) + r * ldg;
        for (Size v = 0; v < each; ++v) load(from + v * width<T>).store_aligned(g[line * each + v][r]);
        if (partial == 0) continue;
        load_part(from + each * width<T>, length).store_aligned(g[whole + line][r]);
      }
    }
  }
};

// sums[k][r] += sum over positions p of g[r][p] x[offset[k] + p]
template <class T, int rows, int taps>
void dots(const Packed<T, rows>& p, const T* x, const Size* offset, double* sums) {
  Batch<T> total[taps][most_rows];
  for (auto& tap : total)
    for (auto& sum : tap) sum = Batch<T>(T(0));
  const T* at[taps];
  for (int k = 0; k < taps; ++k) at[k] = x + offset[k];
  const auto run = [&](Size from, Size to, const auto& some) XGRAD_LAMBDA {
    for (Size i = from; i < to; ++i) {
      Batch<T> y[taps];
      for (int k = 0; k < taps; ++k) y[k] = some(at[k] + p.at[i]);
      for (int r = 0; r < rows; ++r) {
        const Batch<T> z = in_register(Batch<T>::load_aligned(p.g[i][r]));
        for (int k = 0; k < taps; ++k) total[k][r] = madd(z, y[k], total[k][r]);
      }
    }
  };
  run(0, p.whole, [](const T* x) XGRAD_LAMBDA { return load(x); });
  if (p.partial > 0) {  // numbers past the end of a line are not of that line, and may be infinite
#if defined(__AVX512F__)
    const auto some = [&](const T* x) XGRAD_LAMBDA { return load_part(x, p.length); };
#else
    alignas(64) Int<T> lanes[width<T>];
    for (Size i = 0; i < width<T>; ++i) lanes[i] = i < p.length ? -1 : 0;
    const Batch<T> inside = as_float<T>(Batch<Int<T> >::load_aligned(lanes));
    const auto some = [&](const T* x) XGRAD_LAMBDA { return load(x) & inside; };
#endif
    run(p.whole, p.whole + p.partial, some);
  }
  each_of<taps, 1>([&](int k, int) XGRAD_LAMBDA { add_lanes(total[k], sums + k * most_rows); });
}

template <class T, int rows>
void all_dots(const SumLine* lines, Size count, Size length, Size ldg, const T* x, const Size* offset, Size depth,
              double* sums) {
  const Packed<T, rows> packed(lines, count, length, ldg);
  Size k = 0;
  for (; k + 3 <= depth; k += 3) dots<T, rows, 3>(packed, x, offset + k, sums + k * most_rows);
  if (depth - k == 2) dots<T, rows, 2>(packed, x, offset + k, sums + k * most_rows);
  if (depth - k == 1) dots<T, rows, 1>(packed, x, offset + k, sums + k * most_rows);
}

template <class T>
void correlate_weight(const SumLine* lines, Size count, Size length, Size rows, Size ldg, const void* x_bytes,
                      const Size* offset, Size depth, double* sums) {
  const T* x = static_cast<const T*>(x_bytes);
  switch (rows) {
    case 4: return all_dots<T, 4>(lines, count, length, ldg, x, offset, depth, sums);
    case 3: return all_dots<T, 3>(lines, count, length, ldg, x, offset, depth, sums);
    case 2: return all_dots<T, 2>(lines, count, length, ldg, x, offset, depth, sums);
    default: return all_dots<T, 1>(lines, count, length, ldg, x, offset, depth, sums);
  }
}

XGRAD_INLINE void add_to(double* sums, const Batch<float>& x) {
  Batch<double> low, high;
  widen(x, low, high);
  (load(sums) + low).store_unaligned(sums);
  (load(sums + width<double>) + high).store_unaligned(sums + width<double>);
}
XGRAD_INLINE void add_to(double* sums, const Batch<double>& x) { (load(sums) + x).store_unaligned(sums); }

// sums[k][r] += sum over positions p of g[p][r] x[offset[k] + p], for some vectors of rows
template <class T, int vectors, int taps>
void outer(const SumPiece* pieces, Size count, const T* g, Size lanes, const T* x, const Size* offset, double* sums) {
  Batch<T> total[taps][vectors];
  for (auto& tap : total)
    for (auto& sum : tap) sum = Batch<T>(T(0));
  for (const SumPiece* piece = pieces; piece < pieces + count; ++piece) {
    const T* at[taps];
    for (int k = 0; k < taps; ++k) at[k] = x + offset[k] + piece->x;
    for (Size p = 0; p < piece->length; ++p, g += lanes) {
      Batch<T> z[vectors];
      for (int v = 0; v < vectors; ++v) z[v] = load(g + v * width<T>);
      for (int k = 0; k < taps; ++k) {
        const Batch<T> y(at[k][p]);
        for (int v = 0; v < vectors; ++v) total[k][v] = madd(y, z[v], total[k][v]);
      }
    }
  }
  each_of<taps, vectors>([&](int k, int v) XGRAD_LAMBDA { add_to(sums + k * lanes + v * width<T>, total[k][v]); });
}

template <class T, int vectors>
void all_outer(const SumPiece* pieces, Size count, const T* g, Size lanes, const T* x, const Size* offset, Size depth,
               double* sums) {
#if defined(__AVX512F__)
  constexpr int most = 12;
#else
  constexpr int most = 6;
#endif
  Size k = 0;
  for (; k + most <= depth; k += most)
    outer<T, vectors, most>(pieces, count, g, lanes, x, offset + k, sums + k * lanes);
  for (; k + 3 <= depth; k += 3) outer<T, vectors, 3>(pieces, count, g, lanes, x, offset + k, sums + k * lanes);
  for (; k < depth; ++k) outer<T, vectors, 1>(pieces, count, g, lanes, x, offset + k, sums + k * lanes);
}

template <class T>
void correlate_weight_lanes(const SumPiece* pieces, Size count, Size rows, Size ldg, const void* x_bytes,
                            const Size* offset, Size depth, void* turned_bytes, Size lanes, double* sums) {
  const T* x = static_cast<const T*>(x_bytes);
  T *turned = static_cast<T*>(turned_bytes), *to = turned;
  for (const SumPiece* piece = pieces; piece < pieces + count; to += piece->length * lanes, ++piece)
    turn(static_cast<const T*>(piece->g), rows, ldg, piece->length, to, lanes);
  Size r = 0;
  for (; r + 2 * width<T> <= lanes; r += 2 * width<T>)
    all_outer<T, 2>(pieces, count, turned + r, lanes, x, offset, depth, sums + r);
  for (; r < lanes; r += width<T>) all_outer<T, 1>(pieces, count, turned + r, lanes, x, offset, depth, sums + r);
}

}  // namespace

namespace XGRAD_ARCH {

void fill_convolution(Simd& all) {
  all.correlate[0] = correlate<float>;
  all.correlate[1] = correlate<double>;
  all.take_lines[0] = take_lines<float>;
  all.take_lines[1] = take_lines<double>;
  all.correlate_weight_lanes[0] = correlate_weight_lanes<float>;
  all.correlate_weight_lanes[1] = correlate_weight_lanes<double>;
  all.correlate_weight[0] = correlate_weight<float>;
  all.correlate_weight[1] = correlate_weight<double>;
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
