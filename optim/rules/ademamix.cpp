#include <xgrad/optim/rules/ademamix.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

void AdEMAMixRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.fraction("beta3", beta3);
  require.not_negative("alpha", alpha);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
  require.not_negative("alpha_warmup", alpha_warmup);
  require.not_negative("beta3_warmup", beta3_warmup);
}

void AdEMAMixRule::update(Tensor& p, const Tensor& g, Tensor& fast, Tensor& slow, Tensor& v, const Step& step) const {
  const auto t = static_cast<double>(step.t);
  double a = alpha, b = beta3;
  if (t < alpha_warmup) a *= t / alpha_warmup;
  if (t < beta3_warmup) {
    const auto memory = [](double beta) { return log(0.5) / log(beta + 1e-8) - 1; };
    const double u = t / beta3_warmup;
    b = pow(0.5, 1 / (1 + (1 - u) * memory(beta1) + u * memory(beta3)));
  }
  fast = beta1 * fast + (1 - beta1) * g;
  slow = b * slow + (1 - b) * g;
  v = beta2 * v + (1 - beta2) * square(g);
  const Tensor both = fast / (1 - pow(beta1, t)) + a * slow;
  p = p - step.lr * (both / (sqrt(v) / sqrt(1 - pow(beta2, t)) + eps) + weight_decay * p);
}

void SimplifiedAdEMAMixRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.not_negative("alpha", alpha);
  require.divisor("eps", eps);
}

void SimplifiedAdEMAMixRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const {
  m = beta1 * m + g;
  v = beta2 * v + (1 - beta2) * square(g);
  p = p - step.lr * (m + alpha * g) / (sqrt(v / (1 - pow(beta2, step.t))) + eps);
}

}  // namespace xgrad::optim
