// xgrad's side: minimisers, as a user calls them.
#include <cmath>
#include <memory>

#include <xgrad/autodiff.hpp>
#include "bench/worker.hpp"
#include <xgrad/optim.hpp>

#include "tests/nist_strd/nist_strd.hpp"

namespace bench {
namespace {

using namespace xgrad;

// Rosenbrock's function of 1,000 parameters, sum 100 (x_2i - x_2i-1^2)^2 + (1 - x_2i-1)^2, by L-BFGS (memory 10), from
// (-1.2, 1, ..) until the gradient is 1e-6: 45 evaluations.
Work rosenbrock() {
  return {"lbfgs.rosenbrock", [] {
            struct State {
              std::vector<double> start;
              Parameter x;
              Size calls = 0;
              State() {
                for (int i = 0; i < 500; ++i) start.insert(start.end(), {-1.2, 1.0});
                x = parameter(tensor(start));
              }
            };
            auto s = std::make_shared<State>();
            return Running{[=] {
                             s->x.assign(tensor(s->start));
                             optim::LBFGS method({s->x}, {.history = 10});
                             const auto loss = [&] {
                               const Tensor pairs = reshape(s->x, {500, 2});
                               const Tensor a = select(pairs, 1, 0), b = select(pairs, 1, 1);
                               return sum(100.0 * square(b - square(a)) + square(1.0 - a));
                             };
                             s->calls = optim::minimize(method, loss, {.gradient_tolerance = 1e-6}).evaluations.value;
                           },
                           [=] { return std::vector<double>{mean(s->x).item()}; },
                           [=] { return static_cast<double>(s->calls); }};
          }};
}

// NIST's 27 regressions from both starts, by Levenberg-Marquardt: how many have 4 digits.
Work nist_fits() {
  return {"nist", [] {
            auto problems = std::make_shared<std::vector<nist::Problem>>();
            for (const nist::Model& model : nist::models()) problems->push_back(nist::read(model.name));
            auto right = std::make_shared<double>(0);
            return Running{[=] {
                             *right = 0;
                             for (std::size_t i = 0; i < problems->size(); ++i)
                               for (const auto& start : (*problems)[i].starts) {
                                 const nist::Problem& p = (*problems)[i];
                                 Parameter b = parameter(tensor(start));
                                 optim::LevenbergMarquardt method({b});
                                 optim::least_squares(method, [&] { return nist::models()[i].residuals(b, p); },
                                                      {.max_iterations = 10000, .gradient_tolerance = 1e-300});
                                 const std::vector<double> got = b.value().to_vector<double>();
                                 bool all = true;
                                 for (std::size_t k = 0; k < got.size(); ++k)
                                   all = all && std::abs(got[k] / p.certified[k] - 1) < 1e-4;
                                 *right += all;
                               }
                           },
                           [=] { return std::vector<double>{*right}; }};
          }};
}

}  // namespace

void add_minimisers(std::vector<Work>& works) {
  works.push_back(rosenbrock());
  works.push_back(nist_fits());
}

}  // namespace bench
