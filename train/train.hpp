// Training: the loop, its progress, and pictures of what came out.
#pragma once

#include "train/fit.hpp"
#include "train/plot.hpp"
#include "train/progress.hpp"
