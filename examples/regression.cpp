// Linear and logistic regression: by batch, stochastic and mini-batch descent, which differ in the loader's batch size alone, and
// by Newton's method; with standard errors.
// Prints:
//   y = 1 + 0.5 x, and noise: offset, slope
//     batch            0.895    0.444
//     stochastic       0.891    0.459
//     mini-batch       0.902    0.421
//     least squares    0.895    0.444
//     error            0.074    0.035   198 degrees of freedom
//   p(1) = sigmoid(-1 + 1.5 x): offset, slope
//     batch           -0.903    1.438
//     stochastic      -0.894    1.430
//     mini-batch      -0.903    1.429
//     Newton          -0.903    1.438
//     error            0.236    0.217   after 6 steps
#include <cmath>

#include <fmt/core.h>

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;

struct Model {
  Parameter offset = parameter(0.0), slope = parameter(0.0);
  Tensor operator()(const Tensor& x) const { return offset + slope * x; }
  Parameters parameters() {
    Parameters all;
    all.add("offset", offset);
    all.add("slope", slope);
    return all;
  }
};

Tensor squares(const Tensor& out, const Tensor& y) { return mean(square(out - y)) / 2; }
Tensor likelihood(const Tensor& out, const Tensor& y) { return mean(softplus(out) - y * out); }  // -log p(y), of logits

// Rates fall as 1 / t, so that single rows do not keep it moving (Robbins & Monro 1951).
using Loss = Tensor (*)(const Tensor& out, const Tensor& y);
Model descended(const Tensor& x, const Tensor& y, Loss loss, Size batch_size, Size epochs, double lr) {
  Model model;
  optim::SGD descent(model.parameters(), {.lr = lr});
  const data::DataLoader batches({x, y}, {.batch_size = batch_size, .shuffle = true, .seed = 1});
  optim::Scheduler falling(descent,
                           optim::power_decay({.power = batch_size < batches.rows() ? 1.0 : 0.0, .offset = 400}));
  for (Size epoch = 0; epoch < epochs; ++epoch)
    for (const auto& [some_x, some_y] : batches) {
      descent.zero_grad();
      loss(model(some_x), some_y).backward();
      descent.step();
      falling.step();
    }
  return model;
}

void say(const char* name, const Model& m) {
  fmt::print("  {:13} {:8.3f} {:8.3f}\n", name, m.offset.item(), m.slope.item());
}

bool near(const Model& a, const Model& b) {
  return std::abs(a.offset.item() - b.offset.item()) < 0.05 && std::abs(a.slope.item() - b.slope.item()) < 0.05;
}

int main() {
  manual_seed(2);
  constexpr Size n = 200;
  const Tensor x = 2 * randn({n}, f64), noise = randn({n}, f64);
  bool good = true;
  const auto descend = [&](const Tensor& y, Loss loss, const Model& best) {
    const Model batch = descended(x, y, loss, n, 400, 0.4), single = descended(x, y, loss, 1, 40, 0.05),
                mini = descended(x, y, loss, 16, 100, 0.2);
    say("batch", batch), say("stochastic", single), say("mini-batch", mini);
    good = good && near(batch, best) && near(single, best) && near(mini, best);
  };

  fmt::print("y = 1 + 0.5 x, and noise: offset, slope\n");
  const Tensor y = 1.0 + 0.5 * x + noise;
  Model line;
  optim::LevenbergMarquardt fit(line.parameters());
  const auto residuals = [&] { return line(x) - y; };
  const optim::Result of_line = optim::least_squares(fit, residuals);
  descend(y, squares, line);
  say("least squares", line);
  const optim::Uncertainty errors = optim::uncertainty(of_line, residuals, line.parameters());
  fmt::print("  {:13} {:8.3f} {:8.3f}   {} degrees of freedom\n", "error", errors.standard_errors[0].item(),
             errors.standard_errors[1].item(), errors.degrees_of_freedom);

  fmt::print("p(1) = sigmoid(-1 + 1.5 x): offset, slope\n");
  const Tensor labels = cast(rand({n}, f64) < sigmoid(-1.0 + 1.5 * x), f64);
  Model logit;
  optim::Newton newton(logit.parameters());
  const auto total = [&] { return static_cast<double>(n) * likelihood(logit(x), labels); };
  const optim::Result of_logit = optim::minimize(newton, total);
  descend(labels, likelihood, logit);
  say("Newton", logit);
  const optim::Uncertainty of_both = optim::uncertainty(of_logit, total, logit.parameters());
  fmt::print("  {:13} {:8.3f} {:8.3f}   after {} steps\n", "error", of_both.standard_errors[0].item(),
             of_both.standard_errors[1].item(), of_logit.iterations);
  return good && std::abs(line.slope.item() - 0.5) < 3 * errors.standard_errors[1].item() ? 0 : 1;
}
