#include <xgrad/training/plot_lines.hpp>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "training/draw.hpp"

namespace xgrad::training {
namespace {

using Points = std::vector<std::pair<double, double>>;

std::vector<Points> points_of(const char* op, const std::vector<Line>& lines, const PlotOptions& o, Source source) {
  std::vector<Points> all;
  bool any = false;
  for (const Line& line : lines) {
    if (!line.x.empty() && line.x.size() != line.y.size())
      fail(source.named(op), "the line {} has {} x and {} y; expected as many", line.title, line.x.size(),
           line.y.size());
    Points& own = all.emplace_back();
    for (std::size_t i = 0; i < line.y.size(); ++i) {
      const double x = line.x.empty() ? static_cast<double>(i) : line.x[i], y = line.y[i];
      if (std::isfinite(x) && std::isfinite(y) && (x > 0 || !o.log_x) && (y > 0 || !o.log_y)) own.emplace_back(x, y);
    }
    any |= !own.empty();
  }
  if (!any) fail(source.named(op), "expected at least one point that can be drawn");
  return all;
}

void labels(Gnuplot& g, const PlotOptions& o) {
  g << "set title '" << quoted(o.title) << "'\nset xlabel '" << quoted(o.x_label) << "'\nset ylabel '"
    << quoted(o.y_label) << "'\n";
  if (o.log_x) g << "set logscale x\nset format x '10^{%L}'\n";
  if (o.log_y) g << "set logscale y\nset format y '10^{%L}'\n";
}

std::string with_title(const Line& line) {
  return line.title.empty() ? " notitle" : " title '" + quoted(line.title) + "'";
}

}  // namespace

void plot_lines(const std::vector<Line>& lines, const std::string& path, const PlotOptions& options, Source source) {
  const std::vector<Points> points = points_of("plot_lines", lines, options, source);
  draw_file(path, source, [&](Gnuplot& g) {
    labels(g, options);
    g << "set grid\nset key outside right\n";
    std::string plot;
    for (std::size_t k = 0; k < lines.size(); ++k) {
      if (points[k].empty()) continue;
      const char* how = points[k].size() > 1 ? " with lines lw 2 lc rgb '" : " with points pt 7 ps 1.5 lc rgb '";
      plot += (plot.empty() ? "plot " : ", ") + g.binFile1d(points[k], "record") + how + colours[k % colour_count] +
              "'" + with_title(lines[k]);
    }
    g << plot << "\n";
  });
}

void plot_paths(const Callable<double(double, double)>& f, Box box, const std::vector<Line>& paths,
                const std::string& path, const PlotOptions& options, Source source) {
  const auto finite = [](double a, double b) { return std::isfinite(a) && std::isfinite(b) && a < b; };
  if (!finite(box.left, box.right) || !finite(box.bottom, box.top))
    fail(source.named("plot_paths"), "expected a box with left < right and bottom < top, got {} to {} and {} to {}",
         box.left, box.right, box.bottom, box.top);
  const std::vector<Points> points = points_of("plot_paths", paths, options, source);
  constexpr int side = 120, levels = 16;
  std::vector<std::vector<std::tuple<double, double, double>>> grid;
  std::vector<double> heights;
  for (int i = 0; i < side; ++i) {
    auto& row = grid.emplace_back();
    for (int j = 0; j < side; ++j) {
      const double x = box.left + (box.right - box.left) * j / (side - 1),
                   y = box.bottom + (box.top - box.bottom) * i / (side - 1);
      const double height = f(x, y);
      row.emplace_back(x, y, height);
      if (std::isfinite(height)) heights.push_back(height);
    }
  }
  if (heights.empty()) fail(source.named("plot_paths"), "the function is nowhere finite in the box");
  std::sort(heights.begin(), heights.end());
  draw_file(path, source, [&](Gnuplot& g) {
    labels(g, options);
    // between neighbouring levels lies as much of the box as between any others
    g << "set contour base\nunset surface\nset cntrparam levels discrete ";
    for (int k = 0; k < levels; ++k) {
      const double p = (k + 0.5) / levels;
      g << (k ? ", " : "") << heights[static_cast<std::size_t>(p * p * static_cast<double>(heights.size() - 1))];
    }
    g << "\nset table $levels\nsplot " << g.binFile2d(grid, "record") << " with lines\nunset table\n";
    g << "set xrange [" << box.left << ":" << box.right << "]\nset yrange [" << box.bottom << ":" << box.top << "]\n";
    g << "set key outside right\nplot $levels using 1:2 with lines lc rgb '#cccccc' notitle";
    for (std::size_t k = 0; k < paths.size(); ++k) {
      if (points[k].empty()) continue;
      const char* colour = colours[k % colour_count];
      g << ", " << g.binFile1d(points[k], "record") << " with lines lw 2 lc rgb '" << colour << "'"
        << with_title(paths[k]);
      g << ", " << g.binFile1d(Points(1, points[k].front()), "record") << " with points pt 7 ps 1 lc rgb '" << colour
        << "' notitle";
    }
    g << "\n";
  });
}

}  // namespace xgrad::training
