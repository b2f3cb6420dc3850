// The table of layers: one row a layer and its options, by the name of its case in tests/references/make_layers.py. Every row is held
// to the whole sweep (layers_test.cpp).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>

namespace layers {

using xgrad::DType;
using xgrad::Tensor;
using xgrad::Tensors;
namespace nn = xgrad::nn;

// A layer of any type, as the sweep sees it.
struct Subject {
  std::function<Tensor(const Tensors&)> call;
  std::function<xgrad::NamedTensors()> state;
  std::function<void(const xgrad::NamedTensors&)> load_state;
  std::function<xgrad::Parameters()> parameters;
  std::function<void(bool)> train;
  std::function<Subject()> copy;
  std::function<void(const Subject&)> assign;  // another of the same type
  std::function<void(const std::string&)> save, load;
  std::shared_ptr<void> layer;
  bool names_lines;  // it takes the operand with the caller's line
};

template <class L, class Call>
Subject subject(L made, const Call& call) {
  const auto layer = std::make_shared<L>(std::move(made));
  Subject s;
  s.call = [layer, call](const Tensors& in) { return call(*layer, in); };
  s.state = [layer] { return nn::state_dict(*layer); };
  s.load_state = [layer](const xgrad::NamedTensors& state) { nn::load_state_dict(*layer, state); };
  s.parameters = [layer] { return nn::parameters(*layer); };
  s.train = [layer](bool mode) { nn::train(*layer, mode); };
  s.copy = [layer, call] { return subject(L(*layer), call); };
  s.assign = [layer](const Subject& other) { *layer = *static_cast<const L*>(other.layer.get()); };
  s.save = [layer](const std::string& path) { nn::save(*layer, path); };
  s.load = [layer](const std::string& path) { nn::load(*layer, path); };
  s.layer = layer;
  if constexpr (requires { static_cast<Tensor (L::*)(xgrad::In, xgrad::In) const>(&L::operator()); })
    s.names_lines = true;
  else s.names_lines = nn::fields::TakesIn<L>;
  return s;
}
// Of one input.
template <class L>
Subject of(L layer) {
  return subject(std::move(layer), [](const L& l, const Tensors& in) { return l(in[0]); });
}

// Its gradients hold where x moves by a little, and its batches are one call each, unless a row says otherwise.
enum class But {
  nothing,
  changes_weights,  // a call in training changes what the next gives: differences and vmap in evaluation only
  reads_numbers,    // of the inputs or the table: not inside of vmap
};

struct Row {
  const char* name;
  std::function<Subject(DType)> make;
  But but = But::nothing;
};

std::vector<Row> convolution_rows();  // and pools
std::vector<Row> shape_rows();
std::vector<Row> norm_rows();
std::vector<Row> activation_rows();
std::vector<Row> dense_rows();

}  // namespace layers

// A row of a layer with one input; d is the dtype.
// clang-format off
#define LAYER(name, ...) \
  {name, [](xgrad::DType d) { (void)d; return layers::of(__VA_ARGS__); }}
// clang-format on
