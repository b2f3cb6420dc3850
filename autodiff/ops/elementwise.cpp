// The elementwise ops of the table: functions, and slopes as the table gives them.
#include "autodiff/ops/rules.hpp"

#include <limits>

namespace xgrad {

#define UNARY(op, ...) \
  Tensor op(const In& x) { return engine::unary(engine::Op::op, x); }
#define BINARY(op, ...) \
  Tensor op(const In& x, const In& y) { return engine::binary(engine::Op::op, x, y); }
#define TERNARY(op, ...) \
  Tensor op(const In& x, const In& y, const In& z) { return engine::ternary(engine::Op::op, x, y, z); }
#include "autodiff/elementwise.def"

Tensor operator+(const In& x, const In& y) { return engine::binary(engine::Op::add, x, y); }
Tensor operator-(const In& x, const In& y) { return engine::binary(engine::Op::sub, x, y); }
Tensor operator*(const In& x, const In& y) { return engine::binary(engine::Op::mul, x, y); }
Tensor operator/(const In& x, const In& y) { return engine::binary(engine::Op::div, x, y); }
Tensor operator-(const In& x) { return engine::unary(engine::Op::neg, x); }
Tensor operator==(const In& x, const In& y) { return engine::binary(engine::Op::equal, x, y); }
Tensor operator!=(const In& x, const In& y) { return engine::binary(engine::Op::not_equal, x, y); }
Tensor operator<(const In& x, const In& y) { return engine::binary(engine::Op::less, x, y); }
Tensor operator<=(const In& x, const In& y) { return engine::binary(engine::Op::less_equal, x, y); }
Tensor operator>(const In& x, const In& y) { return engine::binary(engine::Op::greater, x, y); }
Tensor operator>=(const In& x, const In& y) { return engine::binary(engine::Op::greater_equal, x, y); }

Tensor where(const In& condition, const In& x, const In& y) { return engine::select(condition, x, y); }

namespace {
// What binary() would say, in the name of `op`.
void require_pair(const In& x, const In& y, const char* op) {
  engine::meet(x, y, op, engine::source_of(x));
  if (x.node() && y.node() && y.node()->shape.rank() > 0)
    engine::broadcast(x.node()->shape, y.node()->shape, op, engine::source_of(x));
}
}  // namespace

Tensor clamp(const In& x, const In& low, const In& high) {
  require_pair(x, low, "clamp");
  require_pair(x, high, "clamp");
  const Located at(x, "clamp");
  return at_most(at_least(x, low), high);
}

// g + log(1 + e^(l - g)) of the greater and the lesser, of equals either: so slopes of all orders are right there.
// Equal infinities have no difference.
Tensor logaddexp(const In& x, const In& y) {
  require_pair(x, y, "logaddexp");
  const Located at(x, "logaddexp");
  constexpr double infinite = std::numeric_limits<double>::infinity();
  const Tensor above = x > y, g = engine::floats(where(above, x, y)), l = engine::floats(where(above, y, x));
  const Tensor stuck = logical_and(l == g, abs(g) == infinite);
  const Tensor sum = g + softplus(where(stuck, 0, l - g));
  return where(stuck, where(g > 0, 0.5 * (g + l), -infinite), sum);
}

// No ops of their own: comparisons, with which whole numbers are finite.
Tensor isnan(const In& x) {
  const Tensor t = engine::operand(x, "isnan");
  const Located at(x, "isnan");
  return t != t;
}
Tensor isfinite(const In& x) {
  const Tensor t = engine::operand(x, "isfinite");
  const Located at(x, "isfinite");
  return is_float(t.node()->dtype) ? abs(t) < std::numeric_limits<double>::infinity() : t == t;
}

// equal, for infinities; or |x - y| <= atol + rtol |y|, in doubles
bool allclose(const In& x, const In& y, double rtol, double atol) {
  require_pair(x, y, "allclose");
  const Located at(x, "allclose");
  const NoGrad values;
  const Tensor a = cast(x, f64), b = cast(y, f64);
  return all(logical_or(a == b, logical_and(isfinite(b), abs(a - b) <= atol + rtol * abs(b)))).item() != 0;
}

Tensor cast(const In& x, DType dtype) {
  const Tensor t = engine::operand(x, "cast");
  if (t.node()->dtype == dtype) return engine::as_it_is(t);
  return engine::record(engine::Op::cast, dtype, t.node()->shape, {t.node()}, {}, engine::source_of(x));
}

namespace {
Tensor logical(engine::Op op, const In& x, const In* y) {
  const Located at(x, engine::rule(op).name);
  const Tensor a = cast(x, boolean);
  return y ? engine::binary(op, In(a, x.source()), cast(*y, boolean)) : engine::unary(op, In(a, x.source()));
}
}  // namespace
Tensor logical_and(const In& x, const In& y) { return logical(engine::Op::logical_and, x, &y); }
Tensor logical_or(const In& x, const In& y) { return logical(engine::Op::logical_or, x, &y); }
Tensor logical_not(const In& x) { return logical(engine::Op::logical_not, x, nullptr); }
Tensor operator&&(const In& x, const In& y) { return logical_and(x, y); }
Tensor operator||(const In& x, const In& y) { return logical_or(x, y); }
Tensor operator!(const In& x) { return logical_not(x); }

namespace engine {

namespace {
// y - 1, or 1 where y is 0 and x so small that its power -2 is infinite: the slope of a slope of x^0 is 0
Tensor one_less(const Tensor& x, const Tensor& y) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  return where(logical_and(y == 0, reciprocal(square(x)) == infinite), 1, y - 1);
}

// d(y x^(y - 1))/dy = d(x^y log x)/dx = x^(y - 1) (1 + y log x). At x = 0 the power is 0, 1 or infinite, and only the
// sign of the other factor counts; 0^0 is flat.
Tensor pow_slope_log(const Tensor& x, const Tensor& y) {
  const Tensor power = pow(x, where(logical_and(x == 0, y == 0), 1, y - 1));
  return power * where(x == 0, where(y < 1, -y, 1), 1 + y * log_or_0(x));
}

// z x, where z vanishes faster than an infinite x grows
Tensor times(const Tensor& z, const Tensor& x) { return where(z == 0, 0, z * x); }

// x / z of the length z of a vector; 0 where that is 0, with all its derivatives, as a norm has it
Tensor over(const Tensor& x, const Tensor& z) { return x / where(z == 0, std::numeric_limits<double>::infinity(), z); }
}  // namespace

namespace {
// Second slopes of activations. Where x is out of bounds they are 0, and x would make them 0 x infinity.
Tensor inside(const Tensor& x, double bound) { return clamp(x, -bound, bound); }
// y = x s(x):   y'' = s' (2 - x tanh(x / 2)),  s = sigmoid
Tensor silu_bend(const Tensor& x) {
  const Tensor c = inside(x, 1024);
  return sigmoid_slope(c) * (2 - c * tanh(0.5 * c));
}
// y = x ndtr(x):   y'' = ndtr' (2 - x^2)
Tensor gelu_bend(const Tensor& x) {
  const Tensor c = inside(x, 1024);
  return 0.3989422804014327 * gaussian(c, 0.5) * (2 - square(c));
}
// y = x s(u),  u = a x + b x^3:   y'' = s'(u) (2 u' + x (u'' - u'^2 tanh(u / 2)))
Tensor gelu_tanh_bend(const Tensor& x) {
  constexpr double a = 1.5957691216057307, b = 0.044715 * a;
  const Tensor c = inside(x, 64), u = c * (a + b * square(c)), du = a + 3 * b * square(c);
  return sigmoid_slope(u) * (2 * du + c * (6 * b * c - square(du) * tanh(0.5 * u)));
}
}  // namespace

#define UNARY(op, lane, slope, ...)                                                                          \
  Slope slope_##op([[maybe_unused]] const Tensor& x, [[maybe_unused]] const Tensor& y, const Tensor&, int) { \
    return slope;                                                                                            \
  }
