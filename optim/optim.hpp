// Optimizers and learning-rate schedules.
#pragma once

#include "optim/adam.hpp"
#include "optim/adamw.hpp"
#include "optim/optimizer.hpp"
#include "optim/schedules.hpp"
#include "optim/sgd.hpp"
