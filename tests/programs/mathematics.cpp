// Linear algebra, order, convolutions and pools, running products, and reductions over several axes.
#include <limits>

#include "generator.hpp"
#include <xgrad/autodiff/convolution.hpp>

namespace programs {

namespace {

using OfOne = Tensor (*)(const Tensor&);

// Within bounds, and a number: x may hold infinities, and NaN, of which there are no factors.
Tensor tame(const Tensor& x) { return where(abs(x) < 2, x, 0.5); }
// The greatest square in the last axes, symmetric or not, with a diagonal that makes it regular, and positive definite.
Tensor regular(const Tensor& x) {
  const Size n = std::min(x.size(-1), x.size(-2));
  const Tensor square = slice(slice(tame(x), -2, 0, n), -1, 0, n);
  return square + static_cast<double>(2 * n + 1) * eye(n, x.dtype());
}

struct Algebra {
  const char* name;
  OfOne f;
  int axes;  // of matrices that the result has
  double bound;
};
const std::vector<Algebra> algebras{
    {"cholesky", [](const Tensor& x) { return cholesky(regular(x)); }, 2, 6},
    {"inv", [](const Tensor& x) { return inv(regular(x)); }, 2, 2},
    {"solve",
     [](const Tensor& x) { return solve(regular(x), tame(slice(x, -2, 0, std::min(x.size(-1), x.size(-2))))); }, 3, 2},
    {"solve_triangular", [](const Tensor& x) { return solve_triangular(regular(x), transpose(regular(x))); }, 2, 30},
    {"logdet", [](const Tensor& x) { return logdet(regular(x)); }, 0, 60},
    {"slogdet", [](const Tensor& x) { return slogdet(regular(x))[1]; }, 0, 60},
    {"det",
     [](const Tensor& x) { return det(regular(x) / static_cast<double>(2 * std::min(x.size(-1), x.size(-2)) + 1)); }, 0,
     60},
    {"trace", [](const Tensor& x) { return trace(regular(x)); }, 0, 1000},
    {"diagonal", [](const Tensor& x) { return diagonal(regular(x)); }, 1, 60},
    {"tril", [](const Tensor& x) { return tril(regular(x)); }, 2, 60},
    {"triu", [](const Tensor& x) { return triu(regular(x), 1); }, 2, 2},
    {"eigh",
     [](const Tensor& x) {
       const auto [w, v] = eigh(regular(x));
       return matmul(v * unsqueeze(rsqrt(w), -2), transpose(v));
     },
     2, 2},
};

}  // namespace

void Generator::algebra() {
  int x = find([&](int i) { return is_float(at(i).dtype) && at(i).shape.rank() >= 2 && at(i).shape.numel() <= 4000; });
  if (x < 0) return;
  x = within(x, -1, 1);
  Shape to = at(x).shape;
  const Size n = std::min(to.back(), to[to.rank() - 2]), columns = to.back();
  if (n > 20) return;
  const Algebra& a = dice_.by_name(algebras);
  to.resize(to.rank() - 2);
  for (int i = 0; i < std::min(a.axes, 2); ++i) to.push_back(n);
  if (a.axes == 3) to[to.rank() - 1] = columns;
  add(fmt::format("{}(%{} made regular)", a.name, x), {x}, at(x).dtype, to, a.bound,
      [f = a.f](const Tensors& in) { return f(in[0]); });
}

void Generator::order() {
  const int x = find([&](int i) { return !at(i).shape.empty() && at(i).dtype != boolean; });
  if (x < 0) return;
  const Shape shape = at(x).shape;
  const int axis = some_axis(shape);
  const bool down = dice_.chance(0.5);
  switch (dice_.below(3)) {
    case 0:
      add(fmt::format("argsort(%{}, {}, {})", x, axis, down), {x}, i64, shape, static_cast<double>(shape[axis]),
          [=](const Tensors& in) { return argsort(in[0], axis, down); });
      return;
    case 1:
      add(fmt::format("sort(%{}, {}, {})", x, axis, down), {x}, at(x).dtype, shape, bound(x),
          [=](const Tensors& in) { return sort(in[0], axis, down)[0]; });
      return;
    default: {
      const Size k = dice_.between(0, shape[axis]);
      Shape to = shape;
      to[axis] = k;
      add(fmt::format("topk(%{}, {}, {}, {})", x, k, axis, down), {x}, at(x).dtype, to, bound(x),
          [=](const Tensors& in) { return topk(in[0], k, axis, down)[0]; });
    }
  }
}

// A vector of signals, [channels, length], or a batch of them, or of images.
void Generator::windows() {
  const int least = dice_.chance(0.6) ? 4 : 2;
  int x = find([&](int i) { return is_float(at(i).dtype) && at(i).shape.rank() >= least && at(i).shape.rank() <= 4; });
  if (x < 0) return;
  x = limited(x);
  const Shape shape = at(x).shape;
  const DType dtype = at(x).dtype;
  const bool images = shape.rank() == 4;
  const int axes = images ? 2 : 1, channel = shape.rank() - axes - 1;
  Shape kernel, stride, padding, to = shape;
  double taps = 1;
  const bool pool = dice_.chance(0.5), greatest = !p_.smooth && dice_.chance(0.7);
  for (int i = channel + 1; i < shape.rank(); ++i) {
    const Size k = dice_.between(1, 3), s = dice_.between(1, 3), p = dice_.between(0, k / 2);
    if (shape[i] + 2 * p < k || (pool && shape[i] == 0)) return;
    kernel.push_back(k), stride.push_back(s), padding.push_back(p);
    to[i] = (shape[i] + 2 * p - k) / s + 1;
    taps *= static_cast<double>(k);
  }
  if (!affordable(to)) return;
  if (pool) {
    const char* name = greatest ? images ? "max_pool2d" : "max_pool1d" : images ? "avg_pool2d" : "avg_pool1d";
    add(fmt::format("{}(%{}, {}, {}, {})", name, x, to_string(kernel), to_string(stride), to_string(padding)), {x},
        dtype, to, bound(x), [=](const Tensors& in) {
          if (greatest)
            return images ? max_pool2d(in[0], kernel, {stride, padding}) : max_pool1d(in[0], kernel, {stride, padding});
          return images ? avg_pool2d(in[0], kernel, {stride, padding}) : avg_pool1d(in[0], kernel, {stride, padding});
        });
    return;
  }
  const Size channels = shape[channel], groups = channels % 2 == 0 && channels > 0 && dice_.chance(0.4) ? 2 : 1;
  const Size out = groups * dice_.between(1, 3), own = std::max<Size>(0, channels / groups);
  Shape w{out, own};
  for (const Size k : kernel) w.push_back(k);
  to[channel] = out;
  if (!affordable(to) || w.numel() > 20'000) return;
  budget_ -= static_cast<double>(to.numel()) * static_cast<double>(own) * taps / 50;
  const int weight = limited(matrix(dtype, w));
  const ConvolutionOptions options{stride, padding, 1, groups};
  add(fmt::format("{}(%{}, %{}, {}, {}, groups {})", images ? "conv2d" : "conv1d", x, weight, to_string(stride),
                  to_string(padding), groups),
      {x, weight}, dtype, to, bound(x) * bound(weight) * taps * static_cast<double>(std::max<Size>(1, own)),
      [=](const Tensors& in) { return images ? conv2d(in[0], in[1], options) : conv1d(in[0], in[1], options); });
}

void Generator::running() {
  int x = find([&](int i) { return !at(i).shape.empty() && is_float(at(i).dtype); });
  if (x < 0) return;
  x = within(x, -1, 1);
  const int axis = some_axis(at(x).shape);
  add(fmt::format("cumprod(%{}, {})", x, axis), {x}, at(x).dtype, at(x).shape, 1,
      [=](const Tensors& in) { return cumprod(in[0], axis); });
}

namespace {
struct OverAxes {
  const char* name;
  Tensor (*f)(const Tensor& x, const Axes& axes, bool keepdim);
  Size least;  // numbers that it needs
  bool smooth = true;
};
const std::vector<OverAxes> over_axes{
    {"var", [](const Tensor& x, const Axes& a, bool k) { return var(x, a, 1, k); }, 2},
    {"stddev", [](const Tensor& x, const Axes& a, bool k) { return stddev(x, a, 0, k); }, 1, false},
    {"prod", [](const Tensor& x, const Axes& a, bool k) { return prod(x, a, k); }, 0},
    {"amax", [](const Tensor& x, const Axes& a, bool k) { return amax(x, a, k); }, 1, false},
    {"amin", [](const Tensor& x, const Axes& a, bool k) { return amin(x, a, k); }, 1, false},
    {"logsumexp", [](const Tensor& x, const Axes& a, bool k) { return logsumexp(x, a, k); }, 1},
    {"norm", [](const Tensor& x, const Axes& a, bool k) { return norm(x, 2, a, k); }, 0, false},
    {"norm 3", [](const Tensor& x, const Axes& a, bool k) { return norm(x, 3, a, k); }, 0, false},
    {"norm inf",
     [](const Tensor& x, const Axes& a, bool k) { return norm(x, std::numeric_limits<double>::infinity(), a, k); }, 0,
     false},
};
}  // namespace

void Generator::reduce_some() {
  int x = find([&](int i) { return at(i).shape.rank() >= 2 && is_float(at(i).dtype); });
  if (x < 0) return;
  const OverAxes& r = dice_.by_name(over_axes);
  if (p_.smooth && !r.smooth) return;
  x = within(x, -1, 1);
  const Shape shape = at(x).shape;
  const int a = static_cast<int>(dice_.below(shape.rank()));
  const int b = (a + static_cast<int>(dice_.between(1, shape.rank() - 1))) % shape.rank();
  const Size n = shape[a] * shape[b];
  if (n < r.least) return;
  const bool keepdim = dice_.chance(0.5);
  Shape to = shape;
  to[a] = to[b] = 1;
  if (!keepdim) to.erase(std::max(a, b)), to.erase(std::min(a, b));
  add(fmt::format("{}(%{}, {{{}, {}}}, {})", r.name, x, a, b, keepdim), {x}, at(x).dtype, to,
      4 + 4 * static_cast<double>(n), [=, f = r.f](const Tensors& in) {
        return f(in[0], {a, b}, keepdim);
      });
}

}  // namespace programs
