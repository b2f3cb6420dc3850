// Every op, by family. Operands are tensors, parameters or numbers; shapes broadcast as NumPy's do; a shape or dtype
// that does not fit is an Error with your line. Axes count from 0, or from the end: -1 is the last. Derivatives of all
// are exact, of any order; integers and booleans have none.
#pragma once

#include "autodiff/parameter.hpp"

namespace xgrad {

// ---- arithmetic: f32, f64, i64. i64: div truncates, and division by zero is an Error
Tensor operator+(In x, In y);
Tensor operator-(In x, In y);
Tensor operator*(In x, In y);
Tensor operator/(In x, In y);
Tensor operator-(In x);
inline Tensor operator+(In x) { return x; }
Tensor add(In x, In y);
Tensor sub(In x, In y);
Tensor mul(In x, In y);
Tensor div(In x, In y);
Tensor neg(In x);
Tensor abs(In x);
Tensor sign(In x);                // -1, 0 or 1
Tensor square(In x);
Tensor reciprocal(In x);          // 1 / x, floats
Tensor pow(In x, In y);           // x^y
Tensor maximum(In x, In y);       // at a tie each gets half of the gradient
Tensor minimum(In x, In y);
Tensor clamp(In x, In low, In high);
Tensor floor(In x);
Tensor ceil(In x);
Tensor round(In x);               // to nearest, halves to even

// ---- functions of floats
Tensor sqrt(In x);
Tensor rsqrt(In x);               // 1 / sqrt(x)
Tensor exp(In x);
Tensor expm1(In x);               // e^x - 1
Tensor log(In x);
Tensor log1p(In x);               // log(1 + x)
Tensor log2(In x);
Tensor sin(In x);
Tensor cos(In x);
Tensor tan(In x);
Tensor asin(In x);
Tensor acos(In x);
Tensor atan(In x);
Tensor atan2(In y, In x);         // the angle of the point (x, y)
Tensor sinh(In x);
Tensor cosh(In x);
Tensor tanh(In x);
Tensor erf(In x);
Tensor sigmoid(In x);             // 1 / (1 + e^-x)
Tensor softplus(In x);            // log(1 + e^x)
Tensor relu(In x);                // max(x, 0); derivative 0 at 0
Tensor step(In x);                // 1 where x > 0, else 0
Tensor half_step(In x);           // the same, but 0.5 at 0
Tensor log_or_0(In x);            // log(x), but 0 at 0

// ---- comparisons, elementwise: boolean
Tensor operator==(In x, In y);
Tensor operator!=(In x, In y);
Tensor operator<(In x, In y);
Tensor operator<=(In x, In y);
Tensor operator>(In x, In y);
Tensor operator>=(In x, In y);
Tensor logical_and(In x, In y);
Tensor logical_or(In x, In y);
Tensor logical_not(In x);
Tensor where(In condition, In x, In y);  // condition ? x : y
Tensor cast(In x, DType dtype);          // float to i64 truncates; to boolean: x != 0

// ---- reductions: over all elements, one axis, or some. keepdim leaves an extent of 1
Tensor sum(In x);                        // boolean counts: i64
Tensor sum(In x, Size axis, bool keepdim = false);
Tensor sum(In x, std::initializer_list<Size> axes, bool keepdim = false);
Tensor mean(In x);                       // floats
Tensor mean(In x, Size axis, bool keepdim = false);
Tensor mean(In x, std::initializer_list<Size> axes, bool keepdim = false);
Tensor var(In x, Size axis, Size correction = 1, bool keepdim = false);  // divides by n - correction
Tensor amax(In x);                       // ties share the gradient equally
Tensor amax(In x, Size axis, bool keepdim = false);
Tensor amin(In x);
Tensor amin(In x, Size axis, bool keepdim = false);
Tensor argmax(In x, Size axis, bool keepdim = false);  // i64; the first of equals
Tensor argmin(In x, Size axis, bool keepdim = false);
Tensor all(In x);                        // of booleans
Tensor any(In x);
Tensor logsumexp(In x, Size axis, bool keepdim = false);
Tensor softmax(In x, Size axis);
Tensor log_softmax(In x, Size axis);
Tensor cumsum(In x, Size axis);
Tensor norm(In x);                       // sqrt(sum x^2)

// ---- shapes: views where they can be
Tensor reshape(In x, const Shape& shape);  // one extent may be -1: what is left
Tensor flatten(In x, Size from = 0);       // axes `from` to the last become one
Tensor transpose(In x);                    // reverses the last two axes
Tensor transpose(In x, Size axis, Size other);
Tensor permute(In x, const Shape& axes);   // axis i of the result is axes[i] of x
Tensor squeeze(In x, Size axis);           // drops an extent of 1
Tensor unsqueeze(In x, Size axis);         // puts one in
Tensor expand(In x, const Shape& shape);   // repeats extents of 1, as broadcasting does
Tensor flip(In x, Size axis);
Tensor slice(In x, Size axis, Size begin);  // to the end; negative counts from the end
Tensor slice(In x, Size axis, Size begin, Size end, Size step = 1);
Tensor pad(In x, Size axis, Size before, Size after);  // with zeros
Tensor concat(const Tensors& parts, Size axis = 0, Source source = Source::here());
Tensor stack(const Tensors& parts, Size axis = 0, Source source = Source::here());

// ---- picking by index (i64)
Tensor index_select(In x, Size axis, In index);           // the slices of x that a vector names
Tensor gather(In x, Size axis, In index);                 // y[i][j] = x[i][index[i][j]], along axis
Tensor scatter_add(In x, Size axis, In index, Size extent);  // its transpose: adds x into zeros with `extent` along axis
Tensor index_add(In x, Size axis, In index, Size extent);    // the transpose of index_select
Tensor one_hot(In index, Size classes, DType dtype = f32);

// ---- products
Tensor matmul(In x, In y);  // vectors, matrices, batches of matrices (the leading axes broadcast); floats
Tensor dot(In x, In y);     // of two vectors
Tensor outer(In x, In y);

// ---- makers. From a shape: f32 unless told; from numbers: the C++ type
Tensor tensor(const Literal& numbers, Source source = Source::here());
Tensor zeros(const Shape& shape, DType dtype = f32, Source source = Source::here());
Tensor ones(const Shape& shape, DType dtype = f32, Source source = Source::here());
Tensor full(const Shape& shape, const Literal& number, Source source = Source::here());
Tensor full(const Shape& shape, const Literal& number, DType dtype, Source source = Source::here());
Tensor zeros_like(In x);
Tensor ones_like(In x);
Tensor full_like(In x, double number);
Tensor eye(Size n, DType dtype = f32, Source source = Source::here());
Tensor arange(Size end, Source source = Source::here());                   // i64: 0 ... end - 1
Tensor linspace(double from, double to, Size count, DType dtype = f64, Source source = Source::here());
Tensor rand(const Shape& shape, DType dtype = f32, Source source = Source::here());   // uniform in [0, 1)
Tensor randn(const Shape& shape, DType dtype = f32, Source source = Source::here());  // normal(0, 1)
Tensor randint(Size low, Size high, const Shape& shape, Source source = Source::here());  // i64 in [low, high)
Tensor randperm(Size n, Source source = Source::here());                   // i64: a permutation of 0 ... n - 1
// `bytes`: row-major numbers of that dtype, copied.
Tensor from_memory(const void* bytes, const Shape& shape, DType dtype, Source source = Source::here());
template <class T>
Tensor tensor(const std::vector<T>& numbers, Source source = Source::here());
template <class T>
Tensor tensor(const std::vector<T>& numbers, const Shape& shape, Source source = Source::here());

// ---- random numbers (Philox 4x32-10; Salmon et al. 2011): each thread has its generator
void manual_seed(std::uint64_t seed);

template <class T>
Tensor tensor(const std::vector<T>& numbers, const Shape& shape, Source source) {
  if (shape.numel() != static_cast<Size>(numbers.size()))
    fail(source, "[tensor] " + std::to_string(numbers.size()) + " numbers do not fill the shape " + to_string(shape));
  if constexpr (std::is_same_v<T, bool> || (std::is_integral_v<T> && sizeof(T) != sizeof(Size))) {
    const std::vector<Size> wide(numbers.begin(), numbers.end());
    const Tensor t = from_memory(wide.data(), shape, i64, source);
    return std::is_same_v<T, bool> ? cast(t, boolean) : t;
  } else {
    return from_memory(numbers.data(), shape, dtype_of<T>(), source);
  }
}
template <class T>
Tensor tensor(const std::vector<T>& numbers, Source source) {
  return tensor(numbers, Shape{numbers.size()}, source);
}

}  // namespace xgrad
