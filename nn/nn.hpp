// Neural networks: layers are plain structs, and what walks a model walks its fields.
#pragma once

#include <xgrad/nn/clip.hpp>
#include <xgrad/nn/fields.hpp>
#include <xgrad/nn/functional.hpp>
#include <xgrad/nn/init.hpp>
#include <xgrad/nn/layers/activations.hpp>
#include <xgrad/nn/layers/attention.hpp>
#include <xgrad/nn/layers/batch_norm.hpp>
#include <xgrad/nn/layers/containers.hpp>
#include <xgrad/nn/layers/convolution.hpp>
#include <xgrad/nn/layers/dropout.hpp>
#include <xgrad/nn/layers/embedding.hpp>
#include <xgrad/nn/layers/layer_norm.hpp>
#include <xgrad/nn/layers/linear.hpp>
#include <xgrad/nn/layers/padding.hpp>
#include <xgrad/nn/layers/pooling.hpp>
#include <xgrad/nn/layers/positions.hpp>
#include <xgrad/nn/layers/recurrent.hpp>
#include <xgrad/nn/layers/recurrent_cells.hpp>
#include <xgrad/nn/layers/shapes.hpp>
#include <xgrad/nn/layers/transformer.hpp>
#include <xgrad/nn/layers/weight_norm.hpp>
#include <xgrad/nn/losses.hpp>
#include <xgrad/nn/metrics.hpp>
#include <xgrad/nn/model.hpp>
#include <xgrad/nn/sequential.hpp>
