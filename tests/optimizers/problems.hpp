// The problems that every optimizer is held to (problems.def), each with the value that counts as solved.
#pragma once

#include <functional>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>

namespace problems {

using namespace xgrad;

struct Problem {
  std::vector<Tensor> start;
  double reach;                                                 // to have come below it is to have solved the problem
  std::function<Tensor(const std::vector<Parameter>&)> loss;    // what is trained on
  std::function<Tensor(const std::vector<Parameter>&)> judged;  // where that is not the loss itself

  double value(const std::vector<Parameter>& p) const { return (judged ? judged : loss)(p).item(); }
};

// A problem at its start, and those of its parameters that an optimizer may move: all, or the matrices.
struct Begun {
  std::vector<Parameter> p;
  Parameters trained;
  Begun(const Problem& problem, bool of_matrices) {
    for (const Tensor& start : problem.start) p.push_back(parameter(start));
    for (Parameter& x : p)
      if (!of_matrices || x.value().dim() == 2) trained.add(std::to_string(trained.size()), x);
  }
};

inline Tensor ordinals(Size n) { return cast(arange(n), f64); }

// sum c x^2 / 2 of ten numbers, c from 1 to `condition`
inline Problem quadratic(double condition, double reach) {
  const Tensor c = pow(condition, reshape(ordinals(10), {2, 5}) / 9);
  return {{ones({2, 5}, f64)}, reach, [=](const auto& p) { return 0.5 * sum(c * square(p[0])); }, {}};
}

// A function of two numbers.
inline Problem plane(double x, double y, double reach, std::function<Tensor(const Tensor&, const Tensor&)> f) {
  return {{tensor({x, y})}, reach, [=](const auto& p) { return f(p[0][0], p[0][1]); }, {}};
}

inline std::map<std::string, Problem> all() {
  std::map<std::string, Problem> all;
  // What is 0 at its minimum is solved at 1e-8, with starts, as in ensmallen's tests (tests/*.cpp at f65354c0: objective to 1e-8).
  constexpr double solved = 1e-8;
  all["quadratic1"] = quadratic(1, solved);
  all["quadratic10"] = quadratic(10, solved);
  all["quadratic100"] = quadratic(100, solved);
  all["quadratic10000"] = quadratic(1e4, solved);

  all["rosenbrock"] = plane(
      -1.2, 1, solved, [](const Tensor& x, const Tensor& y) { return 100 * square(y - square(x)) + square(1 - x); });

  // Moré, Garbow & Hillstrom 1981, problem 21: 50 valleys
  all["rosenbrock100"] = {{tensor({{-1.2, 1.0}}) + zeros({50, 2}, f64)},
                          solved,
                          [](const auto& p) {
                            const Tensor x = select(Tensor(p[0]), 1, 0), y = select(Tensor(p[0]), 1, 1);
                            return sum(100 * square(y - square(x)) + square(1 - x));
                          },
                          {}};

  // Beale 1958: 0 at (3, 1/2)
  all["beale"] = plane(2.8, 0.35, solved, [](const Tensor& x, const Tensor& y) {
    return square(1.5 - x * (1 - y)) + square(2.25 - x * (1 - square(y))) + square(2.625 - x * (1 - y * square(y)));
  });

  // Himmelblau 1972: 0 at (3, 2) and three others
  all["himmelblau"] = plane(5, -5, solved, [](const Tensor& x, const Tensor& y) {
    return square(square(x) + y - 11) + square(x + square(y) - 7);
  });

  // Rastrigin 1974: 0 at 0, and a minimum near each other point of integers; the start is in the valley of 0
  all["rastrigin"] = {{tensor({0.3, -0.4})},
                      solved,
                      [](const auto& p) {
                        const Tensor x = p[0];
                        return sum(square(x) + 10 * (1 - cos(2 * std::numbers::pi * x)));
                      },
                      {}};

  // two classes that overlap; the least is 0.325212, as Newton's method has it
  const Tensor i = ordinals(60), x = stack({sin(1.7 * i), 3 * cos(2.3 * i), ones({60}, f64)}, 1);
  const Tensor y = cast(sin(1.7 * i) + 0.5 * cos(2.3 * i) + 0.8 * sin(5.1 * i) > 0.2, f64);
  all["logistic"] = {{zeros({3}, f64)},
                     0.3253,
                     [=](const auto& p) {
                       const Tensor z = matmul(x, p[0]);
                       return mean(softplus(z) - y * z);
                     },
                     {}};

  // a network of 2, 8 and 1 numbers learns a product
  const Tensor k = ordinals(16), e = slice(k, 0, 0, 8), a = ordinals(49);
  const Tensor grid = stack({floor_divide(a, 7) / 3 - 1, remainder(a, 7) / 3 - 1}, 1);
  const Tensor wanted = slice(grid, 1, 0, 1) * slice(grid, 1, 1, 2);
  all["net"] = {
      {reshape(sin(1 + 3 * k), {8, 2}), 0.1 * cos(e), reshape(0.5 * cos(2 * e), {1, 8}), zeros({1}, f64)},
      0.01,
      [=](const auto& p) { return mean(square(linear(tanh(linear(grid, p[0], p[1])), p[2], p[3]) - wanted)); },
      {}};

  // |x - n|^2 / 2, n of deviation 0.3 anew at each step, judged without it: from 5 to 0.01
  all["noisy"] = {{ones({2, 5}, f64)},
                  0.01,
                  [](const auto& p) {
                    return 0.5 * sum(square(p[0] - 0.3 * randn({2, 5}, f64)));
                  },
                  [](const auto& p) { return 0.5 * sum(square(Tensor(p[0]))); }};
  return all;
}

}  // namespace problems
