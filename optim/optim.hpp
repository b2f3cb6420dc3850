// Optimizers and learning-rate schedules.
#pragma once

#include <xgrad/optim/adam.hpp>
#include <xgrad/optim/adamw.hpp>
#include <xgrad/optim/descent.hpp>
#include <xgrad/optim/optimizer.hpp>
#include <xgrad/optim/schedules.hpp>
#include <xgrad/optim/sgd.hpp>
#include <xgrad/optim/sparse_adam.hpp>
