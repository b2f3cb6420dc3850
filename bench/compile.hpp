// The last rows: what it takes to compile a small network's program.
#pragma once

#include "bench/measure.hpp"

namespace bench {

// Seconds and peak memory, medians of so many runs; an error where a program does not compile, or does not train.
std::vector<Measured> measure_compiling(int runs);

}  // namespace bench
