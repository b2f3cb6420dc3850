// Losses: functions of a prediction and a target. Formulas, names and options as torch.nn.functional has them, where it has
// them; else the paper is named.
#pragma once

#include <xgrad/nn/losses/binary.hpp>
#include <xgrad/nn/losses/classes.hpp>
#include <xgrad/nn/losses/ctc.hpp>
#include <xgrad/nn/losses/distributions.hpp>
#include <xgrad/nn/losses/numbers.hpp>
#include <xgrad/nn/losses/pairs.hpp>
#include <xgrad/nn/losses/reduction.hpp>
