// NIST's certified nonlinear regressions, read from the files beside this one.
#pragma once

#include <fstream>
#include <functional>
#include <numbers>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>

namespace nist {

using xgrad::Tensor;

struct Problem {
  std::string name;
  std::vector<double> starts[2], certified, deviations;
  double sum_of_squares = 0, residual_deviation = 0;
  Tensor y, x, x2;  // observations; x2 of Nelson only
};

inline Problem read(const std::string& name) {
  Problem p;
  p.name = name;
  std::ifstream file(std::string(XGRAD_SOURCE_DIR "/tests/nist_strd/") + name + ".dat");
  const std::string number = R"(([-+]?[0-9]*\.?[0-9]+(?:[Ee][-+]?[0-9]+)?))";
  const std::regex parameter("^ *b[0-9]+ = +" + number + " +" + number + " +" + number + " +" + number + " *$"),
      squares("^Residual Sum of Squares: +" + number + ".*"),
      deviation("^Residual Standard Deviation: +" + number + ".*");
  std::vector<double> columns[3];
  int data = 0;  // headings of that word; the second one's are the numbers
  for (std::string line; std::getline(file, line);) {
    std::smatch m;
    if (std::regex_match(line, m, parameter)) {
      p.starts[0].push_back(std::stod(m[1]));
      p.starts[1].push_back(std::stod(m[2]));
      p.certified.push_back(std::stod(m[3]));
      p.deviations.push_back(std::stod(m[4]));
    } else if (std::regex_match(line, m, squares)) {
      p.sum_of_squares = std::stod(m[1]);
    } else if (std::regex_match(line, m, deviation)) {
      p.residual_deviation = std::stod(m[1]);
    } else if (line.rfind("Data:", 0) == 0) {
      ++data;
    } else if (data == 2) {
      std::istringstream row(line);
      double value = 0;
      for (auto& column : columns)
        if (row >> value) column.push_back(value);
    }
  }
  p.y = xgrad::tensor(columns[0]);
  p.x = xgrad::tensor(columns[1]);
  if (!columns[2].empty()) p.x2 = xgrad::tensor(columns[2]);
  return p;
}

// What the model says for parameters b (a vector; b1 is b[0]), less what was observed.
struct Model {
  const char* name;
  std::function<Tensor(const Tensor& b, const Problem& p)> residuals;
};

inline const std::vector<Model>& models() {
  using namespace xgrad;
  constexpr double pi = std::numbers::pi;
  const auto lanczos = [](const Tensor& b, const Problem& p) {
    return b[0] * exp(-b[1] * p.x) + b[2] * exp(-b[3] * p.x) + b[4] * exp(-b[5] * p.x) - p.y;
  };
  const auto gauss = [](const Tensor& b, const Problem& p) {
    return b[0] * exp(-b[1] * p.x) + b[2] * exp(-square((p.x - b[3]) / b[4])) +
           b[5] * exp(-square((p.x - b[6]) / b[7])) - p.y;
  };
  const auto chwirut = [](const Tensor& b, const Problem& p) { return exp(-b[0] * p.x) / (b[1] + b[2] * p.x) - p.y; };
  const auto cubics = [](const Tensor& b, const Problem& p) {
    const Tensor x = p.x, x2 = square(x), x3 = x2 * x;
    return (b[0] + b[1] * x + b[2] * x2 + b[3] * x3) / (1.0 + b[4] * x + b[5] * x2 + b[6] * x3) - p.y;
  };
  static const std::vector<Model> all{
      {"Bennett5", [](const Tensor& b, const Problem& p) { return b[0] * pow(b[1] + p.x, -1.0 / b[2]) - p.y; }},
      {"BoxBOD", [](const Tensor& b, const Problem& p) { return b[0] * (1.0 - exp(-b[1] * p.x)) - p.y; }},
      {"Chwirut1", chwirut},
      {"Chwirut2", chwirut},
      {"DanWood", [](const Tensor& b, const Problem& p) { return b[0] * pow(p.x, b[1]) - p.y; }},
      {"ENSO",
       [](const Tensor& b, const Problem& p) {
         const Tensor t = 2 * pi * p.x;
         return b[0] + b[1] * cos(t / 12.0) + b[2] * sin(t / 12.0) + b[4] * cos(t / b[3]) + b[5] * sin(t / b[3]) +
                b[7] * cos(t / b[6]) + b[8] * sin(t / b[6]) - p.y;
       }},
      {"Eckerle4",
       [](const Tensor& b, const Problem& p) { return b[0] / b[1] * exp(-0.5 * square((p.x - b[2]) / b[1])) - p.y; }},
      {"Gauss1", gauss},
      {"Gauss2", gauss},
      {"Gauss3", gauss},
      {"Hahn1", cubics},
      {"Kirby2",
       [](const Tensor& b, const Problem& p) {
         const Tensor x = p.x, x2 = square(x);
         return (b[0] + b[1] * x + b[2] * x2) / (1.0 + b[3] * x + b[4] * x2) - p.y;
       }},
      {"Lanczos1", lanczos},
      {"Lanczos2", lanczos},
      {"Lanczos3", lanczos},
      {"MGH09",
       [](const Tensor& b, const Problem& p) {
         const Tensor x = p.x, x2 = square(x);
         return b[0] * (x2 + x * b[1]) / (x2 + x * b[2] + b[3]) - p.y;
       }},
      {"MGH10", [](const Tensor& b, const Problem& p) { return b[0] * exp(b[1] / (p.x + b[2])) - p.y; }},
      {"MGH17", [](const Tensor& b,
                   const Problem& p) { return b[0] + b[1] * exp(-p.x * b[3]) + b[2] * exp(-p.x * b[4]) - p.y; }},
      {"Misra1a", [](const Tensor& b, const Problem& p) { return b[0] * (1.0 - exp(-b[1] * p.x)) - p.y; }},
      {"Misra1b",
       [](const Tensor& b, const Problem& p) { return b[0] * (1.0 - pow(1.0 + b[1] * p.x / 2.0, -2.0)) - p.y; }},
      {"Misra1c",
       [](const Tensor& b, const Problem& p) { return b[0] * (1.0 - pow(1.0 + 2.0 * b[1] * p.x, -0.5)) - p.y; }},
      {"Misra1d", [](const Tensor& b, const Problem& p) { return b[0] * b[1] * p.x / (1.0 + b[1] * p.x) - p.y; }},
      {"Nelson", [](const Tensor& b, const Problem& p) { return b[0] - b[1] * p.x * exp(-b[2] * p.x2) - log(p.y); }},
      {"Rat42", [](const Tensor& b, const Problem& p) { return b[0] / (1.0 + exp(b[1] - b[2] * p.x)) - p.y; }},
      {"Rat43",
       [](const Tensor& b, const Problem& p) { return b[0] / pow(1.0 + exp(b[1] - b[2] * p.x), 1.0 / b[3]) - p.y; }},
      // the certified parameters are on the branch of atan2
      {"Roszman1",
       [](const Tensor& b, const Problem& p) { return b[0] - b[1] * p.x - atan2(b[2], p.x - b[3]) / pi - p.y; }},
      {"Thurber", cubics},
  };
  return all;
}

}  // namespace nist
