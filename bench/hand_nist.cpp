// Ceres, where it is installed: Levenberg-Marquardt with its automatic derivatives on NIST's 54 fits, as its own
// example (examples/nist.cc) asks for them: dense QR, tolerances of machine epsilon.
#include <ceres/ceres.h>
#include <glog/logging.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <memory>
#include <numbers>
#include <sstream>
#include <string>

#include "bench/worker.hpp"

namespace bench {
namespace {

struct Data {
  std::string name;
  std::vector<double> starts[2], certified, y, x, x2;
};

Data read(const std::string& name) {
  Data data;
  data.name = name;
  std::ifstream file(std::string(BENCH_ROOT "/tests/nist_strd/") + name + ".dat");
  int headings = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string b, is;
    double one, two, three, deviation;
    if (words >> b >> is >> one >> two >> three >> deviation && b[0] == 'b' && is == "=") {
      data.starts[0].push_back(one);
      data.starts[1].push_back(two);
      data.certified.push_back(three);
    } else if (line.rfind("Data:", 0) == 0) {
      ++headings;
    } else if (headings == 2) {
      std::istringstream row(line);
      double value;
      if (row >> value) data.y.push_back(value);
      if (row >> value) data.x.push_back(value);
      if (row >> value) data.x2.push_back(value);
    }
  }
  return data;
}

// One residual block of all observations, as xgrad's side has them.
template <class Model>
struct Residuals {
  const Data* data;
  Model model;
  template <class T>
  bool operator()(const T* b, T* r) const {
    for (std::size_t i = 0; i < data->y.size(); ++i)
      r[i] = model(b, data->x[i], data->x2.empty() ? 0.0 : data->x2[i]) -
             (data->x2.empty() ? data->y[i] : std::log(data->y[i]));
    return true;
  }
};

struct Fit {
  Data data;
  std::function<ceres::CostFunction*(const Data*)> cost;
};

template <int n, class Model>
Fit fit(const char* name, Model model) {
  return {read(name), [model](const Data* data) -> ceres::CostFunction* {
            return new ceres::AutoDiffCostFunction<Residuals<Model>, ceres::DYNAMIC, n>(
                new Residuals<Model>{data, model}, static_cast<int>(data->y.size()));
          }};
}

const std::vector<Fit>& fits() {
  using std::exp, std::pow, std::cos, std::sin, std::atan2;
  constexpr double pi = std::numbers::pi;
  const auto lanczos = [](auto b, double x, double) {
    return b[0] * exp(-b[1] * x) + b[2] * exp(-b[3] * x) + b[4] * exp(-b[5] * x);
  };
  const auto square = [](auto u) { return u * u; };
  const auto gauss = [square](auto b, double x, double) {
    return b[0] * exp(-b[1] * x) + b[2] * exp(-square((x - b[3]) / b[4])) + b[5] * exp(-square((x - b[6]) / b[7]));
  };
  const auto chwirut = [](auto b, double x, double) { return exp(-b[0] * x) / (b[1] + b[2] * x); };
  const auto cubics = [](auto b, double x, double) {
    return (b[0] + b[1] * x + b[2] * x * x + b[3] * x * x * x) / (1.0 + b[4] * x + b[5] * x * x + b[6] * x * x * x);
  };
  static const std::vector<Fit> all{
      fit<3>("Bennett5", [](auto b, double x, double) { return b[0] * pow(b[1] + x, -1.0 / b[2]); }),
      fit<2>("BoxBOD", [](auto b, double x, double) { return b[0] * (1.0 - exp(-b[1] * x)); }),
      fit<3>("Chwirut1", chwirut),
      fit<3>("Chwirut2", chwirut),
      fit<2>("DanWood", [](auto b, double x, double) { return b[0] * pow(x, b[1]); }),
      fit<9>("ENSO",
             [](auto b, double x, double) {
               const double t = 2 * pi * x;
               return b[0] + b[1] * cos(t / 12) + b[2] * sin(t / 12) + b[4] * cos(t / b[3]) + b[5] * sin(t / b[3]) +
                      b[7] * cos(t / b[6]) + b[8] * sin(t / b[6]);
             }),
      fit<3>("Eckerle4",
             [square](auto b, double x, double) { return b[0] / b[1] * exp(-0.5 * square((x - b[2]) / b[1])); }),
      fit<8>("Gauss1", gauss),
      fit<8>("Gauss2", gauss),
      fit<8>("Gauss3", gauss),
      fit<7>("Hahn1", cubics),
      fit<5>("Kirby2", [](auto b, double x,
                          double) { return (b[0] + b[1] * x + b[2] * x * x) / (1.0 + b[3] * x + b[4] * x * x); }),
      fit<6>("Lanczos1", lanczos),
      fit<6>("Lanczos2", lanczos),
      fit<6>("Lanczos3", lanczos),
      fit<4>("MGH09", [](auto b, double x, double) { return b[0] * (x * x + x * b[1]) / (x * x + x * b[2] + b[3]); }),
      fit<3>("MGH10", [](auto b, double x, double) { return b[0] * exp(b[1] / (x + b[2])); }),
      fit<5>("MGH17", [](auto b, double x, double) { return b[0] + b[1] * exp(-x * b[3]) + b[2] * exp(-x * b[4]); }),
      fit<2>("Misra1a", [](auto b, double x, double) { return b[0] * (1.0 - exp(-b[1] * x)); }),
      fit<2>("Misra1b",
             [square](auto b, double x, double) { return b[0] * (1.0 - 1.0 / square(1.0 + b[1] * x / 2.0)); }),
      fit<2>("Misra1c", [](auto b, double x, double) { return b[0] * (1.0 - pow(1.0 + 2.0 * b[1] * x, -0.5)); }),
      fit<2>("Misra1d", [](auto b, double x, double) { return b[0] * b[1] * x / (1.0 + b[1] * x); }),
      fit<3>("Nelson", [](auto b, double x, double x2) { return b[0] - b[1] * x * exp(-b[2] * x2); }),
      fit<3>("Rat42", [](auto b, double x, double) { return b[0] / (1.0 + exp(b[1] - b[2] * x)); }),
      fit<4>("Rat43", [](auto b, double x, double) { return b[0] / pow(1.0 + exp(b[1] - b[2] * x), 1.0 / b[3]); }),
      fit<4>("Roszman1", [](auto b, double x, double) { return b[0] - b[1] * x - atan2(b[2], x - b[3]) / pi; }),
      fit<7>("Thurber", cubics),
  };
  return all;
}

// How many of the 54 have 4 digits.
double solve_all() {
  int right = 0;
  for (const Fit& f : fits())
    for (const auto& start : f.data.starts) {
      std::vector<double> b = start;
      ceres::Problem problem;
      problem.AddResidualBlock(f.cost(&f.data), nullptr, b.data());
      ceres::Solver::Options options;
      options.linear_solver_type = ceres::DENSE_QR;
      options.max_num_iterations = 10000;
      options.function_tolerance = options.gradient_tolerance = options.parameter_tolerance =
          std::numeric_limits<double>::epsilon();
      options.logging_type = ceres::SILENT;
      ceres::Solver::Summary summary;
      ceres::Solve(options, &problem, &summary);
      bool all = true;
      for (std::size_t i = 0; i < b.size(); ++i) all = all && std::abs(b[i] / f.data.certified[i] - 1) < 1e-4;
      right += all;
    }
  return right;
}

}  // namespace

void add_nist(std::vector<Work>& works) {
  works.push_back({"nist", [] {
                     FLAGS_minloglevel = 3;  // it warns of trials that are not finite
                     auto right = std::make_shared<double>(0);
                     return Running{[=] { *right = solve_all(); }, [=] { return std::vector<double>{*right}; }};
                   }});
}

}  // namespace bench
