// Every op, by family. Operands are tensors, parameters or numbers; shapes broadcast as NumPy's do; a shape or dtype
// that does not fit is an Error with your line. Axes count from 0, or from the end: -1 is the last. Derivatives of all
// are exact, of any order; integers and booleans have none.
#pragma once

#include <xgrad/autodiff/numbers.hpp>
#include <xgrad/autodiff/parameter.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// clang-format off
// ---- arithmetic. Dtypes meet as in NumPy and PyTorch (docs/numbers.md): a C++ number, and a 0-d tensor, take the float
// dtype of what they meet; booleans count as i64, and i64 wraps around
Tensor operator+(const In& x, const In& y);
Tensor operator-(const In& x, const In& y);
Tensor operator*(const In& x, const In& y);
Tensor operator/(const In& x, const In& y);
Tensor operator-(const In& x);
inline Tensor operator+(const In& x) { return x; }
Tensor add(const In& x, const In& y);           // x + y
Tensor sub(const In& x, const In& y);           // x - y
Tensor mul(const In& x, const In& y);           // x y, elementwise; matmul is the other one
Tensor div(const In& x, const In& y);           // x / y; of integers in the default float dtype: 1 / 2 is 0.5
Tensor floor_divide(const In& x, const In& y);  // floor(x / y), integers too; derivative 0. Integers by 0: an Error
Tensor remainder(const In& x, const In& y);     // x - floor(x / y) y, of y's sign, integers too
Tensor neg(const In& x);                        // -x
Tensor abs(const In& x);                        // |x|; derivative 0 at 0
Tensor sign(const In& x);                       // -1, 0 or 1; NaN of NaN
Tensor square(const In& x);                     // x^2
Tensor maximum(const In& x, const In& y);       // the greater; NaN if either is; at a tie each gets half of the gradient
Tensor minimum(const In& x, const In& y);       // the less, likewise
Tensor at_least(const In& x, const In& low);    // maximum, but at a tie x gets the whole gradient
Tensor at_most(const In& x, const In& high);    // minimum, likewise
Tensor clamp(const In& x, const In& low, const In& high);  // slope 1 in x on the bounds too; high where low > high
Tensor lerp(const In& x, const In& y, const In& t);  // x + t (y - x), of floats: exactly x at t = 0, and y at t = 1

// ---- functions of floats: integers and booleans become floats of the default dtype. Outside of its domain a function is
// NaN. A C++ number gives a C++ number where numbers.hpp has the function: sqrt(2.0) is a double
// x^y, as C's pow: 0^0 = 1, NaN^0 = 1, 1^NaN = 1; of x < 0 only whole y, and then without a slope in y: NaN. At x = 0
// slopes are what they tend to; in y at 0^0 it is 0.
Tensor pow(const In& x, const In& y);
Tensor reciprocal(const In& x);                 // 1 / x
Tensor floor(const In& x);                      // down to whole numbers; derivative 0, as of ceil and round
Tensor ceil(const In& x);                       // up
Tensor round(const In& x);                      // to the nearest, halves to even
Tensor sqrt(const In& x);                       // slope infinite at 0
Tensor rsqrt(const In& x);                      // 1 / sqrt(x)
Tensor cbrt(const In& x);                       // the cube root, of x < 0 too; slope infinite at 0
Tensor exp(const In& x);                        // e^x
Tensor expm1(const In& x);                      // e^x - 1, exact near 0
Tensor log(const In& x);                        // natural; -infinity at 0
Tensor log1p(const In& x);                      // log(1 + x), exact near 0
Tensor log2(const In& x);                       // to base 2
Tensor log10(const In& x);                      // to base 10
Tensor sin(const In& x);                        // of radians
Tensor cos(const In& x);
Tensor tan(const In& x);
Tensor asin(const In& x);                       // -pi/2 ... pi/2
Tensor acos(const In& x);                       // 0 ... pi
Tensor atan(const In& x);                       // -pi/2 ... pi/2
Tensor atan2(const In& y, const In& x);         // the angle of the point (x, y), -pi ... pi; no slope at (0, 0): NaN
Tensor hypot(const In& x, const In& y);         // sqrt(x^2 + y^2), without overflow; derivatives 0 at (0, 0)
Tensor sinh(const In& x);
Tensor cosh(const In& x);
Tensor asinh(const In& x);                      // the inverse of sinh
Tensor acosh(const In& x);                      // the inverse of cosh, of x >= 1: 0 or more; slope infinite at 1
Tensor atanh(const In& x);                      // the inverse of tanh, of -1 ... 1; infinite at both ends
Tensor tanh(const In& x);
Tensor erf(const In& x);                        // the error function
Tensor erfc(const In& x);                       // 1 - erf(x), with all digits where that is small
Tensor ndtr(const In& x);                       // the normal distribution: erfc(-x / sqrt(2)) / 2
Tensor lgamma(const In& x);                     // log |gamma(x)|: infinite at 0, -1, -2, ..
Tensor digamma(const In& x);                    // its derivative; NaN at -1, -2, ..
Tensor polygamma(const In& n, const In& x);     // the n-th derivative of digamma; n is rounded to a whole number from 0 to 1,000
Tensor sigmoid(const In& x);                    // 1 / (1 + e^-x)
Tensor softplus(const In& x);                   // log(1 + e^x), without overflow
Tensor logaddexp(const In& x, const In& y);     // log(e^x + e^y), without overflow; gradient 0 where both are -inf
Tensor relu(const In& x);                       // max(x, 0); derivative 0 at 0
Tensor leaky_relu(const In& x, const In& slope = 0.01);  // x > 0 ? x : slope x; `slope` may be a tensor, which has a gradient
Tensor step(const In& x);                       // 1 where x > 0, else 0; NaN of NaN; derivative 0

