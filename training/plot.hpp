// Pictures (PNG), drawn by gnuplot.
#pragma once

#include <string>

#include <xgrad/training/fit.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::training {

// Is there a gnuplot to draw with? Without one every plot is an Error that names the package.
bool can_plot();

// Loss (left axis) and accuracy (right axis) over the epochs.
void plot_history(const History& history, const std::string& path, const std::string& title = "Training",
                  Source source = Source::here());

// The regions of the plane that a model gives to each class, with the points [n, 2] of a dataset on top.
// In eval mode; then layers have their own modes back.
void plot_regions_of_called(const Called& model, const data::Dataset& points, const std::string& path,
                            const std::string& title, Source source);
template <class Model>
void plot_regions(Model&& model, const data::Dataset& points, const std::string& path,
                  const std::string& title = "Decision regions", Source source = Source::here()) {
  evaluated(model, source, [&](const Called& c) { plot_regions_of_called(c, points, path, title, source); });
}

}  // namespace xgrad::training

#pragma GCC visibility pop
