// What there is instead of plot.cpp where xgrad is built without plots.
#include <xgrad/training/plot.hpp>

namespace xgrad::training {
namespace {

[[noreturn]] void fail_plot(Source source, const char* op) {
  fail(source.named(op), "this xgrad was built without plots; install gnuplot-iostream and Boost.Iostreams "
                         "(libgnuplot-iostream-dev, libboost-iostreams-dev), and build it again");
}

}  // namespace

bool can_plot() { return false; }

void plot_history(const History&, const std::string&, const std::string&, Source source) { fail_plot(source, "plot_history"); }
void plot_regions_of_called(const Called&, const data::Dataset&, const std::string&, const std::string&, Source source) {
  fail_plot(source, "plot_regions");
}

}  // namespace xgrad::training
