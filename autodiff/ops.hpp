// Every op, by family. Operands are tensors, parameters or numbers; shapes broadcast as NumPy's do; a shape or dtype
// that does not fit is an Error with your line. Axes count from 0, or from the end: -1 is the last. Derivatives of all
// are exact, of any order; integers and booleans have none.
#pragma once

#include "autodiff/parameter.hpp"

namespace xgrad {

// ---- arithmetic: f32, f64, i64. i64: div truncates, and division by zero is an Error
Tensor operator+(const In& x, const In& y);
Tensor operator-(const In& x, const In& y);
Tensor operator*(const In& x, const In& y);
Tensor operator/(const In& x, const In& y);
Tensor operator-(const In& x);
inline Tensor operator+(const In& x) { return x; }
Tensor add(const In& x, const In& y);
Tensor sub(const In& x, const In& y);
Tensor mul(const In& x, const In& y);
Tensor div(const In& x, const In& y);
Tensor neg(const In& x);
Tensor abs(const In& x);
Tensor sign(const In& x);                // -1, 0 or 1
Tensor square(const In& x);
Tensor reciprocal(const In& x);          // 1 / x, floats
Tensor pow(const In& x, const In& y);           // x^y
Tensor maximum(const In& x, const In& y);       // at a tie each gets half of the gradient
Tensor minimum(const In& x, const In& y);
Tensor clamp(const In& x, const In& low, const In& high);
Tensor floor(const In& x);
Tensor ceil(const In& x);
Tensor round(const In& x);               // to nearest, halves to even

// ---- functions of floats
Tensor sqrt(const In& x);
Tensor rsqrt(const In& x);               // 1 / sqrt(x)
Tensor exp(const In& x);
Tensor expm1(const In& x);               // e^x - 1
Tensor log(const In& x);
Tensor log1p(const In& x);               // log(1 + x)
Tensor log2(const In& x);
Tensor sin(const In& x);
Tensor cos(const In& x);
Tensor tan(const In& x);
Tensor asin(const In& x);
Tensor acos(const In& x);
Tensor atan(const In& x);
Tensor atan2(const In& y, const In& x);         // the angle of the point (x, y)
Tensor sinh(const In& x);
Tensor cosh(const In& x);
Tensor tanh(const In& x);
Tensor erf(const In& x);
Tensor sigmoid(const In& x);             // 1 / (1 + e^-x)
Tensor softplus(const In& x);            // log(1 + e^x)
Tensor relu(const In& x);                // max(x, 0); derivative 0 at 0
Tensor step(const In& x);                // 1 where x > 0, else 0
Tensor half_step(const In& x, const In& y);     // 1 where x > y, 0.5 where they are equal, else 0
Tensor log_or_0(const In& x);            // log(x), but 0 at 0

// ---- comparisons, elementwise: boolean
Tensor operator==(const In& x, const In& y);
Tensor operator!=(const In& x, const In& y);
Tensor operator<(const In& x, const In& y);
Tensor operator<=(const In& x, const In& y);
Tensor operator>(const In& x, const In& y);
Tensor operator>=(const In& x, const In& y);
Tensor logical_and(const In& x, const In& y);
Tensor logical_or(const In& x, const In& y);
Tensor logical_not(const In& x);
Tensor where(const In& condition, const In& x, const In& y);  // condition ? x : y
Tensor cast(const In& x, DType dtype);          // float to i64 truncates; to boolean: x != 0

// ---- reductions: over all elements, one axis, or some. keepdim leaves an extent of 1
Tensor sum(const In& x);                        // boolean counts: i64
Tensor sum(const In& x, At axis, bool keepdim = false);
Tensor sum(const In& x, std::initializer_list<At> axes, bool keepdim = false);
Tensor mean(const In& x);                       // floats
Tensor mean(const In& x, At axis, bool keepdim = false);
Tensor mean(const In& x, std::initializer_list<At> axes, bool keepdim = false);
Tensor var(const In& x, At axis, At correction = 1, bool keepdim = false);  // divides by n - correction
Tensor amax(const In& x);                       // ties share the gradient equally
Tensor amax(const In& x, At axis, bool keepdim = false);
Tensor amin(const In& x);
Tensor amin(const In& x, At axis, bool keepdim = false);
Tensor argmax(const In& x, At axis, bool keepdim = false);  // i64; the first of equals
Tensor argmin(const In& x, At axis, bool keepdim = false);
Tensor all(const In& x);                        // of booleans
Tensor any(const In& x);
Tensor logsumexp(const In& x, At axis, bool keepdim = false);
Tensor softmax(const In& x, At axis);
Tensor log_softmax(const In& x, At axis);
Tensor cumsum(const In& x, At axis);
Tensor norm(const In& x);                       // sqrt(sum x^2)

// ---- shapes: views where they can be
Tensor reshape(const In& x, const Shape& shape);  // one extent may be -1: what is left
Tensor flatten(const In& x, At from = 0);       // axes `from` to the last become one
Tensor transpose(const In& x);                    // reverses the last two axes
Tensor transpose(const In& x, At axis, At other);
Tensor permute(const In& x, const Shape& axes);   // axis i of the result is axes[i] of x
Tensor squeeze(const In& x, At axis);           // drops an extent of 1
Tensor unsqueeze(const In& x, At axis);         // puts one in
Tensor expand(const In& x, const Shape& shape);   // repeats extents of 1, as broadcasting does
Tensor flip(const In& x, At axis);
Tensor slice(const In& x, At axis, At begin);  // to the end; negative counts from the end
Tensor slice(const In& x, At axis, At begin, At end, At step = 1);
Tensor pad(const In& x, At axis, At before, At after);  // with zeros
Tensor concat(const Tensors& parts, At axis = 0, Source source = Source::here());
Tensor stack(const Tensors& parts, At axis = 0, Source source = Source::here());

// ---- picking by index (i64)
Tensor index_select(const In& x, At axis, const In& index);           // the slices of x that a vector names
Tensor gather(const In& x, At axis, const In& index);                 // y[i][j] = x[i][index[i][j]], along axis
Tensor scatter_add(const In& x, At axis, const In& index, At extent);  // its transpose: adds x into zeros with `extent` along axis
Tensor index_add(const In& x, At axis, const In& index, At extent);    // the transpose of index_select
Tensor one_hot(const In& index, At classes, DType dtype = f32);

// ---- products
Tensor matmul(const In& x, const In& y);  // vectors, matrices, batches of matrices (the leading axes broadcast); floats
Tensor dot(const In& x, const In& y);     // of two vectors
Tensor outer(const In& x, const In& y);

// ---- makers. From a shape: f32 unless told; from numbers: the C++ type
Tensor tensor(const Literal& numbers, Source source = Source::here());
Tensor zeros(const Shape& shape, DType dtype = f32, Source source = Source::here());
Tensor ones(const Shape& shape, DType dtype = f32, Source source = Source::here());
Tensor full(const Shape& shape, const Literal& number, Source source = Source::here());
Tensor full(const Shape& shape, const Literal& number, DType dtype, Source source = Source::here());
Tensor zeros_like(const In& x);
Tensor ones_like(const In& x);
Tensor full_like(const In& x, double number);
Tensor eye(At n, DType dtype = f32, Source source = Source::here());
Tensor arange(At end, Source source = Source::here());                   // i64: 0 ... end - 1
Tensor linspace(double from, double to, At count, DType dtype = f64, Source source = Source::here());
Tensor rand(const Shape& shape, DType dtype = f32, Source source = Source::here());   // uniform in [0, 1)
Tensor randn(const Shape& shape, DType dtype = f32, Source source = Source::here());  // normal(0, 1)
Tensor randint(At low, At high, const Shape& shape, Source source = Source::here());  // i64 in [low, high)
Tensor randperm(At n, Source source = Source::here());                   // i64: a permutation of 0 ... n - 1
// `bytes`: row-major numbers of that dtype, copied.
Tensor from_memory(const void* bytes, const Shape& shape, DType dtype, Source source = Source::here());
template <class T>
Tensor tensor(const std::vector<T>& numbers, Source source = Source::here());
template <class T>
Tensor tensor(const std::vector<T>& numbers, const Shape& shape, Source source = Source::here());

// ---- random numbers (Philox 4x32-10; Salmon et al. 2011): each thread has its generator
void manual_seed(std::uint64_t seed);

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

}  // namespace xgrad
