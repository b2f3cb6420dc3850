// The unary ops' slopes times a cotangent, in one pass: the formulas of elementwise.def, each op rounded as it is alone.
#include "autodiff/kernels/simd/map.hpp"
#include "autodiff/kernels/simd/ops.hpp"

namespace xgrad::kernels {
namespace {

// What stands for a tensor in a formula: numbers are rounded to its type, and -x keeps the sign of 0.
template <class T>
struct Term {
  Batch<T> v;
  XGRAD_INLINE Term(const Batch<T>& x) : v(x) {}
  XGRAD_INLINE Term(double number) : v(static_cast<T>(number)) {}
  XGRAD_INLINE friend Term operator+(const Term& a, const Term& b) { return a.v + b.v; }
  XGRAD_INLINE friend Term operator-(const Term& a, const Term& b) { return a.v - b.v; }
  XGRAD_INLINE friend Term operator*(const Term& a, const Term& b) { return a.v * b.v; }
  XGRAD_INLINE friend Term operator/(const Term& a, const Term& b) { return a.v / b.v; }
  XGRAD_INLINE friend Term operator-(const Term& a) { return negate(a.v); }
#define BINARY(op, ...) \
  XGRAD_INLINE friend Term op(const Term& a, const Term& b) { return lane_##op::lane(a.v, b.v); }
#include "autodiff/elementwise.def"
};

#define UNARY(op, ...)                        \
  template <class T>                          \
  XGRAD_INLINE Term<T> op(const Term<T>& x) { \
    return lane_##op::lane(x.v);              \
  }
#include "autodiff/elementwise.def"

// of_lanes: is the formula made of what Terms have? One that has where in it, say, is left to tensor ops.
#define UNARY(op, value, slope, ...)                                           \
  struct slope_##op {                                                          \
    template <class N>                                                         \
    static constexpr bool of_lanes = requires(N x, N y) {                      \
      N(slope);                                                                \
    };                                                                         \
    template <class T>                                                         \
    XGRAD_INLINE static Batch<T> lane(const Batch<T>& of, const Batch<T>& g) { \
      [[maybe_unused]] const Term<T> x(of), y(of);                             \
      return (Term<T>(slope) * Term<T>(g)).v;                                  \
    }                                                                          \
  };
#include "autodiff/elementwise.def"

template <class F, SlopeOf of>
void set(Table& t, Elementwise op) {
  if constexpr (of != SlopeOf::other && F::template of_lanes<Term<float>>) {
    set_binary<F, float>(t, op, DType::f32);
    set_binary<F, double>(t, op, DType::f64);
  }
}

}  // namespace

namespace XGRAD_ARCH {

void fill_slopes(Simd& all) {
#define UNARY(op, lane, slope, ...) set<slope_##op, slope_of(#slope)>(all.table, Elementwise::op##_vjp);
#include "autodiff/elementwise.def"
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
