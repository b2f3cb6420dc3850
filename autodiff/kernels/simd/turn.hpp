// Numbers by columns instead of rows.
#pragma once

#include "autodiff/kernels/simd/lanes.hpp"

namespace xgrad::kernels {
namespace {

#if defined(__SSE2__)
// Four numbers of four rows:  to[p][r] = g[r][p]
XGRAD_INLINE void turn_four(const float* g, Size ldg, float* to, Size lanes) {
  __m128 a = _mm_loadu_ps(g), b = _mm_loadu_ps(g + ldg), c = _mm_loadu_ps(g + 2 * ldg), d = _mm_loadu_ps(g + 3 * ldg);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(to, a), _mm_storeu_ps(to + lanes, b), _mm_storeu_ps(to + 2 * lanes, c),
      _mm_storeu_ps(to + 3 * lanes, d);
}

// Of as many rows as a vector has lanes. A vector has every fourth row at first, in quarters.
XGRAD_INLINE void turn_vectors(const float* g, Size ldg, float* to, Size lanes) {
#if defined(__AVX__)
  const auto four = [&](Size r) XGRAD_LAMBDA { return _mm_loadu_ps(g + r * ldg); };
#endif
#if defined(__AVX512F__)
  const auto rows = [&](Size r) XGRAD_LAMBDA {
    const __m512 half = _mm512_insertf32x4(_mm512_castps128_ps512(four(r)), four(r + 4), 1);
    return _mm512_insertf32x4(_mm512_insertf32x4(half, four(r + 8), 2), four(r + 12), 3);
  };
  const __m512 a = rows(0), b = rows(1), c = rows(2), d = rows(3);
  const __m512 ab = _mm512_unpacklo_ps(a, b), ab_high = _mm512_unpackhi_ps(a, b), cd = _mm512_unpacklo_ps(c, d),
               cd_high = _mm512_unpackhi_ps(c, d);
  _mm512_storeu_ps(to, _mm512_shuffle_ps(ab, cd, 0x44));
  _mm512_storeu_ps(to + lanes, _mm512_shuffle_ps(ab, cd, 0xee));
  _mm512_storeu_ps(to + 2 * lanes, _mm512_shuffle_ps(ab_high, cd_high, 0x44));
  _mm512_storeu_ps(to + 3 * lanes, _mm512_shuffle_ps(ab_high, cd_high, 0xee));
#elif defined(__AVX__)
  const auto rows = [&](Size r)
                        XGRAD_LAMBDA { return _mm256_insertf128_ps(_mm256_castps128_ps256(four(r)), four(r + 4), 1); };
  const __m256 a = rows(0), b = rows(1), c = rows(2), d = rows(3);
  const __m256 ab = _mm256_unpacklo_ps(a, b), ab_high = _mm256_unpackhi_ps(a, b), cd = _mm256_unpacklo_ps(c, d),
               cd_high = _mm256_unpackhi_ps(c, d);
  _mm256_storeu_ps(to, _mm256_shuffle_ps(ab, cd, 0x44));
  _mm256_storeu_ps(to + lanes, _mm256_shuffle_ps(ab, cd, 0xee));
  _mm256_storeu_ps(to + 2 * lanes, _mm256_shuffle_ps(ab_high, cd_high, 0x44));
  _mm256_storeu_ps(to + 3 * lanes, _mm256_shuffle_ps(ab_high, cd_high, 0xee));
#else
  turn_four(g, ldg, to, lanes);
#endif
}
#endif

// turned[p][r] = g[r][p] for p < length; rows of `turned` are `lanes` long, and 0 past the rows of g. Some numbers of all rows
// at a time: what is written lies together.
template <class T>
void turn(const T* g, Size rows, Size ldg, Size length, T* turned, Size lanes) {
  constexpr Size some = 16;
  const Size whole = rows / width<T> * width<T>;
  for (Size p = 0; whole < rows && p < length; ++p)
    for (Size r = whole; r < lanes; r += width<T>) Batch<T>(T(0)).store_unaligned(turned + p * lanes + r);
  for (Size begin = 0; begin < length; begin += some) {
    const Size end = length - begin < some ? length : begin + some;
    Size r = 0;
#if defined(__SSE2__)
    if constexpr (sizeof(T) == 4)
      for (Size together; rows - r >= 4; r += together) {
        together = rows - r >= width<T> ? width<T> : 4;
        Size p = begin;
        for (; p + 4 <= end; p += 4) {
          const T* from = g + r * ldg + p;
          T* to = turned + p * lanes + r;
          if (together == 4) turn_four(from, ldg, to, lanes);
          else turn_vectors(from, ldg, to, lanes);
        }
        for (; p < end; ++p)
          for (Size i = r; i < r + together; ++i) turned[p * lanes + i] = g[i * ldg + p];
      }
#endif
    for (; r < rows; ++r)
      for (Size p = begin; p < end; ++p) turned[p * lanes + r] = g[r * ldg + p];
  }
}

}  // namespace
}  // namespace xgrad::kernels
