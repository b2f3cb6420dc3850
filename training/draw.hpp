// How pictures are drawn. Private to training/.
#pragma once

#include <fmt/core.h>
#include <gnuplot-iostream.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "autodiff/new_file.hpp"
#include <xgrad/training/plot.hpp>

namespace xgrad::training {

// Draws into a file that takes its name when it is whole.
template <class Draw>
void draw_file(const std::string& path, Source source, const Draw& draw) {
  if (!can_plot()) fail(source.named("plot"), "gnuplot is not there; install it: apt-get install gnuplot-nox");
  NewFile file(path, "plot", source);
  {
    Gnuplot gnuplot(fmt::format("gnuplot >/proc/{}/fd/{} 2>/dev/null", ::getpid(), file.descriptor()));
    gnuplot << "set terminal pngcairo size 800,600 font 'sans,11'\n";
    draw(gnuplot);
  }
  struct stat drawn;
  if (::fstat(file.descriptor(), &drawn) != 0 || (S_ISREG(drawn.st_mode) && drawn.st_size == 0))
    fail(source.named("plot"), "{} could not be drawn; check the folder and the disk", path);
  file.commit();
}

// of points and lines
constexpr const char* colours[] = {"#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd",
                                   "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"};
constexpr int colour_count = 10;

inline std::string quoted(std::string text) {
  for (char& c : text)
    if (c == '\'' || c == '\n') c = ' ';
  return text;
}

}  // namespace xgrad::training