// ---- what slopes of the above, and the activations of nn, are made of: f32, f64
Tensor times_sigmoid(const In& x);              // x sigmoid(x), 0 at -infinity: nn::silu
Tensor times_ndtr(const In& x);                 // x ndtr(x), likewise: nn::gelu
Tensor times_sigmoid_cubic(const In& x);        // x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)): its tanh form
Tensor times_sigmoid_slope(const In& x);        // the slopes of these, with all digits where they are small
Tensor times_ndtr_slope(const In& x);
Tensor times_sigmoid_cubic_slope(const In& x);
Tensor half_step(const In& x, const In& y);     // 1 where x > y, 0.5 where they are equal, else 0; NaN if either is
Tensor one_minus_square(const In& x);           // 1 - x^2, exact near 1 and -1
Tensor inversion(const In& x, const In& y);     // x / (x^2 + y^2), though the squares be out of range; NaN at (0, 0)
Tensor gaussian(const In& x, const In& y);      // e^(-y x^2)
Tensor tanh_slope(const In& x);                 // 1 - tanh(x)^2, with all digits where that is small
Tensor sigmoid_slope(const In& x);              // sigmoid(x) (1 - sigmoid(x)), with all digits
Tensor pow_half(const In& x);                   // pow(x, 0.5): sqrt, but 0 at -0 and infinite at -infinity
Tensor pow_slope(const In& x, const In& y);     // y x^(y - 1); at 0^0 it is 0
Tensor pow_log(const In& x, const In& y);       // x^y log(x); at x = 0 what it tends to, but 0 at 0^0
Tensor log_or_0(const In& x);                   // log(x), but 0 at 0, and so is its slope
Tensor reciprocal_or_0(const In& x);            // 1 / x, but 0 at 0, and so is its slope

// ---- comparisons, elementwise, of any dtypes that meet: boolean. With NaN all are false, but != is true
Tensor operator==(const In& x, const In& y);
Tensor operator!=(const In& x, const In& y);
Tensor operator<(const In& x, const In& y);
Tensor operator<=(const In& x, const In& y);
Tensor operator>(const In& x, const In& y);
Tensor operator>=(const In& x, const In& y);
Tensor isnan(const In& x);                      // false of integers and booleans
Tensor isfinite(const In& x);                   // neither NaN nor infinite
Tensor logical_and(const In& x, const In& y);   // numbers count as x != 0, in all three
Tensor logical_or(const In& x, const In& y);
Tensor logical_not(const In& x);
Tensor operator&&(const In& x, const In& y);    // the same; both sides are computed
Tensor operator||(const In& x, const In& y);
Tensor operator!(const In& x);
// condition ? x : y. The side not taken gets a gradient of 0, which a slope of infinity makes NaN: keep its argument in
// range by another `where` inside of it (docs/numerics.md).
Tensor where(const In& condition, const In& x, const In& y);
Tensor cast(const In& x, DType dtype);          // to i64: truncates, saturates, NaN is the least; to boolean: x != 0
// Is |x - y| <= atol + rtol |y| everywhere, in f64? Equal infinities are close, NaN never is.
bool allclose(const In& x, const In& y, double rtol = 1e-5, double atol = 1e-8);

