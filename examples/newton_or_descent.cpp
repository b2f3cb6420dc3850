// Newton's method and gradient descent side by side, on a bowl of ten dimensions that is a hundred times as steep one way as
// another: few dear steps against many cheap ones. A Hessian costs a sweep for each parameter.
// Prints:
//   step      Newton     descent
//      0   7.810e+02   7.810e+02
//      1   8.985e+01   2.492e+02
//      2   9.723e-01   1.242e+02
//      3   2.243e-01   7.095e+01
//      4   2.243e-01   4.441e+01
//      5   2.243e-01   2.983e+01
//      6        done   2.119e+01
//     10        done   7.720e+00
//    100        done   3.356e-01
//   1000        done   2.243e-01
//   Newton: 5 steps; 6 values, 6 gradients, 5 Hessians
//   descent: 1860 steps; 1861 values, 1861 gradients, 0 Hessians
#include <fmt/core.h>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;

Tensor bowl(const Tensor& x) {
  const Tensor steep = linspace(1.0, 100.0, 10, f64);
  return sum(steep * (cosh(x) - 1.0)) + 0.5 * square(sum(x) - 1.0);
}

int main() {
  Parameter x = parameter(full({10}, 1.5, f64)), y = parameter(full({10}, 1.5, f64));
  optim::Newton newton({x});
  optim::SGD descent({y}, {.lr = 4e-3});
  const optim::Stop stop{.max_iterations = 100000, .gradient_tolerance = 1e-6, .trace = true};
  const optim::Result a = optim::minimize(
      newton, [&] { return bowl(x); }, stop);
  const optim::Result b = optim::minimize(
      descent, [&] { return bowl(y); }, stop);

  fmt::print("step      Newton     descent\n");
  for (const std::size_t step : {0, 1, 2, 3, 4, 5, 6, 10, 100, 1000}) {
    const auto value = [&](const optim::Result& r) {
      return step < r.trace.size() ? fmt::format("{:.3e}", r.trace[step].value) : std::string("done");
    };
    fmt::print("{:4} {:>11} {:>11}\n", step, value(a), value(b));
  }
  const auto counts = [](const char* name, const optim::Result& r) {
    fmt::print("{}: {} steps; {} values, {} gradients, {} Hessians\n", name, r.iterations, r.evaluations.value,
               r.evaluations.gradient, r.evaluations.hessian);
  };
  counts("Newton", a);
  counts("descent", b);
  return a.converged && a.iterations < 50 && b.converged && b.iterations > 20 * a.iterations ? 0 : 1;
}
