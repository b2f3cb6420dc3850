// The elementwise and reduction kernels, compiled once an instruction set and chosen at run time.
#pragma once

#include "autodiff/dtype.hpp"

namespace xgrad::kernels {

// What a slope of elementwise.def is made of, read off its formula: of x alone, of y alone, or of neither, or both. One
// that is a mere x or y counts as neither: it needs no kernel of its own.
enum class SlopeOf : std::uint8_t { other, x, y };
constexpr SlopeOf slope_of(const char* formula) {
  const auto in_name = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  bool x = false, y = false, more = false;
  for (const char* c = formula; *c; ++c) {
    const bool alone = (c == formula || !in_name(c[-1])) && !in_name(c[1]);
    x |= alone && *c == 'x';
    y |= alone && *c == 'y';
    more |= c > formula;
  }
  return !more || x == y ? SlopeOf::other : x ? SlopeOf::x : SlopeOf::y;
}

// Every elementwise op, in the table's order; the unary ones' slope times a cotangent; then the ones that the table's
// columns do not fit.
enum class Elementwise : std::uint8_t {
#define UNARY(op, ...) op,
#define BINARY(op, ...) op,
#define COMPARE(op, ...) op,
#include "autodiff/elementwise.def"
#define UNARY(op, ...) op##_vjp,  // dy/dx(a) b, a being x or y; null where the slope is made of neither, or both
#include "autodiff/elementwise.def"
  where,        // a ? b : c       a: boolean
  logical_and,  // booleans
  logical_or,
  logical_not,
  count
};

// out[i] = f(a[i], b[i], c[i]) for i < n; exact: nothing past n is read or written, and the lanes of a tail have the
// bits that they would have in a whole vector. `out` may be a, b or c itself (the same address, not a shifted one).
using Kernel = void (*)(void* out, const void* a, const void* b, const void* c, Size n);

// y = *x reduced over n contiguous elements, in an order that depends on n alone (n <= 1024 as the engine calls it,
// any n is right). Of no elements: the neutral element (0; -inf, +inf; for i64 the least, the greatest number).
using Fold = void (*)(void* y, const void* x, Size n);
enum class Reduction : std::uint8_t { sum, greatest, least, count };

// Two float ops in one pass, each rounded: inner(a, b), then outer(that, c).
enum class Inner : std::uint8_t { add, sub, mul, count };
enum class Outer : std::uint8_t { add, sub, rsub, mul, count };  // u + c, u - c, c - u, u * c

inline constexpr int op_count = static_cast<int>(Elementwise::count);
inline constexpr int mask_count = 8;  // bit k set: operand k is one value, read at its address, for all i

// Null where an op does not exist for a dtype. The dtype is that of the operands (of where: of b and c).
struct Table {
  const char* name;  // "avx512"
  int level;         // of sse2, avx2, avx512: 0, 1, 2
  Kernel elementwise[op_count][dtype_count][mask_count];
  Kernel fused[static_cast<int>(Inner::count)][static_cast<int>(Outer::count)][2][mask_count];  // f32, f64
  Kernel cast[dtype_count][dtype_count];  // [from][to]; to boolean: x != 0; float to i64 truncates, and NaN is 0
  Fold fold[static_cast<int>(Reduction::count)][dtype_count];
};

// The machine's widest table that was compiled in, or what XGRAD_SIMD=sse2|avx2|avx512 names. Chosen once.
const Table& table();

}  // namespace xgrad::kernels
