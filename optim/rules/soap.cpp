#include <xgrad/optim/rules/soap.hpp>

#include <cmath>

#include <xgrad/autodiff/scope.hpp>
#include "optim/rules/factors.hpp"

namespace xgrad::optim {
namespace {

// An orthonormal basis of the columns of a square matrix: Q of its QR factorisation, by Householder's reflections, which
// give one of a singular matrix, too.
Tensor orthogonal(const Tensor& x) {
  const Size n = x.size(0);
  std::vector<double> a = x.to_vector<double>(), q(a.size());
  const auto at = [n](std::vector<double>& matrix, Size row) { return matrix.data() + row * n; };
  for (Size i = 0; i < n; ++i) at(q, i)[i] = 1;
  std::vector<double> dots(static_cast<std::size_t>(n));
  std::vector<std::vector<double>> reflections;
  // rows k ... of a matrix, less 2 v v^T of them
  const auto reflect = [&](std::vector<double>& matrix, const std::vector<double>& v, Size k) {
    dots.assign(dots.size(), 0);
    for (Size i = k; i < n; ++i)
      for (Size j = 0; j < n; ++j)
        dots[static_cast<std::size_t>(j)] += v[static_cast<std::size_t>(i - k)] * at(matrix, i)[j];
    for (Size i = k; i < n; ++i)
      for (Size j = 0; j < n; ++j)
        at(matrix, i)[j] -= 2 * v[static_cast<std::size_t>(i - k)] * dots[static_cast<std::size_t>(j)];
  };
  for (Size k = 0; k < n; ++k) {
    std::vector<double> v;
    double squares = 0, rest = 0;
    for (Size i = k; i < n; ++i) v.push_back(at(a, i)[k]), squares += v.back() * v.back();
    v[0] += std::copysign(std::sqrt(squares), v[0]);
    for (const double number : v) rest += number * number;
    for (double& number : v) number = rest > 0 ? number / std::sqrt(rest) : 0;
    reflect(a, v, k);
    reflections.push_back(std::move(v));
  }
  for (Size k = n; k-- > 0;) reflect(q, reflections[static_cast<std::size_t>(k)], k);
  return cast(tensor(q, {n, n}), x.dtype());
}

// The axes that have a basis.
std::vector<Size> axes_of(const Tensor& p, Size most) {
  std::vector<Size> axes;
  if (p.dim() > 1)
    for (Size k = 0; k < p.dim(); ++k)
      if (p.size(k) <= most) axes.push_back(k);
  return axes;
}
Tensor turned(Tensor x, const std::vector<Size>& axes, const std::vector<Tensor>& bases, bool back) {
  for (std::size_t k = 0; k < axes.size(); ++k) x = along(back ? bases[k] : transpose(bases[k]), x, axes[k]);
  return x;
}
std::vector<Tensor> read(const Tensor& all, const Tensor& p, const std::vector<Size>& axes) {
  Factors factors(all);
  std::vector<Tensor> matrices;
  matrices.reserve(axes.size());
  for (const Size k : axes) matrices.push_back(factors.next(p.size(k)));
  return matrices;
}

}  // namespace

Tensor SOAPRule::first(std::size_t slot, const Tensor& p) const {
  if (slot < 2) return {};
  Size numbers = 0;
  for (const Size k : axes_of(p, max_precond_dim)) numbers += p.size(k) * p.size(k);
  return zeros({numbers}, p.dtype());
}

void SOAPRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
  require(precondition_frequency > 0, "precondition_frequency of 1 or more", precondition_frequency);
  require(max_precond_dim >= 0, "max_precond_dim of 0 or more", max_precond_dim);
}

void SOAPRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, Tensor& factors, Tensor& bases,
                      const Step& step) const {
  const Located at(step.source, name);  // a matrix that is not finite has no eigenvalues
  const std::vector<Size> axes = axes_of(p, max_precond_dim);
  std::vector<Tensor> l = read(factors, p, axes), q = read(bases, p, axes);
  const Size t = step.t - 1;
  if (t > 0) {
    const Tensor u = turned(g, axes, q, false);
    m = beta1 * m + (1 - beta1) * u;
    v = beta2 * v + (1 - beta2) * square(u);
    const Tensor move = turned(m / (sqrt(v) + eps), axes, q, true);
    p = p - step.lr * sqrt(1 - pow(beta2, t)) / (1 - pow(beta1, t)) * move;
    p = (1 - step.lr * weight_decay) * p;
  }
  for (std::size_t k = 0; k < axes.size(); ++k) l[k] = beta2 * l[k] + (1 - beta2) * gram(g, axes[k]);
  factors = side_by_side(l, p.dtype());
  if (t > 0 && t % precondition_frequency != 0) return;
  const std::vector<Tensor> old = q;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    if (t == 0) {
      const Size n = p.size(axes[k]);
      const auto [w, columns] = eigh(l[k] + 1e-30 * eye(n, p.dtype()));
      q[k] = index_select(columns, 1, n - 1 - arange(n));  // the greatest first
      continue;
    }
    const Tensor order = argsort(sum(q[k] * matmul(l[k], q[k]), 0), -1, true);
    v = index_select(v, axes[k], order);
    q[k] = orthogonal(matmul(l[k], index_select(q[k], 1, order)));
  }
  if (t > 0) m = turned(turned(m, axes, old, true), axes, q, false);
  bases = side_by_side(q, p.dtype());
}

}  // namespace xgrad::optim
