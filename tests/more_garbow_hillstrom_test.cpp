// All minimisers on all problems of Moré, Garbow & Hillstrom, and the formulas of those against others' of the same.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "minimize_problems.hpp"
#include "references/references.hpp"

using namespace xgrad;
using problems::Problem;

namespace {

std::string key(std::size_t number, const std::string& what) { return fmt::format("{:02}.{}", number, what); }

struct Row {
  const char* name;
  problems::Make make;
  bool of_residuals;
  std::set<int> too_hard = {};  // by number
  Size most_iterations = 3000;
};

template <class Method, class Rule = typename std::decay_t<decltype(std::declval<Method>().options())>>
Row row(const char* name, Rule rule, std::set<int> too_hard = {}, bool of_residuals = false) {
  return {name, problems::method<Method>(rule), of_residuals, too_hard};
}

std::vector<Row> rows() {
  using namespace optim;
  // Meyer's problem (10) and Powell's badly scaled one (3) are known to defeat first derivatives; Gauss-Newton does not
  // damp, and Levenberg-Marquardt leaves out the second derivatives that count where residuals stay large.
  return {
      row<LBFGS>("LBFGS", {}),
      row<LBFGSB>("LBFGSB", {}, {3, 10}),
      row<BFGS>("BFGS", {}),
      row<NonlinearCG>("CG, Polak-Ribiere", {}, {3, 10, 17}),
      row<NonlinearCG>("CG, Fletcher-Reeves", {.formula = CG::fletcher_reeves}, {3, 10}),
      row<NonlinearCG>("CG, Hestenes-Stiefel", {.formula = CG::hestenes_stiefel}, {10, 17}),
      row<NonlinearCG>("CG, Dai-Yuan", {.formula = CG::dai_yuan}, {3, 10, 23}),
      row<NonlinearCG>("CG, Hager-Zhang", {.formula = CG::hager_zhang}, {10}),
      row<Newton>("Newton", {}),
      row<Newton>("Newton, shifted", {.indefinite = Indefinite::shifted}, {17, 18}),
      row<NewtonCG>("NewtonCG", {}, {10}),
      row<ProjectedNewton>("ProjectedNewton", {}),
      row<GradientDescent>("GradientDescent, BB", {.barzilai_borwein = true, .memory = 10}, {3, 4, 10, 17}),
      row<FISTA>("FISTA", {}, {3, 4, 10, 11, 17, 24}),
      row<LevenbergMarquardt>("LevenbergMarquardt", {}, {16, 23}, true),
      row<GaussNewton>("GaussNewton", {}, {2, 6, 11, 18, 24, 35}, true),
  };
}

struct End {
  bool right;  // at the minimum, or at another that is known
  std::string shown;
};

End end_of(const Row& row, const Problem& p) {
  Parameter x = parameter(tensor(p.start));
  const auto residuals = [&] { return p.residuals(x); };
  const optim::Stop stop{.max_iterations = row.most_iterations, .gradient_tolerance = 1e-9};
  const auto made = row.make(x);
  const optim::Result fit = row.of_residuals ? optim::least_squares(*made, residuals, stop)
                                             : optim::minimize(
                                                   *made, [&] { return sum(square(residuals())); }, stop);
  const double value = fit.value * (row.of_residuals ? 2 : 1);
  std::vector<double> known = p.others;
  known.push_back(p.least);
  bool right = false;
  for (const double f : known) right = right || std::abs(value - f) <= 1e-6 * f + 1e-9;
  return {right, fmt::format("{}/{}{}", fit.iterations, fit.evaluations.value,
                             right ? "" : fmt::format(" {:.3g} {}", value, to_string(fit.reason)))};
}

}  // namespace

// A second transcription, in Python with PyTorch's derivatives: value and gradient at the start, and the minimum that
// MINPACK finds from there.
BOOST_AUTO_TEST_CASE(the_problems_are_right) {
  const references::File scipy("minimisers");
  const auto& all = problems::more_garbow_hillstrom();
  BOOST_TEST(all.size() == 35u);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Problem& p = all[i];
    BOOST_TEST(std::string(p.name).find(fmt::format("({})", i + 1)) != std::string::npos);
    Parameter x = parameter(tensor(p.start));
    const Tensor f = sum(square(p.residuals(x)));
    CHECK_NEAR(p.name, f.detach(), scipy[key(i + 1, "f0")]);
    const Tensor g = grad(f, x)[0];
    BOOST_TEST(references::difference(g, scipy[key(i + 1, "g0")], 10) == "", p.name);
    const double least = scipy[key(i + 1, "least")].item();
    BOOST_TEST(std::abs(least - p.least) <= 1e-8 * p.least + 1e-25, p.name << " " << least);
  }
}

BOOST_AUTO_TEST_CASE(every_method_on_every_problem) {
  std::string table;
  for (const Row& row : rows()) {
    std::string line = fmt::format("{:20}", row.name);
    int found = 0;
    for (std::size_t i = 0; i < 35; ++i) {
      const End end = end_of(row, problems::more_garbow_hillstrom()[i]);
      found += end.right;
      line += fmt::format("  {}:{}", i + 1, end.shown);
      if (!row.too_hard.count(static_cast<int>(i + 1)))
        BOOST_TEST(end.right, row.name << " on " << problems::more_garbow_hillstrom()[i].name << ": " << end.shown);
    }
    table += fmt::format("{} of 35  {}\n", found, line);
  }
  BOOST_TEST_MESSAGE(table);
}
