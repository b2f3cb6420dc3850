// A learning rate that is too low, one that is right, and one that is too high: the cost of the same descent, step by step. One
// picture, where gnuplot is: learning_rates.png
// Prints:
//   rate        step 0   step 10   step 30   step 60
//   too low        9.5      6.36      3.97      2.82
//   right          9.5     0.174  0.000262  1.53e-08
//   too high       9.5        11      52.6       553
#include <string>
#include <vector>

#include <fmt/core.h>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training.hpp>

using namespace xgrad;

// A valley that is ten times as steep one way as the other: rates above 2 / 10 leave it.
Tensor cost(const Tensor& w) { return 0.5 * (w[0] * w[0] + 10.0 * w[1] * w[1]); }

int main() {
  const struct {
    const char* name;
    double rate;
  } all[] = {{"too low", 0.004}, {"right", 0.15}, {"too high", 0.204}};

  std::vector<training::Line> lines;
  fmt::print("rate        step 0   step 10   step 30   step 60\n");
  for (const auto& row : all) {
    Parameter w = parameter({3.0, 1.0});
    optim::SGD descent({w}, {.lr = row.rate});
    training::Line& line = lines.emplace_back(training::Line{fmt::format("{}: {}", row.name, row.rate), {}, {}});
    for (int step = 0; step <= 60; ++step) {
      descent.zero_grad();
      const Tensor now = cost(w);
      now.backward();
      descent.step();
      line.y.push_back(now.item());
    }
    fmt::print("{:8} {:9.3g} {:9.3g} {:9.3g} {:9.3g}\n", row.name, line.y[0], line.y[10], line.y[30], line.y[60]);
  }
  if (training::can_plot())
    training::plot_lines(lines, "learning_rates.png",
                         {.title = "Three learning rates", .x_label = "step", .y_label = "cost", .log_y = true});
  return lines[1].y[60] < 1e-6 && lines[0].y[60] > 1 && lines[2].y[60] > lines[2].y[0] ? 0 : 1;
}
