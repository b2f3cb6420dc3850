#include <xgrad/optim/rules/momo.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {
namespace {

Tensor wide(const Tensor& x) { return cast(x, f64); }

// Of the whole group: <m, p>, c and |m|^2.
struct Sums {
  Tensor along = zeros({}, f64), before = zeros({}, f64), squares = zeros({}, f64);

  // The rate; 0 where m is.
  Tensor rate(double above, double lr, double shrink) const {
    const Tensor wanted = maximum(shrink * (above - before) + along, 0.0);
    return where(squares > 0, minimum(wanted / where(squares > 0, squares, 1.0), lr), 0.0);
  }
};

}  // namespace

Tensor MoMoRule::first(std::size_t slot, const Tensor&) const { return slot == 1 ? zeros({}, f64) : Tensor(); }

void MoMoRule::check(const Require& require) const {
  require.fraction("beta", beta);
  require(f_min - f_min == 0, "a finite f_min", f_min);
  require.not_negative("weight_decay", weight_decay);
}

void MoMoRule::update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const {
  const double loss = step.t == 1 ? step.loss : beta * shared[0].item() + (1 - beta) * step.loss;
  Sums sums;
  for (Member& x : all) {
    Tensor &m = x.slots[0], &c = x.slots[1];
    const Tensor now = wide(sum(x.g * x.p));
    m = x.t == 1 ? x.g : beta * m + (1 - beta) * x.g;
    c = x.t == 1 ? now : beta * c + (1 - beta) * now;
    sums.along = sums.along + wide(sum(m * x.p));
    sums.before = sums.before + c;
    sums.squares = sums.squares + wide(sum(square(m)));
  }
  const double shrink = 1 + step.lr * weight_decay;
  const Tensor rate = sums.rate(loss - f_min, step.lr, shrink);
  for (Member& x : all) x.p = (x.p - rate * x.slots[0]) / shrink;
  shared[0] = full({}, loss, f64);
}

Tensor MoMoAdamRule::first(std::size_t slot, const Tensor&) const { return slot == 2 ? zeros({}, f64) : Tensor(); }

void MoMoAdamRule::check(const Require& require) const {
  require.fraction("beta1", beta1);
  require.fraction("beta2", beta2);
  require.divisor("eps", eps);
  require(f_min - f_min == 0, "a finite f_min", f_min);
  require.not_negative("weight_decay", weight_decay);
}

void MoMoAdamRule::update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const {
  const double loss = beta1 * shared[0].item() + (1 - beta1) * step.loss;
  Sums sums;
  std::vector<Tensor> moves;  // m^ / D
  for (Member& x : all) {
    Tensor &m = x.slots[0], &v = x.slots[1], &c = x.slots[2];
    const double of_m = 1 - pow(beta1, x.t);
    m = beta1 * m + (1 - beta1) * x.g;
    v = beta2 * v + (1 - beta2) * square(x.g);
    c = beta1 * c + (1 - beta1) * wide(sum(x.g * x.p));
    const Tensor mean = m / of_m;
    moves.push_back(mean / (sqrt(v / (1 - pow(beta2, x.t))) + eps));
    sums.along = sums.along + wide(sum(mean * x.p));
    sums.before = sums.before + c / of_m;
    sums.squares = sums.squares + wide(sum(mean * moves.back()));
  }
  const double shrink = 1 + step.lr * weight_decay;
  const Tensor rate = sums.rate(loss / (1 - pow(beta1, step.t)) - f_min, step.lr, shrink);
  for (std::size_t i = 0; i < all.size(); ++i) all[i].p = (all[i].p - rate * moves[i]) / shrink;
  shared[0] = full({}, loss, f64);
}

}  // namespace xgrad::optim
