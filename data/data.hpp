// Data: made by a formula, drawn by code or read from files, and brought to the training loop in batches.
#pragma once

#include "data/dataset.hpp"
#include "data/digits.hpp"
#include "data/idx.hpp"
#include "data/loader.hpp"
#include "data/synthetic.hpp"
