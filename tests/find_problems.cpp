// Finds an optimizer's rows of optimizers/problems.def, with each of its rows of table.def or of_loss.def, at 19 rates:
//   find_problems Adam
// With a margin: what is 0 at its minimum comes to half of its `reach`, and of a value that is as near as it gets three times is
// printed. Of several rows with options the reader takes one.
#include <fmt/core.h>

#include <limits>

#include "optimizers/problems.hpp"
#include "optimizers/rows.hpp"

using namespace xgrad;

namespace {

constexpr double rates[] = {3e-5, 1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 0.01, 0.02, 0.03,
                            0.05, 0.1,  0.2,  0.3,  0.5,  1,    2,    3,    10};
constexpr int counts[] = {30, 50, 70, 100, 150, 200, 300, 400, 500, 700, 1000, 1500, 2000, 3000, 5000};
constexpr int most = 5000;

struct Found {
  int steps = most + 1;                                    // in which it is solved; more than `most`: it is not
  double value = std::numeric_limits<double>::infinity();  // after `most`, where it is not
};

Found run(const rows::Row& row, const problems::Problem& problem, double below, double lr) {
  manual_seed(1);
  const auto [p, trained] = problems::Begun(problem, row.of_matrices);
  if (trained.size() == 0) return {};
  const auto optimizer = row.make(trained);
  optimizer->set_lr(lr);
  int step = 0;
  for (const int count : counts) {
    for (; step < count; ++step) optimizer->step(problem.loss(p));
    optimizer->eval();
    const double value = problem.value(p);
    optimizer->train();
    if (value <= below) return {count, value};
    if (step == most) return {most + 1, value};
  }
  return {};
}

}  // namespace

int main(int count, char** arguments) try {
  const std::string wanted = count > 1 ? arguments[1] : "";
  int met = 0;
  for (const auto& table : {rows::all(), rows::of_loss()})
    for (const rows::Row& row : table) {
      if (row.name != wanted || row.key.find("maximize") != std::string::npos) continue;
      ++met;
      fmt::print("// {}\n", row.key);
      for (const auto& [name, problem] : problems::all()) {
        Found best;
        double lr = 0;
        const double below = name == "logistic" ? problem.reach : problem.reach / 2;
        for (const double rate : rates) {
          const Found found = run(row, problem, below, rate);
          if (found.steps < best.steps || (found.steps > most && found.value < best.value && best.steps > most))
            best = found, lr = rate;
        }
        if (best.steps <= most) fmt::print("REACHES({}, {}, {}, (.lr = {}))\n", name, row.name, best.steps, lr);
        else if (lr > 0)
          fmt::print("COMES_TO({}, {}, {}, {:.0e}, (.lr = {}))\n", name, row.name, most, 3 * best.value, lr);
        else fmt::print("// {}: nothing to train\n", name);
      }
    }
  if (met == 0) fmt::print("usage: find_problems Name, of an optimizer in optimizers/table.def or of_loss.def\n");
  return met == 0;
} catch (const Error& error) {
  fmt::print("{}\n", error.what());
  return 1;
}
