// Vectors of numbers, for the sources of the libraries that are compiled once for each instruction set (XGRAD_ARCH). Private
// to the libraries.
#pragma once

#include "autodiff/kernels/simd/lanes.hpp"
