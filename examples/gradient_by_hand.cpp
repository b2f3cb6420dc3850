// Gradient descent in three steps: the gradient, the update, the cost. A line a + b x through five points, by formulas of the
// gradient written by hand, and by backward(), which finds the same.
// Prints:
//   step     cost   dcost/da   dcost/db        a        b
//      0  24.7500    -9.0000   -31.8000   0.0000   0.0000
//      1   8.0739    -4.8240   -16.7280   0.1800   0.6360
//      2   3.4462    -2.6237    -8.7888   0.2765   0.9706
//      3   2.1616    -1.4641    -4.6069   0.3290   1.1463
//      4   1.8047    -0.8527    -2.4042   0.3582   1.2385
//      5   1.7052    -0.5301    -1.2440   0.3753   1.2866
//   the gradients of backward() are the same: yes
#include <cmath>

#include <fmt/core.h>

#include <xgrad/autodiff.hpp>

using namespace xgrad;

int main() {
  const Tensor x = tensor({1.0, 2.0, 3.0, 4.0, 5.0}), y = tensor({2.0, 1.0, 4.0, 3.0, 5.0}) * 1.5;
  const double rate = 0.02;
  Parameter a = parameter(0.0), b = parameter(0.0);

  bool same = true;
  fmt::print("step     cost   dcost/da   dcost/db        a        b\n");
  for (int step = 0; step <= 5; ++step) {
    // 1. the gradient of cost = mean (a + b x - y)^2, by hand
    const Tensor error = a.value() + b.value() * x - y;
    const double by_a = mean(2 * error).item(), by_b = mean(2 * error * x).item();

    // ... and by the record of the formula
    a.zero_grad(), b.zero_grad();
    const Tensor cost = mean(square(a + b * x - y));
    cost.backward();
    same = same && std::abs(a.grad().item() - by_a) < 1e-12 && std::abs(b.grad().item() - by_b) < 1e-12;

    fmt::print("{:4} {:8.4f} {:10.4f} {:10.4f} {:8.4f} {:8.4f}\n", step, cost.item(), by_a, by_b, a.item(), b.item());

    // 2. the update: a step against the gradient
    a = a - rate * a.grad();
    b = b - rate * b.grad();

    // 3. the cost, which is lower: see the next line
  }
  fmt::print("the gradients of backward() are the same: {}\n", same ? "yes" : "no");
  return same ? 0 : 1;
}
