// Optimizers and learning-rate schedules.
#pragma once

#include <xgrad/optim/adafactor.hpp>
#include <xgrad/optim/adagrad.hpp>
#include <xgrad/optim/adam.hpp>
#include <xgrad/optim/adamw.hpp>
#include <xgrad/optim/adan.hpp>
#include <xgrad/optim/descent.hpp>
#include <xgrad/optim/lamb.hpp>
#include <xgrad/optim/muon.hpp>
#include <xgrad/optim/optimizer.hpp>
#include <xgrad/optim/rmsprop.hpp>
#include <xgrad/optim/schedules.hpp>
#include <xgrad/optim/sgd.hpp>
