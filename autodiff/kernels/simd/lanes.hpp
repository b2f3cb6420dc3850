// Vectors of the instruction set that this file is compiled for, and what xsimd 8.1 lacks: fused multiply-add for
// AVX-512, parts of vectors, and conversions between float and double.
//
// xsimd itself is renamed for each instruction set, and everything else here has internal linkage: a function compiled
// for AVX-512 must not be the one that the linker picks for all.
#pragma once

#define XGRAD_JOIN_(a, b) a##b
#define XGRAD_JOIN(a, b) XGRAD_JOIN_(a, b)
#define xsimd XGRAD_JOIN(xsimd_, XGRAD_ARCH)
#include <xsimd/xsimd.hpp>

#include "autodiff/kernels/simd.hpp"

#if defined(__aarch64__)
// xsimd 8 to 14 divides floats and takes their roots by steps of Newton's, whose last bit may be wrong, and whose root of
// infinity is NaN; the machine has instructions that round correctly.
namespace xsimd {
template <>
inline batch<float, neon64>& batch<float, neon64>::operator/=(const batch<float, neon64>& y) noexcept {
  return *this = vdivq_f32(*this, y);
}
template <>
inline batch<float, neon64> sqrt(const batch<float, neon64>& x) noexcept {
  return vsqrtq_f32(x);
}
}  // namespace xsimd
#endif

#define XGRAD_INLINE [[gnu::always_inline]] inline
#define XGRAD_LAMBDA __attribute__((always_inline))
#if defined(__clang__)
#define XGRAD_UNROLL _Pragma("unroll")
#else
#define XGRAD_UNROLL _Pragma("GCC unroll 32")
#endif

namespace xgrad::kernels {
namespace {

#if defined(__AVX512F__)
using Arch = xsimd::avx512bw;
#elif defined(__AVX2__)
using Arch = xsimd::fma3<xsimd::avx2>;
#elif defined(__SSE2__)
using Arch = xsimd::sse2;
#elif defined(__aarch64__)
using Arch = xsimd::neon64;
#else
using Arch = xsimd::default_arch;
#endif

template <class T>
using Batch = xsimd::batch<T, Arch>;
template <class T>
using Mask = xsimd::batch_bool<T, Arch>;
template <class T>
inline constexpr Size width = static_cast<Size>(Batch<T>::size);
template <class T>
using Int = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

// f(i, k) for i < rows, k < columns, of an array of vectors. Unrolled early: a loop that GCC unrolls late by itself keeps the
// array in memory for it.
template <int rows, int columns, class F>
XGRAD_INLINE void each_of(const F& f) {
  XGRAD_UNROLL
  for (int i = 0; i < rows; ++i) {
    XGRAD_UNROLL
    for (int k = 0; k < columns; ++k) f(i, k);
  }
}

// x y + z: rounded once where the machine can, the same way for all lanes always
template <class T>
XGRAD_INLINE Batch<T> madd(const Batch<T>& x, const Batch<T>& y, const Batch<T>& z) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return _mm512_fmadd_ps(x, y, z);
  else return _mm512_fmadd_pd(x, y, z);
#elif defined(__FMA__)
  if constexpr (sizeof(T) == 4) return _mm256_fmadd_ps(x, y, z);
  else return _mm256_fmadd_pd(x, y, z);
#elif defined(__aarch64__)
  if constexpr (sizeof(T) == 4) return vfmaq_f32(z, x, y);
  else return vfmaq_f64(z, x, y);
#else
  return x * y + z;
#endif
}
#if defined(__FMA__) || defined(__aarch64__)
inline constexpr bool fused_madd = true;
#else
inline constexpr bool fused_madd = false;
#endif

// z - x y
template <class T>
XGRAD_INLINE Batch<T> nmadd(const Batch<T>& x, const Batch<T>& y, const Batch<T>& z) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return _mm512_fnmadd_ps(x, y, z);
  else return _mm512_fnmadd_pd(x, y, z);
#elif defined(__FMA__)
  if constexpr (sizeof(T) == 4) return _mm256_fnmadd_ps(x, y, z);
  else return _mm256_fnmadd_pd(x, y, z);
#elif defined(__aarch64__)
  if constexpr (sizeof(T) == 4) return vfmsq_f32(z, x, y);
  else return vfmsq_f64(z, x, y);
#else
  return z - x * y;
#endif
}