// ---- reductions: over all axes, one, or some (Axes); keepdim leaves extents of 1. NaN makes the result NaN
Tensor sum(const In& x, const Axes& axes = Axes::all(), bool keepdim = false);   // booleans are counted: i64. Of nothing: 0
Tensor mean(const In& x, const Axes& axes = Axes::all(), bool keepdim = false);  // a float; of nothing it is an Error, not NaN
// The variance of floats, divided by n - correction (NumPy: by n); by 0 is an Error.
Tensor var(const In& x, const Axes& axes = Axes::all(), At correction = 1, bool keepdim = false);
// sqrt(var), if var is out of range too; derivatives 0 where it is 0. (`std` would hide the namespace)
Tensor stddev(const In& x, const Axes& axes = Axes::all(), At correction = 1, bool keepdim = false);
Tensor prod(const In& x, const Axes& axes = Axes::all(), bool keepdim = false);  // booleans as i64. Of nothing: 1. Slopes are exact at zeros
Tensor amax(const In& x, const Axes& axes = Axes::all(), bool keepdim = false);  // the greatest; ties share the gradient equally. Of nothing: an Error
Tensor amin(const In& x, const Axes& axes = Axes::all(), bool keepdim = false);
// i64: where along the axis; the first of equals, or the first NaN. Of several axes or all: in row-major order of these.
Tensor argmax(const In& x, const Axes& axes = Axes::all(), bool keepdim = false);
Tensor argmin(const In& x, const Axes& axes = Axes::all(), bool keepdim = false);
Tensor all(const In& x, const Axes& axes = Axes::all(), bool keepdim = false);   // is every x != 0? boolean; of nothing: true
Tensor any(const In& x, const Axes& axes = Axes::all(), bool keepdim = false);   // is some x != 0? of nothing: false
// log sum e^x of floats, without overflow: -inf where all are -inf, with a gradient of 0. NaN gradients where one is +inf.
Tensor logsumexp(const In& x, const Axes& axes = Axes::all(), bool keepdim = false);
// (sum |x|^p)^(1/p) of floats, though |x|^p be out of range; p = infinity: the greatest |x|, -infinity: the least (ties share
// the gradient), 0: how many are not 0. Where x is 0, and where the norm is 0, which have no slope, all derivatives are 0: so is
// the second one of norm(x)^2 where that is 0: write sum(square(x)) for it. The slopes at an infinite x are NaN. Of nothing: 0
// (infinite of p < 0).
Tensor norm(const In& x, double p = 2, const Axes& axes = Axes::all(), bool keepdim = false);

// Order along an axis: equal numbers as they lie, NaN as if greater than all. Values differentiate; places are i64.
Tensor argsort(const In& x, At axis = -1, bool descending = false);
Tensors sort(const In& x, At axis = -1, bool descending = false);        // auto [values, places] = sort(x)
Tensors topk(const In& x, At k, At axis = -1, bool largest = true);      // the first k of that: auto [values, places]
Tensor softmax(const In& x, At axis);           // e^x / sum e^x of floats, of x's shape; NaN where all are -inf, or one +inf
Tensor log_softmax(const In& x, At axis);       // its logarithm: x - logsumexp(x)
// log_softmax(x, axis) at one place of each line, of x's shape without the axis; index: i64, of that shape. What a cross entropy
// takes: nothing of x's size is stored, and the cotangent of a place that is sure keeps its digits.
Tensor log_softmax(const In& x, At axis, const In& index);
// (x - mean) / sqrt(var + eps) weight + bias: mean, and var divided by n, are of the last `axes` axes, of whose extents are
// weight and bias, if they are there. One pass over memory; so is its gradient.
Tensor standardize(const In& x, At axes = 1, double eps = 0, const In& weight = Tensor(), const In& bias = Tensor());
// x / sqrt(mean of x^2 + eps) weight, likewise.
Tensor divide_by_rms(const In& x, At axes = 1, double eps = 0, const In& weight = Tensor());
Tensor cumsum(const In& x, At axis);            // running totals, of x's shape; booleans as i64; f32 is added in f64
Tensor cumprod(const In& x, At axis);           // running products, likewise. Slopes are exact at zeros

