// Optimizers as a user would write them, which need what the library's own do not: state of a group, weights to be judged by.
#pragma once

#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

namespace own_rules {

using namespace xgrad;

// Prodigy (Mishchenko & Defazio 2024): the rate is d lr, and d, of the whole group, grows with what the gradients say of
// the way from the start.
struct Prodigy {
  double lr = 1, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, first_d = 1e-6;
  static constexpr const char* name = "Prodigy";
  static constexpr const char* slots[] = {"exp_avg", "exp_avg_sq", "s", "start"};
  static constexpr const char* shared[] = {"d", "numerator"};
  Tensor first(std::size_t slot, const Tensor& p) const { return slot == 3 ? p : zeros_like(p); }
  Tensor first_shared(std::size_t slot) const { return full({}, slot == 0 ? first_d : 0.0, f64); }
  void update_all(std::vector<optim::Member>& all, Tensors& group, const optim::Step& step) const {
    const double beta3 = sqrt(beta2);
    const Tensor d = group[0], rate = step.lr * d;
    Tensor numerator = beta3 * group[1], size = 0.0;
    for (optim::Member& x : all) {
      numerator = numerator + d / first_d * rate * sum(x.g * (x.slots[3] - x.p));
      x.slots[0] = beta1 * x.slots[0] + d * (1 - beta1) * x.g;
      x.slots[1] = beta2 * x.slots[1] + d * d * (1 - beta2) * square(x.g);
      x.slots[2] = beta3 * x.slots[2] + d / first_d * rate * x.g;
      size = size + sum(abs(x.slots[2]));
    }
    const Tensor now = where(size > 0, maximum(d, numerator / size), d);
    for (optim::Member& x : all)
      x.p = (1 - weight_decay * rate) * x.p - rate * x.slots[0] / (sqrt(x.slots[1]) + eps * now);
    group = {now, numerator};
  }
};

// Schedule-Free AdamW (Defazio et al. 2024), as released: y is trained, x = lerp(y, z, 1 - 1 / beta1) is judged.
struct ScheduleFree {
  double lr = 2.5e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, warmup = 1;
  static constexpr const char* name = "ScheduleFree";
  static constexpr const char* slots[] = {"z", "exp_avg_sq", "weight_sum", "lr_max"};
  Tensor first(std::size_t slot, const Tensor& p) const {
    return slot == 0 ? p : slot == 1 ? zeros_like(p) : full({}, 0.0, f64);
  }
  void update(Tensor& y, const Tensor& g, Tensor& z, Tensor& v, Tensor& total, Tensor& most,
              const optim::Step& step) const {
    const auto t = static_cast<double>(step.t);
    const double rate = step.lr * (t < warmup ? t / warmup : 1);
    v = beta2 * v + (1 - beta2) * square(g);
    const Tensor direction = g / (sqrt(v / (1 - pow(beta2, t))) + eps) + weight_decay * y;
    most = maximum(most, rate);
    total = total + square(most);
    const Tensor c = square(most) / total;
    y = y + c * (z - y) + rate * (beta1 * (1 - c) - 1) * direction;
    z = z - rate * direction;
  }
  Tensor evaluated(const Tensor& y, const Tensors& slots, const optim::Step&) const {
    return y + (1 - 1 / beta1) * (slots[0] - y);
  }
};

}  // namespace own_rules
