// Pictures of numbers: lines, and paths over the level lines of a function of two numbers.
#pragma once

#include <string>
#include <vector>

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/training/plot.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::training {

struct Line {
  std::string title;
  std::vector<double> x, y;  // as many of each; without x 0, 1, ..  What is not finite is left out
};

struct PlotOptions {
  std::string title = "", x_label = "", y_label = "";
  bool log_x = false, log_y = false;  // what is not above 0 is left out, then
};

// All lines in one picture (PNG). An Error where none has a point that can be drawn, or x and y are not as many.
void plot_lines(const std::vector<Line>& lines, const std::string& path, const PlotOptions& options = {},
                Source source = Source::here());

struct Box {
  double left, right, bottom, top;
};

// Level lines of f over the box, and the lines as paths on it, from a dot at their begin.
void plot_paths(const Callable<double(double x, double y)>& f, Box box, const std::vector<Line>& paths,
                const std::string& path, const PlotOptions& options = {}, Source source = Source::here());

}  // namespace xgrad::training

#pragma GCC visibility pop
