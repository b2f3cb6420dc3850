#include "optim/methods/vectors.hpp"

#ifdef XGRAD_ARCH
#include "autodiff/lanes.hpp"
#else
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "autodiff/arches.hpp"
#include "autodiff/parallel.hpp"
#endif

namespace xgrad::optim {
namespace {

enum class Pass { dot, fall_of_squares, absolute_dot, largest, add_and_dot, combine };

struct Operands {
  double *z, a;
  const double *x, *y;
  Size n;
};

}  // namespace

#ifdef XGRAD_ARCH
namespace XGRAD_ARCH {
namespace {

using kernels::Batch;

// 16 sums, of the elements whose index is the same modulo 16
constexpr Size lanes = 16, width = kernels::width<double>, parts = lanes / width;

XGRAD_INLINE Batch<double> greater(const Batch<double>& x, const Batch<double>& y) {  // NaN where one is
  return xsimd::select(x == x, xsimd::select(y > x, y, xsimd::select(y == y, x, y)), x);
}
XGRAD_INLINE double greater(double x, double y) { return x == x && !(y <= x) ? y : x; }

// A batch, or the first k numbers of one: the lanes after them are 0 and change no sum.
template <Pass pass, bool all>
XGRAD_INLINE void one(Batch<double>& sum, double* z, const Batch<double>& a, const double* x, const double* y, Size k) {
  const auto get = [k](const double* from) {
    if constexpr (all) return (void)k, kernels::load(from);
    else return kernels::load_part(from, k);
  };
  const auto put = [k](double* to, const Batch<double>& b) {
    if constexpr (all) (void)k, b.store_unaligned(to);
    else kernels::store_part(to, b, k);
  };
  const Batch<double> u = get(x);
  if constexpr (pass == Pass::largest) {
    sum = greater(sum, xsimd::abs(u));
    return;
  }
  const Batch<double> v = get(y);
  if constexpr (pass == Pass::dot) sum = sum + u * v;
  if constexpr (pass == Pass::fall_of_squares) sum = sum + (u - v) * (u + v);
  if constexpr (pass == Pass::absolute_dot) sum = sum + xsimd::abs(u * v);
  if constexpr (pass == Pass::combine) put(z, u + a * v);
  if constexpr (pass == Pass::add_and_dot) {
    const Batch<double> q = get(z) + a * u;
    put(z, q);
    sum = sum + q * v;
  }
}

template <Pass pass>
XGRAD_INLINE void add(Batch<double>& to, const Batch<double>& part) {
  if constexpr (pass == Pass::largest) to = greater(to, part);
  else to = to + part;
}
template <Pass pass>
XGRAD_INLINE void add(double& to, double part) {
  if constexpr (pass == Pass::largest) to = greater(to, part);
  else to += part;
}

template <Pass pass>
double run(const Operands& operands) {
  const auto [z, factor, x, y, n] = operands;  // in registers: stores might change those in memory
  const Batch<double> a(factor);
  Batch<double> sums[parts];
  for (auto& sum : sums) sum = Batch<double>(0.0);
  Size i = 0;
  for (; i + lanes <= n; i += lanes)
#pragma GCC unroll 8
    for (Size k = 0; k < parts; ++k)
      one<pass, true>(sums[k], z + i + k * width, a, x + i + k * width, y + i + k * width, width);
#pragma GCC unroll 8
  for (Size k = 0; k < parts; ++k) {  // fewer than 16
    const Size at = i + k * width;
    if (at + width <= n) one<pass, true>(sums[k], z + at, a, x + at, y + at, width);
    else if (at < n) one<pass, false>(sums[k], z + at, a, x + at, y + at, n - at);
  }
  if constexpr (pass == Pass::combine) return 0;
#pragma GCC unroll 8
  for (Size half = parts / 2; half > 0; half /= 2)
    for (Size k = 0; k < half; ++k) add<pass>(sums[k], sums[k + half]);
  alignas(64) double lane[width];
  sums[0].store_aligned(lane);
#pragma GCC unroll 8
  for (Size half = width / 2; half > 0; half /= 2)
    for (Size k = 0; k < half; ++k) add<pass>(lane[k], lane[k + half]);
  return lane[0];
}

}  // namespace

double vector_pass(int pass, double* z, double a, const double* x, const double* y, Size n) {
  const Operands o{z, a, x, y, n};
  switch (static_cast<Pass>(pass)) {
    case Pass::dot: return run<Pass::dot>(o);
    case Pass::fall_of_squares: return run<Pass::fall_of_squares>(o);
    case Pass::absolute_dot: return run<Pass::absolute_dot>(o);
    case Pass::largest: return run<Pass::largest>(o);
    case Pass::add_and_dot: return run<Pass::add_and_dot>(o);
    default: return run<Pass::combine>(o);
  }
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::optim
#else
#define XGRAD_PASS_OF(arch)                                                                    \
  namespace arch {                                                                             \
  double vector_pass(int pass, double* z, double a, const double* x, const double* y, Size n); \
  }
XGRAD_ARCHES(XGRAD_PASS_OF)
#undef XGRAD_PASS_OF

namespace {

double run(Pass pass, const Operands& o) {
#define XGRAD_NAMED_PASS(arch) arch::vector_pass,
  static constexpr double (*compiled[])(int, double*, double, const double*, const double*,
                                        Size) = {XGRAD_ARCHES(XGRAD_NAMED_PASS)};
#undef XGRAD_NAMED_PASS
  return compiled[arch_in_use()](static_cast<int>(pass), o.z, o.a, o.x, o.y, o.n);
}

// In pieces, which threads share: each piece's result has its place, and they are taken together in order.
double run_all(Pass pass, const Operands& o) {
  constexpr Size piece = 1 << 15;
  if (o.n <= piece) return run(pass, o);
  std::vector<double> results(static_cast<std::size_t>((o.n + piece - 1) / piece));
  share_out(o.n, piece, [&](Size first, Size last) {
    results[static_cast<std::size_t>(first / piece)] =
        run(pass, {o.z ? o.z + first : nullptr, o.a, o.x + first, o.y + first, last - first});
  });
  double all = results[0];
  for (std::size_t i = 1; i < results.size(); ++i) {
    if (pass != Pass::largest) all += results[i];
    else if (!(all >= results[i]) && all == all) all = results[i];
  }
  return all;
}

}  // namespace

double dot(const double* x, const double* y, Size n) { return run_all(Pass::dot, {nullptr, 0, x, y, n}); }
double fall_of_squares(const double* x, const double* y, Size n) {
  return run_all(Pass::fall_of_squares, {nullptr, 0, x, y, n});
}
double length(const double* x, Size n) { return std::sqrt(dot(x, x, n)); }
double largest(const double* x, Size n) { return run_all(Pass::largest, {nullptr, 0, x, x, n}); }
double absolute_dot(const double* x, const double* y, Size n) {
  return run_all(Pass::absolute_dot, {nullptr, 0, x, y, n});
}
double add_and_dot(double* q, double a, const double* x, const double* y, Size n) {
  return run_all(Pass::add_and_dot, {q, a, x, y, n});
}
void combine(double* z, const double* x, double a, const double* y, Size n) { run_all(Pass::combine, {z, a, x, y, n}); }

}  // namespace xgrad::optim
#endif
