// Optimizers, minimisers and schedules.
#pragma once

#include <xgrad/optim/adafactor.hpp>
#include <xgrad/optim/adagrad.hpp>
#include <xgrad/optim/adam.hpp>
#include <xgrad/optim/adamw.hpp>
#include <xgrad/optim/adan.hpp>
#include <xgrad/optim/descent.hpp>
#include <xgrad/optim/lamb.hpp>
#include <xgrad/optim/lbfgs.hpp>
#include <xgrad/optim/levenberg_marquardt.hpp>
#include <xgrad/optim/method.hpp>
#include <xgrad/optim/minimize.hpp>
#include <xgrad/optim/muon.hpp>
#include <xgrad/optim/newton.hpp>
#include <xgrad/optim/objective.hpp>
#include <xgrad/optim/optimizer.hpp>
#include <xgrad/optim/rmsprop.hpp>
#include <xgrad/optim/schedule.hpp>
#include <xgrad/optim/schedules.hpp>
#include <xgrad/optim/searches.hpp>
#include <xgrad/optim/sgd.hpp>
#include <xgrad/optim/sparse_adam.hpp>
#include <xgrad/optim/uncertainty.hpp>
