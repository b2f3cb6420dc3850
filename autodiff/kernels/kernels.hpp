// The elementwise and reduction kernels, compiled once an instruction set and chosen at run time.
#pragma once

#include <xgrad/autodiff/dtype.hpp>

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

// Every elementwise op, in the order of its table; the unary ones' slope times a cotangent before what fits no column.
enum class Elementwise : std::uint8_t {
#define UNARY(op, ...) op,
#define BINARY(op, ...) op,
#define TERNARY(op, ...) op,
#define COMPARE(op, ...) op,
#include "autodiff/elementwise.def"
#define UNARY(op, ...) op##_vjp,  // dy/dx(a) b, a being x or y; null where the slope is made of neither, or both
#include "autodiff/elementwise.def"
#define OTHER(op) op,
#include "autodiff/elementwise.def"
  count
};

// out[i] = f(a[i], b[i], c[i]) for i < n; exact: nothing past n is read or written, and the lanes of a tail have the
// bits that they would have in a whole vector. `out` may be a, b or c itself (the same address, not a shifted one).
using Kernel = void (*)(void* out, const void* a, const void* b, const void* c, Size n);

// y[i] = f(x[i]) and slope[i] = f'(x[i]), with the bits of the two ops. `y` may be x itself.
using WithSlope = void (*)(void* y, void* slope, const void* x, Size n);

// y = *x reduced over n contiguous elements, in an order that depends on n alone (n <= 1024 as the engine calls it,
// any n is right). Of no elements: the neutral element (0; -inf, +inf; for i64 the least, the greatest number).
using Fold = void (*)(void* y, const void* x, Size n);
enum class Reduction : std::uint8_t {
#define REDUCTION(op, ...) op,
#include "autodiff/structural.def"
  count
};

// A chain: light float ops one after another on a running value `a`, which stays in registers for some vectors at a
// time. Each op is rounded. A step may begin with another value, and may write its result.
enum class Act : std::uint8_t {
  none,
  sum,  // x[chunk] = the sum of the block, as the kernel folds it; y: 128 bytes of scratch
#define ONE(op) op,
#define COMMUTES(op) op,
#define ORDERED(op) op, op##_reversed,
#define PRODUCT(op) op##_product, op##_product_reversed,
#include "autodiff/kernels/chain.def"
  end
};
enum class From : std::uint8_t {
  none,
  number,   // one, at its address
  memory,   // the address of element 0
  scratch,  // an offset in the scratch memory, where the block begins
};
struct Spot {
  From from = From::none;
  std::intptr_t at = 0;
};
struct ChainStep {
  std::uint64_t form =
      0;  // of 8 bits each: the label, and where first, x, y and out are; one word, as it is read often
  std::intptr_t first = 0, x = 0, y = 0, out = 0;
  ChainStep() = default;
  ChainStep(Act act, Spot first, Spot x, Spot y, Spot out)  // first none: the running value
      : form((2 * static_cast<std::uint64_t>(act) + (x.from == From::number || y.from == From::number)) |
             bits(first, 1) | bits(x, 2) | bits(y, 3)),
        first(first.at),
        x(x.at),
        y(y.at) {
    store(out);
  }
  Act act() const { return static_cast<Act>((form & 255) / 2); }
  From from(int place) const { return static_cast<From>(form >> (8 * place) & 255); }  // 1: first, 2: x, 3: y, 4: out
  void store(Spot to) {
    form |= bits(to, 4);
    out = to.at;
  }
  static constexpr std::uint64_t bits(Spot spot, int place) {
    return static_cast<std::uint64_t>(spot.from) << (8 * place);
  }
};
// Runs the steps for elements [start, start + n).
using Chain = void (*)(const ChainStep* steps, char* scratch, Size start, Size n);
inline constexpr Size chunk = 512;  // numbers that lie side by side are reduced in chunks of so many

inline constexpr int op_count = static_cast<int>(Elementwise::count);
inline constexpr int mask_count = 8;  // bit k set: operand k is one value, read at its address, for all i

// Null where an op does not exist for a dtype. The dtype is that of the operands (of where: of b and c).
struct Table {
  const char* name;  // "avx512"
  Kernel elementwise[op_count][dtype_count][mask_count];
  WithSlope with_slope[op_count][dtype_count];  // of the ops that have a BESIDE row
  Chain chain[2];                               // f32, f64
  Kernel cast[dtype_count]
             [dtype_count];  // [from][to]; to boolean: x != 0; float to i64 truncates, and NaN is the least
  Fold fold[static_cast<int>(Reduction::count)][dtype_count];
};

// The machine's widest table that was compiled in, or the one that XGRAD_SIMD names. Chosen once.
const Table& table();

}  // namespace xgrad::kernels
