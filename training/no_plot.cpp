// What there is instead of plot.cpp and plot_lines.cpp where xgrad is built without plots.
#include <xgrad/training/plot.hpp>
#include <xgrad/training/plot_lines.hpp>

namespace xgrad::training {
namespace {

[[noreturn]] void fail_plot(Source source, const char* op) {
  fail(source.named(op),
       "this xgrad was built without plots; install gnuplot-iostream and Boost.Iostreams "
       "(libgnuplot-iostream-dev, libboost-iostreams-dev), and build it again");
}

}  // namespace

bool can_plot() { return false; }

void plot_history(const History&, const std::string&, const std::string&, Source source) {
  fail_plot(source, "plot_history");
}
void plot_regions_of_called(const Called&, const data::Dataset&, const std::string&, const std::string&,
                            Source source) {
  fail_plot(source, "plot_regions");
}

void plot_lines(const std::vector<Line>&, const std::string&, const PlotOptions&, Source source) {
  fail_plot(source, "plot_lines");
}
void plot_paths(const Callable<double(double, double)>&, Box, const std::vector<Line>&, const std::string&,
                const PlotOptions&, Source source) {
  fail_plot(source, "plot_paths");
}

}  // namespace xgrad::training
