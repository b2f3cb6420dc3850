// Derivatives of programs against central differences.
#pragma once

#include "run.hpp"

namespace programs {

struct Verdict {
  std::string wrong;     // empty: nothing
  bool decided = false;  // false: the differences themselves do not settle it
};

// The gradient, and its forward twin, along a random direction. `base`: an eager run.
Verdict check_gradient(const Program& p, const Trace& base);

// Second derivatives along it: reverse over reverse and forward over reverse.
Verdict check_second(const Program& p, const Trace& base);

}  // namespace programs
