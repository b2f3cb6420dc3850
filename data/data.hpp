// Data: made by a formula, drawn by code or read from files, and brought to the training loop in batches.
#pragma once

#include <xgrad/data/csv.hpp>
#include <xgrad/data/dataset.hpp>
#include <xgrad/data/digits.hpp>
#include <xgrad/data/idx.hpp>
#include <xgrad/data/loader.hpp>
#include <xgrad/data/loader_of.hpp>
#include <xgrad/data/regression.hpp>
#include <xgrad/data/splits.hpp>
#include <xgrad/data/standardise.hpp>
#include <xgrad/data/synthetic.hpp>
#include <xgrad/data/text.hpp>
