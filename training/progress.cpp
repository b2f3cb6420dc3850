#include <xgrad/training/progress.hpp>

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace xgrad::training {
namespace {
constexpr double redraw = 0.1;  // seconds

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
}  // namespace

Progress::Progress(Size steps)
    : steps_(steps), terminal_(isatty(STDERR_FILENO) == 1), began_(now()), last_(began_ - redraw) {}

bool Progress::due() const { return terminal_ && (done_ + 1 >= steps_ || now() - last_ >= redraw); }

void Progress::step(const std::string& note) {
  const bool drawn = due();
  ++done_;
  if (!drawn) return;
  last_ = now();
  draw(note);
}

void Progress::draw(const std::string& note) {
  constexpr int width = 30;
  const double part = steps_ > 0 ? static_cast<double>(done_) / static_cast<double>(steps_) : 1;
  const double seconds = now() - began_;
  std::string bar(static_cast<std::size_t>(part * width), '#');
  bar.resize(width, '.');
  fmt::print(stderr, "\r[{}] {:3.0f}%  {:.0f} s left  {}\033[K", bar, 100 * part,
             part > 0 ? seconds / part - seconds : 0, note);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::line(const std::string& text) {
  if (drawn_) fmt::print(stderr, "\r\033[K");
  drawn_ = false;
  fmt::print(stderr, "{}\n", text);
}

void Progress::finish() {
  if (drawn_) fmt::print(stderr, "\r\033[K");
  drawn_ = false;
  std::fflush(stderr);
}

}  // namespace xgrad::training