// ---- shapes: of any dtype; views where they can be
Tensor reshape(const In& x, const Shape& shape);  // the same numbers, row by row; one extent may be -1: what is left
Tensor flatten(const In& x, At from = 0);       // axes `from` to the last become one
Tensor transpose(const In& x);                  // the last two axes, of a matrix or a batch (NumPy: reverses all)
Tensor transpose(const In& x, At axis, At other);
Tensor permute(const In& x, const Shape& axes);  // axis i of the result is axes[i] of x
Tensor squeeze(const In& x, At axis);           // drops an extent of 1; another extent is an Error
Tensor unsqueeze(const In& x, At axis);         // puts one in
Tensor expand(const In& x, const Shape& shape);  // repeats extents of 1, as broadcasting does
Tensor flip(const In& x, At axis);              // the other way round
Tensor roll(const In& x, std::int64_t by, At axis);  // moved along the axis, around its end: y[k + by] = x[k]
Tensor select(const In& x, At axis, At i);      // the i-th along the axis, which goes: x[i] along any axis
Tensor slice(const In& x, At axis, At begin);   // to the end; -1 is the last. Out of range: an Error (NumPy clips)
Tensor slice(const In& x, At axis, At begin, At end, At step = 1);  // without `end`; steps are 1 or more
Tensor pad(const In& x, At axis, At before, At after);  // with zeros
Tensor concat(const Tensors& parts, At axis = 0, Source source = Source::here());  // one after the other
Tensor stack(const Tensors& parts, At axis = 0, Source source = Source::here());   // along a new axis

// ---- picking by index (i64, from 0; a negative one, or one past the end, is an Error)
Tensor index_select(const In& x, At axis, const In& index);           // the slices of x that a vector names
Tensor gather(const In& x, At axis, const In& index);                 // y[i][j] = x[i][index[i][j]], along axis
Tensor scatter_add(const In& x, At axis, const In& index, At extent);  // its transpose: adds x into zeros with `extent` along axis
Tensor index_add(const In& x, At axis, const In& index, At extent);    // the transpose of index_select
Tensor one_hot(const In& index, At classes, DType dtype = default_dtype());       // a new last axis: 1 at the index, else 0

// ---- products: of floats
// (n, k) x (k, m) is (n, m); leading axes are batches, and broadcast. A vector is a row on the left and a column on the
// right, and its axis is gone from the result; two vectors give a number. A number is an Error: * multiplies.
// Its bits depend on shapes and on the program alone: lazily, in Eager and after a look they are the same. A large
// product of a transposed view may differ in the last bits from that of a copy of it in rows, because libraries add
// up in another order where they read by columns; so may one of rows that are far apart (a slice of a wider matrix).
Tensor matmul(const In& x, const In& y);
// x w^T + b, as a layer of a network: x [..., in], weight [out, in], bias [out] or empty.
Tensor linear(const In& x, const In& weight, const In& bias = Tensor());
Tensor dot(const In& x, const In& y);     // sum x y of two vectors, integers too
Tensor outer(const In& x, const In& y);   // z[i][j] = x[i] y[j] of two vectors, integers too

// ---- linear algebra: of floats, in the last two axes; leading axes are batches. It is computed where it is written: a
// matrix for which there is no result is an Error there (docs/linear_algebra.md)
Tensor diagonal(const In& x, At offset = 0);    // x[i][i + offset]
Tensor trace(const In& x);                      // the sum of the diagonal
Tensor tril(const In& x, At diagonal = 0);      // x[i][j] where j - i <= diagonal, else 0
Tensor triu(const In& x, At diagonal = 0);      // x[i][j] where j - i >= diagonal, else 0
Tensor cholesky(const In& x);                   // lower y: y y^T = (x + x^T) / 2; not positive definite: an Error
struct TriangularOptions {
  bool lower = true;         // which triangle of the matrix is read
  bool transposed = false;   // solve t^T y = b
};
Tensor solve_triangular(const In& t, const In& b, TriangularOptions options = {});  // y: t y = b; b [n] or [..., n, columns]
Tensor solve(const In& a, const In& b);         // y: a y = b, by LU; singular: an Error. b as above
Tensor inv(const In& x);                        // x^-1; to solve, solve is faster, and nearer
Tensor det(const In& x);                        // the determinant; singular: 0, of which there is no derivative here (an Error)
Tensors slogdet(const In& x);                   // {sign, log |det x|}: auto [sign, log] = slogdet(x)
Tensor logdet(const In& x);                     // log(det x); NaN where that is negative
// Eigenvalues w, ascending, and eigenvectors, the columns of v, of (x + x^T) / 2: auto [w, v] = eigh(x). Signs of vectors are
// whatever comes; equal eigenvalues have no vectors of their own, and the terms 1 / (w[j] - w[i]) of their slopes count as 0.
Tensors eigh(const In& x);

