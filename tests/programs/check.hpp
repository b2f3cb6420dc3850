// All that a program is held to: eager and lazily, on one thread and on two, wherever values are read, and its derivatives.
#pragma once

#include <map>

#include "derivatives.hpp"

namespace programs {

// What checks have met.
struct Tally {
  int programs = 0, smooth = 0, decided = 0, second = 0, second_decided = 0, batched = 0, read = 0, finite = 0,
      compared = 0;
  std::map<std::string, int> ops;
};

// What is wrong with it; empty: nothing.
std::string check(const Program& p, Tally& tally);

// Likewise of a smooth program that stores nothing in its parameters, under vmap.
std::string check_batched(const Program& p, Tally& tally);

}  // namespace programs
