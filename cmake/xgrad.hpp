// All of xgrad.
#pragma once

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training.hpp>