// The same bits as numbers of another type of T's size
template <class To, class T>
XGRAD_INLINE Batch<To> bits_as(const Batch<T>& x) {
#if XSIMD_VERSION_MAJOR >= 11
  return xsimd::bitwise_cast<To>(x);
#else
  return xsimd::bitwise_cast<Batch<To>>(x);
#endif
}
template <class T>
XGRAD_INLINE Batch<Int<T>> as_int(const Batch<T>& x) {
  return bits_as<Int<T>>(x);
}
template <class T, class I>
XGRAD_INLINE Batch<T> as_float(const Batch<I>& x) {
  return bits_as<T>(x);
}

// c0 + c1 x + c2 x^2 + ...
template <class T, class... C>
XGRAD_INLINE Batch<T> polynomial(const Batch<T>& x, double c0, C... c) {
  if constexpr (sizeof...(C) == 0) return Batch<T>(static_cast<T>(c0));
  else return madd(polynomial(x, c...), x, Batch<T>(static_cast<T>(c0)));
}

// The nearest integer of |x| < 2^22 (2^51), to even.
template <class T>
XGRAD_INLINE Batch<T> nearest(const Batch<T>& x) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  else return _mm512_roundscale_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4) return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  else return _mm256_round_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__aarch64__)
  if constexpr (sizeof(T) == 4) return vrndnq_f32(x);
  else return vrndnq_f64(x);
#else
  const Batch<T> magic(sizeof(T) == 4 ? T(12582912.0) : T(6755399441055744.0));  // 1.5 2^23, 1.5 2^52
  return (x + magic) - magic;
#endif
}

template <class T>
XGRAD_INLINE Batch<T> sign_bit(const Batch<T>& x) {
  return x & Batch<T>(T(-0.0));
}
template <class T>
XGRAD_INLINE Batch<T> negate(const Batch<T>& x) {  // xsimd's 0 - x loses the sign of 0
  return x ^ Batch<T>(T(-0.0));
}
template <class T>
XGRAD_INLINE Batch<T> magnitude(const Batch<T>& x) {
  return x & as_float<T>(Batch<Int<T>>(sizeof(T) == 4 ? Int<T>(0x7fffffff) : Int<T>(0x7fffffffffffffff)));
}
template <class T>
XGRAD_INLINE Batch<T> with_sign(const Batch<T>& x, const Batch<T>& of) {  // of x >= 0
  return x | sign_bit(of);
}
template <class T>
XGRAD_INLINE Batch<T> pick(const Mask<T>& where, const Batch<T>& x, const Batch<T>& y) {
  return xsimd::select(where, x, y);
}
// These return y where x or y is NaN, or both are 0, as x86's instructions do; xsimd's have their operands the other way round
// since 14.
template <class T>
XGRAD_INLINE Batch<T> lower(const Batch<T>& x, const Batch<T>& y) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return _mm512_min_ps(x, y);
  else return _mm512_min_pd(x, y);
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4) return _mm256_min_ps(x, y);
  else return _mm256_min_pd(x, y);
#elif defined(__SSE2__)
  if constexpr (sizeof(T) == 4) return _mm_min_ps(x, y);
  else return _mm_min_pd(x, y);
#else
  return pick(x < y, x, y);
#endif
}
template <class T>
XGRAD_INLINE Batch<T> upper(const Batch<T>& x, const Batch<T>& y) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return _mm512_max_ps(x, y);
  else return _mm512_max_pd(x, y);
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4) return _mm256_max_ps(x, y);
  else return _mm256_max_pd(x, y);
