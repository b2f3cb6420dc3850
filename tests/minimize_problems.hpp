// Minimisation: the methods, and problems that every one of them is held to.
#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "more_garbow_hillstrom.hpp"

namespace problems {

inline const std::vector<Problem>& all() {
  static const std::vector<Problem> list = [] {
    std::vector<Problem> some;
    for (const int number : {1, 2, 5, 7, 13, 14, 16, 6, 12, 4, 3, 21})
      some.push_back(more_garbow_hillstrom()[static_cast<std::size_t>(number - 1)]);
    return some;
  }();
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

struct Make {
  std::function<std::unique_ptr<optim::Method>(const Parameters&)> of;
  std::unique_ptr<optim::Method> operator()(const Parameters& all) const { return of(all); }
  std::unique_ptr<optim::Method> operator()(Parameter& x) const { return of(Parameters{x}); }
};
template <class Method, class Options = typename std::decay_t<decltype(std::declval<Method>().options())>>
Make method(Options options = {}) {
  return {[=](const Parameters& all) { return std::make_unique<Method>(all, options); }};
}

struct Row {  // a method
  const char* name;
  Make make;
  bool of_residuals;
  Size most_iterations;
  std::set<std::string> too_hard = {};  // problems that the method is known to be slow at
  Size entropy_calls = 11;              // that the maximum entropy problem may take
};
inline const Row rows[] = {
    {"LBFGS", method<optim::LBFGS>(), false, 200},
    {"LBFGSB", method<optim::LBFGSB>(), false, 200, {"Powell badly scaled (3)"}},
    {"BFGS", method<optim::BFGS>(), false, 250},
    {"BFGS, scaled", method<optim::BFGS>(optim::BFGSRule{.scaled = true}), false, 250},
    {"CG, Polak-Ribiere", method<optim::NonlinearCG>(), false, 400, {"Powell badly scaled (3)"}},
    {"CG, Fletcher-Reeves",
     method<optim::NonlinearCG>(optim::NonlinearCGRule{.formula = optim::CG::fletcher_reeves}),
     false,
     2000,
     {"Powell badly scaled (3)", "Brown badly scaled (4)"}},
    {"CG, Hestenes-Stiefel",
     method<optim::NonlinearCG>(optim::NonlinearCGRule{.formula = optim::CG::hestenes_stiefel}),
     false,
     400,
     {"Powell badly scaled (3)"},
     13},
    {"CG, Dai-Yuan",
     method<optim::NonlinearCG>(optim::NonlinearCGRule{.formula = optim::CG::dai_yuan}),
     false,
     2000,
     {"Powell badly scaled (3)", "Brown badly scaled (4)"}},
    {"CG, Hager-Zhang",
     method<optim::NonlinearCG>(optim::NonlinearCGRule{.formula = optim::CG::hager_zhang}),
     false,
     400,
     {"Powell badly scaled (3)"}},
    {"Newton", method<optim::Newton>(), false, 120},
    {"Newton, shifted", method<optim::Newton>(optim::NewtonRule{.indefinite = optim::Indefinite::shifted}), false, 120},
    {"NewtonCG", method<optim::NewtonCG>(), false, 300, {"Powell badly scaled (3)", "Brown badly scaled (4)"}},
    {"ProjectedNewton", method<optim::ProjectedNewton>(), false, 120},
    {"GradientDescent, Barzilai-Borwein",
     method<optim::GradientDescent>(optim::GradientDescentRule{.barzilai_borwein = true, .memory = 10}),
     false,
     2000,
     {"Powell badly scaled (3)", "Brown badly scaled (4)"}},
    // Residuals that stay large: the second derivatives that the method leaves out are what counts.
    {"LevenbergMarquardt",
     method<optim::LevenbergMarquardt>(),
     true,
     120,
     {"Brown-Dennis (16)", "Freudenstein-Roth (2)"}},
    {"GaussNewton",
     method<optim::GaussNewton>(),
     true,
     120,
     {"Brown-Dennis (16)", "Freudenstein-Roth (2)", "Jennrich-Sampson (6)"}},
};

}  // namespace problems
