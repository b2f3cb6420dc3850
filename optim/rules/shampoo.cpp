#include <xgrad/optim/rules/shampoo.hpp>

#include <xgrad/autodiff/scope.hpp>
#include "optim/rules/factors.hpp"

namespace xgrad::optim {
namespace {

// f of the blocks of tensors of one shape, each axis cut at `most`, in order; what it gives is put together again.
template <class F>
Tensor by_blocks(const Tensors& x, Size axis, Size most, const F& f) {
  const Size axes = x[0].dim();
  if (axis == axes) return f(x);
  const Size n = x[0].size(axis);
  if (n <= most) return by_blocks(x, axis + 1, most, f);
  Tensors parts;
  for (Size from = 0; from < n; from += most) {
    Tensors cut;
    for (const Tensor& one : x) cut.push_back(slice(one, axis, from, from + most < n ? from + most : n));
    parts.push_back(by_blocks(cut, axis + 1, most, f));
  }
  return concat(parts, axis);
}

// (l - min(least eigenvalue, 0) + eps)^power
Tensor power_of(const Tensor& l, double eps, double power) {
  const auto [w, v] = eigh(l);
  return matmul(v * pow(w - minimum(amin(w), 0.0) + eps, power), transpose(v));
}

Tensor with_axes(const Tensor& x) { return x.dim() == 0 ? reshape(x, {1}) : x; }

}  // namespace

std::vector<const char*> ShampooRule::slot_names() const {
  std::vector<const char*> names{"exp_avg", "factors", "roots"};
  if (graft != Graft::none) names.push_back("graft_sq");
  return names;
}

Tensor ShampooRule::first(std::size_t slot, const Tensor& p) const {
  if (slot == 0 || slot == 3) return {};
  Size numbers = 0;
  (void)by_blocks({with_axes(p)}, 0, max_preconditioner_dim, [&](const Tensors& block) {
    for (const Size n : block[0].shape()) numbers += n * n;
    return block[0];
  });
  return zeros({numbers}, p.dtype());
}

void ShampooRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require(beta2 > 0 && beta2 <= 1, "beta2 in (0, 1]", beta2);
  require.positive("eps", eps);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
  require(max_preconditioner_dim > 0, "max_preconditioner_dim of 1 or more", max_preconditioner_dim);
  require(precondition_frequency > 0, "precondition_frequency of 1 or more", precondition_frequency);
  require.divisor("graft_eps", graft_eps);
  require.fraction("graft_beta2", graft_beta2);
}

void ShampooRule::update(Tensor& p, const Tensor& g, Tensors& slots, const Step& step) const {
  const Located at(step.source, name);  // a matrix that is not finite has no eigenvalues
  Tensor &m = slots[0], &factors = slots[1], &roots = slots[2];
  m = beta1 * m + (1 - beta1) * g;
  const Tensor corrected = m / (1 - pow(beta1, step.t));
  Tensor grafted = corrected;
  if (graft != Graft::none) {
    Tensor& v = slots[3];
    v = graft == Graft::adagrad ? v + square(g) : graft_beta2 * v + (1 - graft_beta2) * square(g);
    grafted = corrected / (sqrt(graft == Graft::adam ? v / (1 - pow(graft_beta2, step.t)) : v) + graft_eps);
  }
  const bool begun = step.t >= precondition_frequency, anew = step.t % precondition_frequency == 0;
  const double keep = beta2, add = beta2 < 1 ? 1 - beta2 : 1, whole = beta2 < 1 ? 1 - pow(beta2, step.t) : 1;
  Factors before(factors), root(roots);
  std::vector<Tensor> next, next_roots;
  const auto precondition = [&](const Tensors& x) {  // g, m^ and the grafted step of a block
    Tensor u = x[1];
    const Size axes = u.dim();
    for (Size k = 0; k < axes; ++k) {
      const Size n = u.size(k);
      const Tensor l = keep * before.next(n) + add * gram(x[0], k), old = root.next(n);
      next.push_back(l);
      next_roots.push_back(anew ? power_of(l / whole, eps, -0.5 / static_cast<double>(axes)) : old);
      u = along(next_roots.back(), u, k);
    }
    if (!begun) return x[2];
    return graft == Graft::none ? u : u * (norm(x[2]) / (norm(u) + 1e-16));
  };
  const Tensor u =
      by_blocks({with_axes(g), with_axes(corrected), with_axes(grafted)}, 0, max_preconditioner_dim, precondition);
  factors = side_by_side(next, p.dtype());
  if (anew) roots = side_by_side(next_roots, p.dtype());
  p = p - step.lr * (reshape(u, p.shape()) + weight_decay * p);
}

}  // namespace xgrad::optim