#elif defined(__SSE2__)
  if constexpr (sizeof(T) == 4) return _mm_max_ps(x, y);
  else return _mm_max_pd(x, y);
#else
  return pick(x > y, x, y);
#endif
}

template <class T>
inline constexpr T infinity = __builtin_inf();
template <class T>
inline constexpr T not_a_number = __builtin_nan("");
template <class T>
inline constexpr T smallest_normal = sizeof(T) == 4 ? T(1.17549435082228750797e-38) : T(2.2250738585072014e-308);

template <class T>
alignas(64) inline constexpr T lane_numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
template <class T>
XGRAD_INLINE Mask<T> before_lane(Size k) {  // the first k lanes
  return Batch<T>::load_aligned(lane_numbers<T>) < Batch<T>(static_cast<T>(k));
}

// x, read once: GCC would read what is used a few times from memory each time.
template <class T>
XGRAD_INLINE Batch<T> in_register(Batch<T> x) {
#if defined(__AVX512F__)
  asm("" : "+v"(x.data));
#elif defined(__SSE2__)
  asm("" : "+x"(x.data));
#endif
  return x;
}

// The first k < width elements, 0 in the other lanes; nothing past them is touched.
template <class T>
XGRAD_INLINE Batch<T> load_part(const T* x, Size k) {
  if (k == 1) {  // a narrow load of a narrow store is forwarded, a wide one would wait
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) return _mm512_zextps128_ps512(_mm_load_ss(x));
    else return _mm512_zextpd128_pd512(_mm_load_sd(x));
#elif defined(__AVX__)
    if constexpr (sizeof(T) == 4) return _mm256_zextps128_ps256(_mm_load_ss(x));
    else return _mm256_zextpd128_pd256(_mm_load_sd(x));
#elif defined(__SSE2__)
    if constexpr (sizeof(T) == 4) return _mm_load_ss(x);
    else return _mm_load_sd(x);
#endif
  }
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << k) - 1), x);
  else return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << k) - 1), x);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) return _mm256_maskload_ps(x, _mm256_castps_si256(before_lane<T>(k)));
  else return _mm256_maskload_pd(x, _mm256_castpd_si256(before_lane<T>(k)));
#else
  alignas(64) T part[width<T>] = {};
  for (Size i = 0; i < width<T> - 1; ++i)
    if (i < k) part[i] = x[i];
  return Batch<T>::load_aligned(part);
#endif
}

template <class T>
XGRAD_INLINE void store_part(T* out, const Batch<T>& x, Size k) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    if (k == 1) return _mm_store_ss(out, _mm512_castps512_ps128(x));
    _mm512_mask_storeu_ps(out, static_cast<__mmask16>((1u << k) - 1), x);
  } else {
    if (k == 1) return _mm_store_sd(out, _mm512_castpd512_pd128(x));
    _mm512_mask_storeu_pd(out, static_cast<__mmask8>((1u << k) - 1), x);
  }
#else
#if defined(__AVX__)
  if (k == 1) {
    if constexpr (sizeof(T) == 4) return _mm_store_ss(out, _mm256_castps256_ps128(x));
    else return _mm_store_sd(out, _mm256_castpd256_pd128(x));
  }
#elif defined(__SSE2__)
  if (k == 1) {
    if constexpr (sizeof(T) == 4) return _mm_store_ss(out, x);
    else return _mm_store_sd(out, x);
  }
#endif
  alignas(64) T part[width<T>];
  x.store_aligned(part);
  for (Size i = 0; i < width<T> - 1; ++i)
    if (i < k) out[i] = part[i];
#endif
}

template <class T>
XGRAD_INLINE Batch<T> load(const T* x) {
  return Batch<T>::load_unaligned(x);
}

