// Training: the loop, its progress, and pictures of what came out.
#pragma once

#include <xgrad/training/called.hpp>
#include <xgrad/training/fit.hpp>
#include <xgrad/training/loss.hpp>
#include <xgrad/training/metric.hpp>
#include <xgrad/training/plot.hpp>
#include <xgrad/training/plot_lines.hpp>
#include <xgrad/training/progress.hpp>
#include <xgrad/training/range_test.hpp>
