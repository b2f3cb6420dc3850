// What refused.cpp includes; refused.cmake compiles it once, beforehand.
#pragma once

#include <memory>
#include <unordered_map>

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training.hpp>
