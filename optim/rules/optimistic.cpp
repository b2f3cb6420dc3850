#include <xgrad/optim/rules/optimistic.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {
namespace {

void descend(Tensor& p, const Tensor& u, Tensor& previous, double alpha, double beta, const Step& step) {
  if (step.t == 1) previous = u;
  p = p - step.lr * ((alpha + beta) * u - beta * previous);
  previous = u;
}

}  // namespace

void OptimisticSGDRule::check(const Require& require) const {
  require.not_negative("alpha", alpha);
  require.not_negative("beta", beta);
}

void OptimisticSGDRule::update(Tensor& p, const Tensor& g, Tensor& previous, const Step& step) const {
  descend(p, g, previous, alpha, beta, step);
}

void OptimisticAdamRule::check(const Require& require) const {
  require.not_negative("alpha", alpha);
  require.not_negative("beta", beta);
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
}

void OptimisticAdamRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, Tensor& previous,
                                const Step& step) const {
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * square(g);
  const Tensor u = m / (1 - pow(beta1, step.t)) / (sqrt(v / (1 - pow(beta2, step.t))) + eps);
  descend(p, u, previous, alpha, beta, step);
}

}  // namespace xgrad::optim
