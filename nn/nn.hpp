// Neural networks: layers are plain structs, and what walks a model walks its fields.
#pragma once

#include "nn/activations.hpp"
#include "nn/fields.hpp"
#include "nn/init.hpp"
#include "nn/linear.hpp"
#include "nn/losses.hpp"
#include "nn/model.hpp"
#include "nn/sequential.hpp"
