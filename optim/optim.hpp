// Optimizers, minimisers and schedules.
#pragma once

#include <xgrad/optim/rules/adafactor.hpp>
#include <xgrad/optim/rules/adagrad.hpp>
#include <xgrad/optim/rules/adam.hpp>
#include <xgrad/optim/rules/adamw.hpp>
#include <xgrad/optim/rules/adan.hpp>
#include <xgrad/optim/cycles.hpp>
#include <xgrad/optim/decays.hpp>
#include <xgrad/optim/descent.hpp>
#include <xgrad/optim/rules/lamb.hpp>
#include <xgrad/optim/methods/lbfgs.hpp>
#include <xgrad/optim/methods/levenberg_marquardt.hpp>
#include <xgrad/optim/method.hpp>
#include <xgrad/optim/minimize.hpp>
#include <xgrad/optim/rules/muon.hpp>
#include <xgrad/optim/methods/newton.hpp>
#include <xgrad/optim/objective.hpp>
#include <xgrad/optim/optimizer.hpp>
#include <xgrad/optim/rules/rmsprop.hpp>
#include <xgrad/optim/schedule.hpp>
#include <xgrad/optim/schedules.hpp>
#include <xgrad/optim/methods/searches.hpp>
#include <xgrad/optim/rules/sgd.hpp>
#include <xgrad/optim/rules/sparse_adam.hpp>
#include <xgrad/optim/uncertainty.hpp>