// The lower and the upper half of floats as doubles, and back.
#if defined(__SSE2__)
XGRAD_INLINE void widen(const Batch<float>& x, Batch<double>& low, Batch<double>& high) {
#if defined(__AVX512F__)
  low = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
  high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
#elif defined(__AVX__)
  low = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
  high = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
#else
  low = _mm_cvtps_pd(x);
  high = _mm_cvtps_pd(_mm_movehl_ps(x, x));
#endif
}
XGRAD_INLINE Batch<float> narrow(const Batch<double>& low, const Batch<double>& high) {
#if defined(__AVX512F__)
  return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1);
#elif defined(__AVX__)
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low)), _mm256_cvtpd_ps(high), 1);
#else
  return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
#endif
}
#elif defined(__aarch64__)
XGRAD_INLINE void widen(const Batch<float>& x, Batch<double>& low, Batch<double>& high) {
  low = vcvt_f64_f32(vget_low_f32(x));
  high = vcvt_high_f64_f32(x);
}
XGRAD_INLINE Batch<float> narrow(const Batch<double>& low, const Batch<double>& high) {
  return vcvt_high_f32_f64(vcvt_f32_f64(low), high);
}
#else
XGRAD_INLINE void widen(const Batch<float>& x, Batch<double>& low, Batch<double>& high) {
  float from[width<float>];
  double to[width<float>];
  x.store_unaligned(from);
  for (Size i = 0; i < width<float>; ++i) to[i] = from[i];
  low = load(to);
  high = load(to + width<double>);
}
XGRAD_INLINE Batch<float> narrow(const Batch<double>& low, const Batch<double>& high) {
  double from[width<float>];
  float to[width<float>];
  low.store_unaligned(from);
  high.store_unaligned(from + width<double>);
  for (Size i = 0; i < width<float>; ++i) to[i] = static_cast<float>(from[i]);
  return load(to);
}
#endif

// f over the lanes in one order on every instruction set: lane i with lane i + half, and so on. f commutes.
template <class T, class F>
XGRAD_INLINE T reduce_lanes(Batch<T> x, const F& f) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    x = f(x, Batch<T>(_mm512_shuffle_f32x4(x, x, 0x4e)));
    x = f(x, Batch<T>(_mm512_shuffle_f32x4(x, x, 0xb1)));
    x = f(x, Batch<T>(_mm512_permute_ps(x, 0x4e)));
    x = f(x, Batch<T>(_mm512_permute_ps(x, 0xb1)));
    return _mm512_cvtss_f32(x);
  } else {
    x = f(x, Batch<T>(_mm512_shuffle_f64x2(x, x, 0x4e)));
    x = f(x, Batch<T>(_mm512_shuffle_f64x2(x, x, 0xb1)));
    x = f(x, Batch<T>(_mm512_permute_pd(x, 0x55)));
    return _mm512_cvtsd_f64(x);
  }
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4) {
    x = f(x, Batch<T>(_mm256_permute2f128_ps(x, x, 1)));
    x = f(x, Batch<T>(_mm256_permute_ps(x, 0x4e)));
    x = f(x, Batch<T>(_mm256_permute_ps(x, 0xb1)));
    return _mm256_cvtss_f32(x);
  } else {
    x = f(x, Batch<T>(_mm256_permute2f128_pd(x, x, 1)));
    x = f(x, Batch<T>(_mm256_permute_pd(x, 0x5)));
    return _mm256_cvtsd_f64(x);
  }
#else
  alignas(64) T lanes[width<T>];
  for (Size half = width<T> / 2; half > 0; half /= 2) {
    x.store_aligned(lanes);
    alignas(64) T other[width<T>] = {};
    for (Size i = 0; i < half; ++i) other[i] = lanes[i + half];
    x = f(x, Batch<T>::load_aligned(other));
  }
  return x.get(0);
#endif
}

}  // namespace
}  // namespace xgrad::kernels
