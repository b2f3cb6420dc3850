// A progress bar on stderr; plain lines where that is no terminal.
#pragma once

#include <string>

#include <xgrad/autodiff/dtype.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::training {

class Progress {
 public:
  // `steps` in all; the bar is redrawn at most ten times a second.
  explicit Progress(Size steps);
  void step(const std::string& note = "");  // one more is done; the note stands behind the bar
  bool due() const;                         // would the next step() be drawn?
  void line(const std::string& text);       // a line above the bar, kept
  void finish();                            // clears the bar
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void draw(const std::string& note);
  Size steps_, done_ = 0;
  bool terminal_, drawn_ = false;
  double began_, last_;  // seconds of a clock that never goes back
};

}  // namespace xgrad::training

#pragma GCC visibility pop
