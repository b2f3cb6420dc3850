// Variants of gradient descent on one problem, from one start, with equal budgets: a logistic regression of two parameters on 64
// rows. Each may look at 6400 rows: 100 steps of all of them, 800 of eight, 6400 of one. Where gnuplot is, two pictures: the paths
// over the level lines of the loss, and the loss against the rows that were looked at.
//   variants [folder]
// Prints:
//   the least loss is 0.4366, at (1.17, -0.78); above it, after so many rows:
//                    steps       640      3200      6400
//   batch              100   1.7e-01   2.3e-05   1.4e-09
//   stochastic        6400   9.6e-04   5.0e-04   1.6e-04
//   mini-batch of 8    800   5.2e-03   2.8e-04   4.4e-05
//   momentum           100   3.0e-01   3.1e-05   1.3e-09
//   Nesterov           100   5.9e-02   7.3e-07         0
//   AdaGrad            100   1.2e-01   3.9e-04   1.7e-06
//   RMSProp            100   3.9e-02   9.2e-06         0
//   Adam               100   3.4e-01   2.1e-02   1.5e-04
//   Newton               8         0         0         0
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training.hpp>

using namespace xgrad;

constexpr Size rows = 64, budget = 100 * rows;

struct Problem {
  Tensor x, y;                                                 // [rows]
  Parameter slope = parameter(-3.0), offset = parameter(4.0);  // the start

  Problem() {
    manual_seed(4);
    x = 1.5 * randn({rows}, f64) + 1.0;
    y = cast(rand({rows}, f64) < sigmoid(1.5 * x - 1.0), f64);
  }
  // -log p(y | x), and a little of a normal prior
  Tensor loss(const Tensor& some_x, const Tensor& some_y) const {
    const Tensor z = slope * some_x + offset;
    return mean(softplus(z) - some_y * z) + 0.01 * (square(slope) + square(offset));
  }
  Tensor loss() const { return loss(x, y); }
  Parameters parameters() {
    Parameters all;
    all.add("slope", slope);
    all.add("offset", offset);
    return all;
  }
};

struct Variant {
  const char* name;
  Size batch_size;
  std::function<std::unique_ptr<optim::Optimizer>(const Parameters&)> make;  // empty: Newton's method
};

template <class Optimizer>
auto with(typename Optimizer::Options options) {
  return [=](const Parameters& p) { return std::make_unique<Optimizer>(p, options); };
}

const std::vector<Variant>& variants() {
  using namespace optim;
  static const std::vector<Variant> all = {
      {"batch", rows, with<SGD>({.lr = 1.0})},
      {"stochastic", 1, with<SGD>({.lr = 0.05})},
      {"mini-batch of 8", 8, with<SGD>({.lr = 0.3})},
      {"momentum", rows, with<SGD>({.lr = 0.4, .momentum = 0.8})},
      {"Nesterov", rows, with<SGD>({.lr = 0.4, .momentum = 0.8, .nesterov = true})},
      {"AdaGrad", rows, with<Adagrad>({.lr = 0.8})},
      {"RMSProp", rows, with<RMSprop>({.lr = 0.1})},
      {"Adam", rows, with<Adam>({.lr = 0.3})},
      {"Newton", rows, {}},
  };
  return all;
}

struct Run {
  training::Line path, losses;  // slope and offset; rows looked at and loss
  Size steps = 0;
};

Run run(const Variant& variant) {
  Problem problem;
  Run seen{{variant.name, {}, {}}, {variant.name, {}, {}}};
  const auto look = [&] {
    seen.path.x.push_back(problem.slope.item());
    seen.path.y.push_back(problem.offset.item());
    seen.losses.x.push_back(static_cast<double>(seen.steps * variant.batch_size));
    seen.losses.y.push_back(problem.loss().item());
  };
  look();
  if (!variant.make) {
    optim::Newton newton(problem.parameters());
    const auto again = [&](const optim::Progress&) { return ++seen.steps, look(), false; };
    optim::minimize(newton, [&] { return problem.loss(); }, {.max_iterations = budget / rows, .when = again});
    return seen;
  }
  const auto optimizer = variant.make(problem.parameters());
  const data::DataLoader batches({problem.x, problem.y},
                                 {.batch_size = variant.batch_size, .shuffle = true, .seed = 1});
  while (seen.steps * variant.batch_size < budget)
    for (const auto& [x, y] : batches) {
      optimizer->zero_grad();
      problem.loss(x, y).backward();
      optimizer->step();
      ++seen.steps;
      look();
    }
  return seen;
}

int main(int count, char** arguments) {
  const std::string folder = count > 1 ? arguments[1] : ".";
  std::filesystem::create_directories(folder);

  Problem problem;
  optim::Newton newton(problem.parameters());
  const double least = optim::minimize(newton, [&] { return problem.loss(); }, {.gradient_tolerance = 1e-12}).value;
  fmt::print("the least loss is {:.4f}, at ({:.2f}, {:.2f}); above it, after so many rows:\n", least, problem.slope,
             problem.offset);
  fmt::print("{:16} {:>5} {:>9} {:>9} {:>9}\n", "", "steps", "640", "3200", "6400");

  std::vector<training::Line> paths, losses;
  bool all_fall = true;
  for (const Variant& variant : variants()) {
    const Run seen = run(variant);
    const auto above = [&](Size looked) {  // the last loss that was seen by then
      const std::size_t at = std::min(static_cast<std::size_t>(looked / variant.batch_size), seen.losses.y.size() - 1);
      return std::max(seen.losses.y[at] - least, 0.0);
    };
    const auto text = [&](Size looked) {
      return above(looked) < 1e-9 ? std::string("0") : fmt::format("{:.1e}", above(looked));
    };
    fmt::print("{:16} {:5} {:>9} {:>9} {:>9}\n", variant.name, seen.steps, text(640), text(3200), text(6400));
    all_fall = all_fall && above(6400) < 0.05;
    paths.push_back(seen.path);
    training::Line excess = seen.losses;
    for (double& y : excess.y) y -= least;
    losses.push_back(excess);
  }
  if (training::can_plot()) {
    const auto height = [&](double slope, double offset) {
      problem.slope = slope, problem.offset = offset;
      return problem.loss().item();
    };
    training::plot_paths(height, {-4, 4, -3, 6}, paths, folder + "/variants-paths.png",
                         {.title = "Paths over the level lines of the loss", .x_label = "slope", .y_label = "offset"});
    training::plot_lines(
        losses, folder + "/variants-loss.png",
        {.title = "Loss above the least", .x_label = "rows looked at", .y_label = "loss", .log_y = true});
  }
  return all_fall ? 0 : 1;
}
