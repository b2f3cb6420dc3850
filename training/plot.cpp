#include <xgrad/training/plot.hpp>

#include <fmt/core.h>

#include <cmath>
#include <cstdlib>
#include <tuple>

#include "training/draw.hpp"
#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::training {
namespace {

// of colours, paler: of regions behind points
constexpr const char* pale[] = {"#a5c8e1", "#efa9a9", "#abd9ab", "#ffcc9e", "#d4c2e5",
                                "#d1bbb7", "#f4c9e7", "#cccccc", "#e5e5a7", "#a2e5ec"};
// The class of each row of outputs [n, classes], or of one column of logits.
std::vector<Size> regions_of(const Tensor& outputs, Source source) {
  const Located at(source);
  if (outputs.dim() == 1) return cast(outputs > 0, i64).to_vector<Size>();
  if (outputs.dim() != 2 || outputs.size(1) == 0)
    fail(source.named("plot_regions"), "expected outputs [n, classes] or [n], got {}", outputs.shape());
  return (outputs.size(1) == 1 ? cast(outputs > 0, i64) : argmax(outputs, 1)).to_vector<Size>();
}

}  // namespace

bool can_plot() {
  static const bool found = std::system("command -v gnuplot >/dev/null 2>&1") == 0;
  return found;
}

void plot_history(const History& history, const std::string& path, const std::string& title, Source source) {
  std::vector<std::pair<double, double>> losses, accuracies;
  for (const Epoch& e : history.epochs) {
    losses.emplace_back(static_cast<double>(e.epoch), e.loss);
    if (!std::isnan(e.accuracy)) accuracies.emplace_back(static_cast<double>(e.epoch), e.accuracy);
  }
  if (losses.empty()) fail(source.named("plot_history"), "the history has no epochs");
  draw_file(path, source, [&](Gnuplot& g) {
    g << "set title '" << quoted(title) << "'\nset xlabel 'epoch'\nset ylabel 'loss'\nset grid\nset key center right\n";
    g << "set yrange [0:*]\n";
    const auto loss = g.binFile1d(losses, "record");
    if (accuracies.empty()) {
      g << "plot " << loss << " with lines lw 2 lc rgb '" << colours[0] << "' title 'loss'\n";
      return;
    }
    g << "set ytics nomirror\nset y2tics\nset y2label 'accuracy'\nset y2range [0:1.02]\n";
    g << "plot " << loss << " with lines lw 2 lc rgb '" << colours[0] << "' title 'loss', "
      << g.binFile1d(accuracies, "record") << " axes x1y2 with lines lw 2 lc rgb '" << colours[1]
      << "' title 'accuracy'\n";
  });
}

void plot_regions_of_called(const Called& model, const data::Dataset& points, const std::string& path,
                            const std::string& title, Source source) {
  const NoGrad no_grad;
  if (points.inputs.dim(source) != 2 || points.inputs.size(1) != 2)
    fail(source.named("plot_regions"), "expected points [n, 2], got {}", points.inputs.shape());
  constexpr Size side = 200;
  const std::vector<double> xy = points.inputs.to_vector<double>();
  const std::vector<Size> labels = points.labels.to_vector<Size>();
  double reach = 0.1;
  for (const double v : xy) reach = std::max(reach, std::abs(v));
  reach *= 1.1;
  const auto at = [&](Size i) {
    return -reach + 2 * reach * (static_cast<double>(i) + 0.5) / static_cast<double>(side);
  };
  const Tensor grid = filled({side * side, 2}, f32, [&](void* memory) {
    float* out = static_cast<float*>(memory);
    for (Size i = 0; i < side; ++i)
      for (Size j = 0; j < side; ++j) {
        *out++ = static_cast<float>(at(j));
        *out++ = static_cast<float>(at(i));
      }
  });
  std::vector<Size> regions;
  for (Size row = 0; row < side; ++row)  // a line of the picture at once
    for (const Size region : regions_of(model.call({slice(grid, 0, row * side, (row + 1) * side)})[0], source))
      regions.push_back(region);

  std::vector<std::tuple<double, double, double>> cells;
  Size classes = 1;
  for (Size i = 0; i < side * side; ++i) {
    const Size region = regions[static_cast<std::size_t>(i)];
    classes = std::max(classes, region + 1);
    cells.emplace_back(at(i % side), at(i / side), static_cast<double>(region));
  }
  for (const Size label : labels) classes = std::max(classes, label + 1);
  draw_file(path, source, [&](Gnuplot& g) {
    g << "set title '" << quoted(title) << "'\nset size ratio -1\nunset key\nunset colorbox\n";
    g << "set xrange [" << -reach << ":" << reach << "]\nset yrange [" << -reach << ":" << reach << "]\n";
    g << "set cbrange [-0.5:" << static_cast<double>(classes) - 0.5 << "]\nset palette maxcolors " << classes << "\n";
    g << "set palette defined (";
    for (Size k = 0; k < classes; ++k) g << (k ? ", " : "") << k << " '" << pale[k % colour_count] << "'";
    g << ")\n";
    std::string plot = "plot " + g.binFile1d(cells, "record") + " with image pixels";
    for (Size k = 0; k < classes; ++k) {
      std::vector<std::pair<double, double>> own;
      for (std::size_t i = 0; i < labels.size(); ++i)
        if (labels[i] == k) own.emplace_back(xy[2 * i], xy[2 * i + 1]);
      if (own.empty()) continue;
      plot += ", " + g.binFile1d(own, "record") + " with points pt 7 ps 0.7 lc rgb '" + colours[k % colour_count] + "'";
    }
    g << plot << "\n";
  });
}

}  // namespace xgrad::training
