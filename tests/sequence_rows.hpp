// The table of recurrent layers, attention and transformers: what each is called with, for the sweep of sequences_test.cpp. The
// names are those of references/make_sequences.py.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>

namespace sequences {

using xgrad::DType;
using xgrad::Tensor;
using xgrad::Tensors;
namespace nn = xgrad::nn;

// A model and a way to call it.
struct Called {
  std::shared_ptr<void> held;
  std::function<Tensors(const Tensors& in)> call;
  std::function<xgrad::NamedTensors()> state;
  std::function<nn::LoadReport(const xgrad::NamedTensors&)> load_state;
  std::function<xgrad::Parameters()> parameters;
  std::function<void(bool)> train;
  std::function<void(const std::string&)> save, load;
  std::function<Called()> copy;
};

template <class M, class F>
Called called(M model, F f) {
  auto m = std::make_shared<M>(std::move(model));
  return {m,
          [m, f](const Tensors& in) { return f(*m, in); },
          [m] { return nn::state_dict(*m); },
          [m](const xgrad::NamedTensors& state) { return nn::load_state_dict(*m, state, {.strict = false}); },
          [m] { return nn::parameters(*m); },
          [m](bool on) { nn::train(*m, on); },
          [m](const std::string& path) { nn::save(*m, path); },
          [m](const std::string& path) { nn::load(*m, path); },
          [m, f] { return called(M(*m), f); }};
}

// A function without a model.
struct Nothing {
  XGRAD_FIELDS()
};

struct Row {
  const char* name;
  std::function<Called(DType)> make;
  bool over_examples = true;  // does it go through vmap, its inputs one example's each?
};

const std::vector<Row>& rows();

}  // namespace sequences