#define BINARY(op, lane, slope_x, slope_y, ...)                                        \
  Slope slope_##op([[maybe_unused]] const Tensor& x, [[maybe_unused]] const Tensor& y, \
                   [[maybe_unused]] const Tensor& z, int i) {                          \
    return i == 0 ? Slope(slope_x) : Slope(slope_y);                                   \
  }
#define TERNARY(op, lane, slope_x, slope_y, slope_z, ...)                           \
  Slope slope_##op(const Tensor& x, const Tensor& y, const Tensor& result, int i) { \
    const Tensor z = share(result.node()->in[2]);                                   \
    return i == 0 ? Slope(slope_x) : i == 1 ? Slope(slope_y) : Slope(slope_z);      \
  }
#include "autodiff/elementwise.def"

// z = c ? x : y:   gx = c ? g : 0    gy = c ? 0 : g
Tensors vjp_where(const Step& s) {
  return {Tensor(), s.wants(1) ? where(s.x(0), s.g, 0) : Tensor(), s.wants(2) ? where(s.x(0), 0, s.g) : Tensor()};
}

// y = x in another dtype:   gx = g in x's
Tensors vjp_cast(const Step& s) { return {cast(s.g, s.n->in[0]->dtype)}; }

}  // namespace engine
}  // namespace xgrad
