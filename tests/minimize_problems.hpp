// Minimisation: the methods, and problems with known minima: Moré, Garbow & Hillstrom, "Testing unconstrained
// optimization software", ACM TOMS 7 (1981), as sums of squares f = sum r^2, by their numbers there.
#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <numbers>
#include <set>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

namespace problems {

using namespace xgrad;

struct Problem {
  const char* name;
  std::vector<double> start;
  std::function<Tensor(const Tensor& x)> residuals;
  double least;                             // f at the minimum
  std::vector<std::vector<double>> minima;  // any of these; none: not unique
  bool singular = false;                    // the Hessian at the minimum: convergence is linear, and x is loose
};

inline const std::vector<Problem>& all() {
  const double s10 = std::sqrt(10.0), s90 = std::sqrt(90.0), s5 = std::sqrt(5.0);
  static const std::vector<Problem> list{
      {"Rosenbrock (1)",
       {-1.2, 1},
       [](const Tensor& x) {
         return stack({10.0 * (x[1] - square(x[0])), 1.0 - x[0]});
       },
       0,
       {{1, 1}}},
      {"Freudenstein-Roth (2)",
       {0.5, -2},
       [](const Tensor& x) {
         return stack(
             {-13.0 + x[0] + ((5.0 - x[1]) * x[1] - 2.0) * x[1], -29.0 + x[0] + ((x[1] + 1.0) * x[1] - 14.0) * x[1]});
       },
       48.9842536792,
       {{11.4127790, -0.8968053}}},
      {"Beale (5)",
       {1, 1},
       [](const Tensor& x) {
         return stack(
             {1.5 - x[0] * (1.0 - x[1]), 2.25 - x[0] * (1.0 - pow(x[1], 2.0)), 2.625 - x[0] * (1.0 - pow(x[1], 3.0))});
       },
       0,
       {{3, 0.5}}},
      {"helical valley (7)",
       {-1, 0, 0},
       [](const Tensor& x) {
         const Tensor theta = atan(x[1] / x[0]) / (2 * std::numbers::pi) + where(x[0] > 0.0, 0.0, 0.5);
         return stack({10.0 * (x[2] - 10.0 * theta), 10.0 * (sqrt(square(x[0]) + square(x[1])) - 1.0), x[2]});
       },
       0,
       {{1, 0, 0}}},
      {"Powell singular (13)",
       {3, -1, 0, 1},
       [s5, s10](const Tensor& x) {
         return stack({x[0] + 10.0 * x[1], s5 * (x[2] - x[3]), square(x[1] - 2.0 * x[2]), s10 * square(x[0] - x[3])});
       },
       0,
       {{0, 0, 0, 0}},
       true},
      {"Wood (14)",
       {-3, -1, -3, -1},
       [s90, s10](const Tensor& x) {
         return stack({10.0 * (x[1] - square(x[0])), 1.0 - x[0], s90 * (x[3] - square(x[2])), 1.0 - x[2],
                       s10 * (x[1] + x[3] - 2.0), (x[1] - x[3]) / s10});
       },
       0,
       {{1, 1, 1, 1}}},
      {"Brown-Dennis (16)",
       {25, 5, -5, -1},
       [](const Tensor& x) {
         const Tensor t = arange(1.0, 21.0) / 5.0;
         return square(x[0] + t * x[1] - exp(t)) + square(x[2] + x[3] * sin(t) - cos(t));
       },
       85822.2016264,
       {{-11.594440, 13.203630, -0.403439, 0.236779}}},
      {"Jennrich-Sampson (6)",
       {0.3, 0.4},
       [](const Tensor& x) {
         const Tensor i = arange(1.0, 11.0);
         return 2.0 + 2.0 * i - (exp(i * x[0]) + exp(i * x[1]));
       },
       124.362182356,
       {{0.257825, 0.257825}}},
      {"Box 3-D (12)",
       {0, 10, 20},
       [](const Tensor& x) {
         const Tensor t = arange(1.0, 11.0) / 10.0;
         return exp(-t * x[0]) - exp(-t * x[1]) - x[2] * (exp(-t) - exp(-10.0 * t));
       },
       0,
       {}},
      {"Brown badly scaled (4)",
       {1, 1},
       [](const Tensor& x) {
         return stack({x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2.0});
       },
       0,
       {{1e6, 2e-6}}},
      {"Powell badly scaled (3)",
       {0, 1},
       [](const Tensor& x) {
         return stack({1e4 * x[0] * x[1] - 1.0, exp(-x[0]) + exp(-x[1]) - 1.0001});
       },
       0,
       {{1.0981593e-5, 9.1061467}}},
      {"extended Rosenbrock (21), n 40",
       [] {
         std::vector<double> x;
         for (int i = 0; i < 20; ++i) x.insert(x.end(), {-1.2, 1.0});
         return x;
       }(),
       [](const Tensor& x) {
         const Tensor pairs = reshape(x, {20, 2});
         const Tensor a = select(pairs, 1, 0), b = select(pairs, 1, 1);
         return concat({10.0 * (b - square(a)), 1.0 - a});
       },
       0,
       {std::vector<double>(40, 1.0)}},
  };
  return list;
}

// The greatest difference, to the greater of 1e-3 and the number.
inline double off(const Tensor& x, const std::vector<double>& from) {
  const std::vector<double> got = x.to_vector<double>();
  double most = 0;
  for (std::size_t i = 0; i < from.size(); ++i)
    most = std::max(most, std::abs(got[i] - from[i]) / std::max(1e-3, std::abs(from[i])));
  return most;
}

// ---- the methods

using Make = std::function<std::unique_ptr<optim::Method>(Parameter& x)>;
template <class Method, class Options = typename std::decay_t<decltype(std::declval<Method>().options())>>
Make method(Options options = {}) {
  return [=](Parameter& x) { return std::make_unique<Method>(Parameters{x}, options); };
}

struct Row {  // a method
  const char* name;
  Make make;
  bool of_residuals;
  Size most_iterations;
  std::set<std::string> too_hard = {};  // problems that the method is known to be slow at
};
inline const Row rows[] = {
    {"LBFGS", method<optim::LBFGS>(), false, 200},
    {"Newton", method<optim::Newton>(), false, 120},
    // Residuals that stay large: the second derivatives that the method leaves out are what counts.
    {"LevenbergMarquardt",
     method<optim::LevenbergMarquardt>(),
     true,
     120,
     {"Brown-Dennis (16)", "Freudenstein-Roth (2)"}},
};

}  // namespace problems
