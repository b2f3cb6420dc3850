// Neural networks: layers are plain structs, and what walks a model walks its fields.
#pragma once

#include <xgrad/nn/layers/activations.hpp>
#include <xgrad/nn/layers/embedding.hpp>
#include <xgrad/nn/fields.hpp>
#include <xgrad/nn/functional.hpp>
#include <xgrad/nn/init.hpp>
#include <xgrad/nn/layers/linear.hpp>
#include <xgrad/nn/losses.hpp>
#include <xgrad/nn/metrics.hpp>
#include <xgrad/nn/model.hpp>
#include <xgrad/nn/sequential.hpp>