// ---- makers. From a shape: the default dtype (f32, or what set_default_dtype says) unless told; from numbers: the C++ type
Tensor tensor(const Literal& numbers, Source source = Source::here());  // nested braces; the widest type of all
Tensor zeros(const Shape& shape, DType dtype = default_dtype(), Source source = Source::here());
Tensor ones(const Shape& shape, DType dtype = default_dtype(), Source source = Source::here());
Tensor full(const Shape& shape, const Literal& number, Source source = Source::here());
Tensor full(const Shape& shape, const Literal& number, DType dtype, Source source = Source::here());  // 0.5 as i64: an Error
Tensor zeros_like(const In& x);                 // of x's shape and dtype; so are the next two
Tensor ones_like(const In& x);
Tensor full_like(const In& x, const Literal& number);
Tensor eye(At n, DType dtype = default_dtype(), Source source = Source::here());     // the identity matrix
// begin, begin + step, ... before end: i64 of integers; f64 where one is a double, else f32 where one is a float. A step
// that leads away from the end is an Error; of floats, linspace says how many there are.
Tensor arange(const Literal& end, Source source = Source::here());       // from 0
Tensor arange(const Literal& begin, const Literal& end, Source source = Source::here());
Tensor arange(const Literal& begin, const Literal& end, const Literal& step, Source source = Source::here());
// `count` numbers from `from` to `to`, both exact and included. f32 of floats; of doubles, or integers, f64.
Tensor linspace(const Literal& from, const Literal& to, At count, Source source = Source::here());
Tensor linspace(const Literal& from, const Literal& to, At count, DType dtype, Source source = Source::here());
Tensor rand(const Shape& shape, DType dtype = default_dtype(), Source source = Source::here());   // uniform in [0, 1)
Tensor randn(const Shape& shape, DType dtype = default_dtype(), Source source = Source::here());  // normal(0, 1)
Tensor randint(At low, At high, const Shape& shape, Source source = Source::here());  // i64 in [low, high)
Tensor randperm(At n, Source source = Source::here());                   // i64: a permutation of 0 ... n - 1
// `bytes`: row-major numbers of that dtype, copied.
Tensor from_memory(const void* bytes, const Shape& shape, DType dtype, Source source = Source::here());
// A vector's numbers, copied: floats as f32, bools as boolean, integers as i64 (one past 2^63 is an Error), others as f64.
template <class T>
Tensor tensor(const std::vector<T>& numbers, Source source = Source::here());
template <class T>
Tensor tensor(const std::vector<T>& numbers, const Shape& shape, Source source = Source::here());

// ---- random numbers (Philox 4x32-10; Salmon et al. 2011): each thread has its generator
void manual_seed(std::uint64_t seed);
// clang-format on

namespace engine {
void require_fills(std::size_t numbers, const Shape& shape, Source source);
}

template <class T>
Tensor tensor(const std::vector<T>& numbers, const Shape& shape, Source source) {
  engine::require_fills(numbers.size(), shape, source);
  if constexpr (std::is_unsigned_v<T> && sizeof(T) == sizeof(Size))
    for (const T number : numbers) checked_size(number, "tensor", source);
  if constexpr (std::is_same_v<T, bool> || (std::is_integral_v<T> && sizeof(T) != sizeof(Size))) {
    const std::vector<Size> wide(numbers.begin(), numbers.end());
    const Tensor t = from_memory(wide.data(), shape, i64, source);
    return std::is_same_v<T, bool> ? cast(t, boolean) : t;
  } else if constexpr (!std::is_integral_v<T> && sizeof(T) > sizeof(double)) {
    return tensor(std::vector<double>(numbers.begin(), numbers.end()), shape, source);
  } else {
    return from_memory(numbers.data(), shape, dtype_of<T>(), source);
  }
}
template <class T>
Tensor tensor(const std::vector<T>& numbers, Source source) {
  return tensor(numbers, Shape{numbers.size()}, source);
}

// ---- what goes by other names, as max and min are the C++ library's, of two numbers
template <class... T>
requires((std::is_same_v<T, Tensor> || std::is_same_v<T, Parameter>) || ...) void max(const T&...) {
  static_assert(sizeof...(T) == 0, "the greatest number is amax(x), the greater of two tensors maximum(x, y)");
}
template <class... T>
requires((std::is_same_v<T, Tensor> || std::is_same_v<T, Parameter>) || ...) void min(const T&...) {
  static_assert(sizeof...(T) == 0, "the least number is amin(x), the lesser of two tensors minimum(x, y)");
}

}  // namespace xgrad

#pragma GCC visibility pop
