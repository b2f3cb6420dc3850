// Metrics: what a model is judged by, accumulated over batches. Plain structs: options, then what was counted; update() takes
// a batch's outputs and targets, value() tells, reset() forgets. None records anything for a derivative. Where nothing was
// counted, or a value has no meaning, it is NaN.
#pragma once

#include <xgrad/nn/metrics/classes.hpp>
#include <xgrad/nn/metrics/numbers.hpp>
#include <xgrad/nn/metrics/ranking.hpp>
