// Searches along a line, on their own.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <numbers>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;

// The search on the functions of Moré & Thuente (1994): how often it looks, and where it ends, to the one or two digits
// that their tables I to VI print.
BOOST_AUTO_TEST_CASE(wolfe_search_as_published) {
  const auto root = [](const Tensor& x, double b) { return sqrt(square(x) + b * b); };
  const auto yanai = [&](double b1, double b2) {
    const auto factor = [](double b) { return std::sqrt(1 + b * b) - b; };
    return [=](const Tensor& a) { return factor(b1) * root(1.0 - a, b2) + factor(b2) * root(a, b1); };
  };
  const auto oscillating = [](const Tensor& a) {
    const double b = 0.01, l = 39, pi = std::numbers::pi;
    const Tensor near = square(a - 1.0) / (2 * b) + b / 2;
    return where(a <= 1 - b, 1.0 - a, where(a >= 1 + b, a - 1.0, near)) + 2 * (1 - b) / (l * pi) * sin(l * pi / 2 * a);
  };
  struct Table {
    const char* name;
    std::function<Tensor(const Tensor& a)> phi;
    double armijo, curvature;
    Size looks[4];  // from first steps of 1e-3, 0.1, 10 and 1000
    double ends[4];
  };
  const Table tables[] = {
      {"I", [](const Tensor& a) { return -a / (square(a) + 2.0); }, 1e-3, 0.1, {6, 3, 1, 4}, {1.4, 1.4, 10, 37}},
      {"II",
       [](const Tensor& a) { return pow(a + 0.004, 5.0) - 2.0 * pow(a + 0.004, 4.0); },
       0.1,
       0.1,
       {12, 8, 8, 11},
       {1.6, 1.6, 1.6, 1.6}},
      {"III", oscillating, 0.1, 0.1, {12, 12, 10, 13}, {1.0, 1.0, 1.0, 1.0}},
      {"IV", yanai(0.001, 0.001), 1e-3, 1e-3, {4, 1, 3, 4}, {0.08, 0.10, 0.35, 0.83}},
      {"V", yanai(0.01, 0.001), 1e-3, 1e-3, {6, 3, 7, 8}, {0.075, 0.078, 0.073, 0.076}},
      {"VI", yanai(0.001, 0.01), 1e-3, 1e-3, {13, 11, 8, 11}, {0.93, 0.93, 0.92, 0.92}},
  };
  for (const Table& table : tables)
    for (int i = 0; i < 4; ++i) {
      Parameter a = parameter(0.0);
      optim::Objective f(
          "test", {a}, [&] { return table.phi(a); }, optim::Objective::Kind::loss);
      const double first[] = {1e-3, 0.1, 10, 1000};
      const double step = optim::wolfe_search(
          f, ones({1}, f64), first[i], {.armijo = table.armijo, .curvature = table.curvature, .interval = 1e-15});
      BOOST_TEST(step == a.item());
      BOOST_TEST(std::abs(step / table.ends[i] - 1) < 0.065, table.name << " from " << first[i] << ": " << step);
      BOOST_TEST(f.evaluations().value - 1 == table.looks[i],
                 table.name << " from " << first[i] << ": " << f.evaluations().value - 1);
    }
}

// A step that goes down, but by less than it should, is too long: it is the distance to the line of sufficient decrease
// that has its minimum before it, while the function itself goes on falling.
BOOST_AUTO_TEST_CASE(falling_too_little_is_too_far) {
  Parameter a = parameter(0.0);
  optim::Objective f(
      "test", {a}, [&] { return -0.05 * (1.0 - exp(-20.0 * a)) - 0.001 * a; }, optim::Objective::Kind::loss);
  const double step = optim::wolfe_search(f, ones({1}, f64), 1, {.armijo = 0.1, .curvature = 0.9});
  BOOST_TEST((step > 0 && step < 0.5 && f.evaluations().value <= 4));
}

// A value that rises by less than its rounding, where the slope falls: no reason to go shorter.
BOOST_AUTO_TEST_CASE(noise_is_no_rise) {
  for (const auto& search :
       {std::function([](optim::Objective& f) { return optim::armijo_search(f, ones({1}, f64), 1); }),
        std::function([](optim::Objective& f) { return optim::wolfe_search(f, ones({1}, f64), 1); })}) {
    Parameter a = parameter(0.0);
    optim::Objective f(
        "test", {a}, [&] { return 1e6 + 1e-14 * square(a - 1.0) + where(a > 0.5, 1.2e-10, 0.0); },
        optim::Objective::Kind::loss);
    BOOST_TEST(search(f) == 1);
    BOOST_TEST(f.value() > 1e6);
    f.move_to(zeros({1}, f64));
    Parameter b = parameter(0.0);  // more than that is a rise
    optim::Objective rising(
        "test", {b}, [&] { return 1e6 + 1e-14 * square(b - 1.0) + where(b > 0.5, 1e-8, 0.0); },
        optim::Objective::Kind::loss);
    BOOST_TEST(search(rising) < 0.6);
  }
}
