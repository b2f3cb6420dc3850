// Newton's method and gradient descent side by side, on Rosenbrock's valley in ten dimensions: few dear steps against many cheap
// ones. A Hessian costs a sweep for each parameter.
// Prints:
//   step      Newton     descent
//      0   5.850e+01   5.850e+01
//      1   4.455e+01   5.380e+01
//      2   2.260e+01   5.020e+01
//      5   3.968e+00   4.180e+01
//     10   4.373e-01   3.003e+01
//     15   2.122e-03   1.918e+01
//     20        done   1.047e+01
//    100        done   1.836e+00
//   1000        done   1.621e-01
//   Newton: 18 steps; 24 values, 19 gradients, 18 Hessians (converged: the gradient is within gradient_tolerance)
//   descent: 25521 steps; 25522 values, 25522 gradients, 0 Hessians (converged: the gradient is within gradient_tolerance)
#include <fmt/core.h>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;

Tensor valley(const Tensor& x) {
  const Tensor a = slice(x, 0, 0, 9), b = slice(x, 0, 1, 10);
  return sum(100.0 * square(b - square(a)) + square(1.0 - a));
}

int main() {
  Parameter x = parameter(full({10}, 0.5, f64)), y = parameter(full({10}, 0.5, f64));
  optim::Newton newton({x});
  optim::SGD descent({y}, {.lr = 1e-3});
  const optim::Stop stop{.max_iterations = 100000, .gradient_tolerance = 1e-6, .trace = true};
  const optim::Result a = optim::minimize(newton, [&] { return valley(x); }, stop), b = optim::minimize(descent, [&] { return valley(y); }, stop);

  fmt::print("step      Newton     descent\n");
  for (const std::size_t step : {0, 1, 2, 5, 10, 15, 20, 100, 1000}) {
    const auto value = [&](const optim::Result& r) {
      return step < r.trace.size() ? fmt::format("{:.3e}", r.trace[step].value) : std::string("done");
    };
    fmt::print("{:4} {:>11} {:>11}\n", step, value(a), value(b));
  }
  const auto counts = [](const char* name, const optim::Result& r) {
    fmt::print("{}: {} steps; {} values, {} gradients, {} Hessians ({})\n", name, r.iterations, r.evaluations.value, r.evaluations.gradient,
               r.evaluations.hessian, r.reason);
  };
  counts("Newton", a);
  counts("descent", b);
  return a.converged && a.iterations < 50 && b.iterations > 20 * a.iterations ? 0 : 1;
}
