// What is plain loops, left to the compiler to vectorise: i64, booleans, comparisons, where, casts, and reductions of
// integers.
//
// i64 has no: div, floor, ceil, round, sqrt ... ndtr, pow, atan2, relu, step: these take integers as floats (dtypes.hpp).
// Nor half_step and what else slopes are made of. booleans have: the six comparisons, where and the logical ops.
#include "autodiff/kernels/simd/lanes.hpp"

// `out` may be an operand, at the same address, so that no element is read after it was written.
#ifdef __clang__
#define XGRAD_INDEPENDENT  // which looks by itself whether arrays overlap
#else
#define XGRAD_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace xgrad::kernels {
namespace {

using Word = std::uint64_t;  // i64 wraps around; signed overflow would be undefined

template <class T, bool uniform>
struct Element {
  const T* x;
  T value;
  explicit Element(const void* from) : x(static_cast<const T*>(from)), value() {
    if constexpr (uniform) value = *x;
  }
  XGRAD_INLINE T operator[](Size i) const {
    if constexpr (uniform) return value;
    else return x[i];
  }
};

template <auto f, class To, class From, int mask>
void loop1(void* out, const void* a, const void*, const void*, Size n) {
  const Element<From, mask & 1> x(a);
  To* y = static_cast<To*>(out);
  XGRAD_INDEPENDENT
  for (Size i = 0; i < n; ++i) y[i] = f(x[i]);
}

template <auto f, class To, class From, int mask>
void loop2(void* out, const void* a, const void* b, const void*, Size n) {
  const Element<From, mask & 1> x(a);
  const Element<From, (mask & 2) != 0> y(b);
  To* z = static_cast<To*>(out);
  XGRAD_INDEPENDENT
  for (Size i = 0; i < n; ++i) z[i] = f(x[i], y[i]);
}

template <class T, int mask>
void loop_where(void* out, const void* a, const void* b, const void* c, Size n) {
  const Element<std::uint8_t, mask & 1> w(a);
  const Element<T, (mask & 2) != 0> x(b);
  const Element<T, (mask & 4) != 0> y(c);
  T* z = static_cast<T*>(out);
  XGRAD_INDEPENDENT
  for (Size i = 0; i < n; ++i) {
    const T u = x[i], v = y[i];
    z[i] = w[i] ? u : v;
  }
}

template <auto f, class To, class From>
void set1(Table& t, Elementwise op, DType dtype) {
  Kernel* k = t.elementwise[static_cast<int>(op)][static_cast<int>(dtype)];
  for (int mask = 0; mask < mask_count; ++mask) k[mask] = mask & 1 ? loop1<f, To, From, 1> : loop1<f, To, From, 0>;
}

template <auto f, class To, class From>
void set2(Table& t, Elementwise op, DType dtype) {
  constexpr Kernel of[] = {loop2<f, To, From, 0>, loop2<f, To, From, 1>, loop2<f, To, From, 2>, loop2<f, To, From, 3>};
  Kernel* k = t.elementwise[static_cast<int>(op)][static_cast<int>(dtype)];
  for (int mask = 0; mask < mask_count; ++mask) k[mask] = of[mask & 3];
}

template <class T>
void set_where(Table& t, DType dtype) {
  constexpr Kernel of[] = {loop_where<T, 0>, loop_where<T, 1>, loop_where<T, 2>, loop_where<T, 3>,
                           loop_where<T, 4>, loop_where<T, 5>, loop_where<T, 6>, loop_where<T, 7>};
  Kernel* k = t.elementwise[static_cast<int>(Elementwise::where)][static_cast<int>(dtype)];
  for (int mask = 0; mask < mask_count; ++mask) k[mask] = of[mask];
}

template <class T>
void set_comparisons(Table& t, DType dtype) {
#define COMPARE(op, lane)                                                                                          \
  set2<[](T x, T y) XGRAD_LAMBDA { return static_cast<std::uint8_t>(lane); }, std::uint8_t, T>(t, Elementwise::op, \
                                                                                               dtype);
#include "autodiff/elementwise.def"
}

// Downwards, as floor says; the least number by -1 is itself. The caller sees to it that y is not 0.
XGRAD_INLINE Size quotient(Size x, Size y) {
  if (y == -1) return static_cast<Size>(-static_cast<Word>(x));
  return x / y - (x % y != 0 && (x < 0) != (y < 0));
}
// What that leaves: of y's sign.
XGRAD_INLINE Size modulus(Size x, Size y) {
  if (y == -1) return 0;
  const Size r = x % y;
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

void set_i64(Table& t) {
  constexpr DType d = DType::i64;
  using E = Elementwise;
  set1<[](Word x) XGRAD_LAMBDA { return -x; }, Word, Word>(t, E::neg, d);
  set1<[](Size x) XGRAD_LAMBDA { return (x < 0) ? -static_cast<Word>(x) : static_cast<Word>(x); }, Word, Size>(
      t, E::abs, d);
  set1<[](Size x) XGRAD_LAMBDA { return static_cast<Size>((x > 0) - (x < 0)); }, Size, Size>(t, E::sign, d);
  set1<[](Word x) XGRAD_LAMBDA { return x * x; }, Word, Word>(t, E::square, d);
  set2<[](Word x, Word y) XGRAD_LAMBDA { return x + y; }, Word, Word>(t, E::add, d);
  set2<[](Word x, Word y) XGRAD_LAMBDA { return x - y; }, Word, Word>(t, E::sub, d);
  set2<[](Word x, Word y) XGRAD_LAMBDA { return x * y; }, Word, Word>(t, E::mul, d);
  set2<[](Size x, Size y) XGRAD_LAMBDA { return quotient(x, y); }, Size, Size>(t, E::floor_divide, d);
  set2<[](Size x, Size y) XGRAD_LAMBDA { return modulus(x, y); }, Size, Size>(t, E::remainder, d);
  set2<[](Size x, Size y) XGRAD_LAMBDA { return (x > y) ? x : y; }, Size, Size>(t, E::maximum, d);
  set2<[](Size x, Size y) XGRAD_LAMBDA { return (x > y) ? x : y; }, Size, Size>(t, E::at_least, d);
  set2<[](Size x, Size y) XGRAD_LAMBDA { return (x < y) ? x : y; }, Size, Size>(t, E::minimum, d);
  set2<[](Size x, Size y) XGRAD_LAMBDA { return (x < y) ? x : y; }, Size, Size>(t, E::at_most, d);
}

void set_booleans(Table& t) {
  constexpr DType d = DType::boolean;
  using Byte = std::uint8_t;
  const auto set = [&](auto f, Elementwise op) { set2<decltype(f){}, Byte, Byte>(t, op, d); };
  set([](Byte x, Byte y) XGRAD_LAMBDA { return static_cast<Byte>(x & y); }, Elementwise::logical_and);
  set([](Byte x, Byte y) XGRAD_LAMBDA { return static_cast<Byte>(x | y); }, Elementwise::logical_or);
  set1<[](Byte x) XGRAD_LAMBDA { return static_cast<Byte>(x ^ 1); }, Byte, Byte>(t, Elementwise::logical_not, d);
}

// Truncates; what is out of range is the nearest number, and NaN the least, as on x86: an index that fails.
template <class T>
XGRAD_INLINE Size truncated(T x) {
  constexpr T limit = T(9223372036854775808.0);  // 2^63
  const Size greatest = INT64_MAX, least = INT64_MIN;
  return x >= limit ? greatest : x >= -limit ? static_cast<Size>(x) : least;
}

template <class To, class From>
XGRAD_INLINE To converted(From x) {
  if constexpr (std::is_same_v<To, std::uint8_t>) return static_cast<To>(x != From(0));
  else if constexpr (std::is_same_v<To, Size> && std::is_floating_point_v<From>) return truncated(x);
  else return static_cast<To>(x);
}

template <class From>
void set_casts(Table& t, DType from) {
  Kernel* k = t.cast[static_cast<int>(from)];
  k[static_cast<int>(DType::f32)] = loop1<converted<float, From>, float, From, 0>;
  k[static_cast<int>(DType::f64)] = loop1<converted<double, From>, double, From, 0>;
  k[static_cast<int>(DType::i64)] = loop1<converted<Size, From>, Size, From, 0>;
  k[static_cast<int>(DType::boolean)] = loop1<converted<std::uint8_t, From>, std::uint8_t, From, 0>;
}

void fold_sum(void* y, const void* x, Size n) {
  Word sum = 0;
  for (Size i = 0; i < n; ++i) sum += static_cast<const Word*>(x)[i];
  *static_cast<Word*>(y) = sum;
}

template <bool greatest>
void fold_extreme(void* y, const void* from, Size n) {
  const Size* x = static_cast<const Size*>(from);
  Size best = greatest ? INT64_MIN : INT64_MAX;
  for (Size i = 0; i < n; ++i) best = (greatest ? x[i] > best : x[i] < best) ? x[i] : best;
  *static_cast<Size*>(y) = best;
}

}  // namespace

namespace XGRAD_ARCH {

void fill_integers(Simd& all) {
  Table& t = all.table;
  set_i64(t);
  set_booleans(t);
  set_comparisons<float>(t, DType::f32);
  set_comparisons<double>(t, DType::f64);
  set_comparisons<Size>(t, DType::i64);
  set_comparisons<std::uint8_t>(t, DType::boolean);
  set_where<float>(t, DType::f32);
  set_where<double>(t, DType::f64);
  set_where<Size>(t, DType::i64);
  set_where<std::uint8_t>(t, DType::boolean);
  set_casts<float>(t, DType::f32);
  set_casts<double>(t, DType::f64);
  set_casts<Size>(t, DType::i64);
  set_casts<std::uint8_t>(t, DType::boolean);
  t.fold[static_cast<int>(Reduction::sum)][static_cast<int>(DType::i64)] = fold_sum;
  t.fold[static_cast<int>(Reduction::greatest)][static_cast<int>(DType::i64)] = fold_extreme<true>;
  t.fold[static_cast<int>(Reduction::least)][static_cast<int>(DType::i64)] = fold_extreme<false>;
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
