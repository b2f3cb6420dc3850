#include <xgrad/optim/rules/adamp.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {
namespace {

// u without its part along p, and the factor of the decay. Whether by rows, as a whole or not at all is a number's matter,
// so all three are computed and one is taken.
struct Projected {
  Tensor u, ratio;
  Projected(const Tensor& p, const Tensor& g, const Tensor& step, double delta, double wd_ratio, double eps)
      : u(step), ratio(1.0) {
    if (p.dim() < 2) return;
    Tensor done = tensor(false);
    for (const Size rows : {p.size(0), Size{1}}) {
      const Shape shape{rows, p.numel() / rows};
      const Tensor x = reshape(p, shape), y = reshape(g, shape), of_x = norm(x, 2, 1, true), of_y = norm(y, 2, 1, true);
      const Tensor cosines = abs(sum(x * y, 1, true)) / maximum(of_x * of_y, eps);
      const Tensor does = logical_and(logical_not(done), amax(cosines) < delta / sqrt(static_cast<double>(shape[1])));
      const Tensor q = x / (of_x + eps), s = reshape(step, shape);
      u = where(does, reshape(s - q * sum(q * s, 1, true), p.shape()), u);
      done = logical_or(done, does);
    }
    ratio = where(done, wd_ratio, 1.0);
  }
};

void check_projection(const Require& require, double eps, double delta, double wd_ratio) {
  require.positive("eps", eps);
  require.divisor("eps", eps);
  require.not_negative("delta", delta);
  require.not_negative("wd_ratio", wd_ratio);
}

}  // namespace

void AdamPRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  check_projection(require, eps, delta, wd_ratio);
  require.not_negative("weight_decay", weight_decay);
}

void AdamPRule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& v, const Step& step) const {
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * square(g);
  const Tensor ahead = nesterov ? beta1 * m + (1 - beta1) * g : m;
  const auto [u, ratio] = Projected(p, g, ahead / (sqrt(v) / sqrt(1 - pow(beta2, step.t)) + eps), delta, wd_ratio, eps);
  p = (1 - step.lr * weight_decay * ratio) * p - step.lr / (1 - pow(beta1, step.t)) * u;
}

void SGDPRule::check(const Require& require) const {
  require.fraction("momentum", momentum);
  require.not_negative("dampening", dampening);
  require.not_negative("weight_decay", weight_decay);
  check_projection(require, eps, delta, wd_ratio);
}

void SGDPRule::update(Tensor& p, const Tensor& g, Tensor& b, const Step& step) const {
  b = momentum * b + (1 - dampening) * g;
  const auto [u, ratio] = Projected(p, g, nesterov ? g + momentum * b : b, delta, wd_ratio, eps);
  p = (1 - step.lr * weight_decay / (1 - momentum) * ratio) * p - step.lr * u;
}

}  // namespace xgrad::optim
