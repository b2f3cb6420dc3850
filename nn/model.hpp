// What can be done with a whole model: any struct with an XGRAD_FIELDS line, a Sequential, a vector of layers.
#pragma once

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/autodiff/safetensors.hpp>
#include <xgrad/nn/fields.hpp>

namespace xgrad::nn {

// The model's variables, by reference, with PyTorch's names ("hidden.weight"): what optimizers take.
Parameters parameters(MutableModel model);
void zero_grad(MutableModel model);
Size parameter_count(AnyModel model);

// Sets the `bool training` of every layer that has one.
void train(MutableModel model, bool mode = true);
void eval(MutableModel model);

// Calls f for every parameter; f stores into it: initialise(net, [](const std::string& name, Parameter& p) {...})
void initialise(MutableModel model, const Callable<void(const std::string& name, Parameter& p)>& f);

// Calls f for every layer of type L: apply<Linear>(net, [](Linear& layer) { init::xavier_uniform(layer.weight); })
template <class L, class F>
void apply(MutableModel model, const F& f);

// ---- state: the values of parameters and buffers by name
NamedTensors buffers(AnyModel model);
NamedTensors state_dict(AnyModel model);

struct LoadOptions {
  bool strict = true;  // names that are missing or left over are an Error; false: they are passed over
};
// Checks every name, shape and dtype first: on an Error the model is as it was.
void load_state_dict(MutableModel model, const NamedTensors& state, LoadOptions options = {},
                     Source source = Source::here());

// ---- files (.safetensors): interchangeable with PyTorch's state dicts. A model without tensors is not saved: an Error
void save(AnyModel model, const std::string& path, Source source = Source::here());
void load(MutableModel model, const std::string& path, LoadOptions options = {}, Source source = Source::here());

// A table of the layers, their parameters' shapes and counts.
std::string summary(AnyModel model);

template <class L, class F>
void apply(MutableModel model, const F& f) {
  struct Apply final : Walker {
    explicit Apply(const F& function) : f(function) {}
    void enter(const Path&, const Visit& visit) override {
      if (*visit.type == typeid(L)) f(*static_cast<L*>(visit.layer));
    }
    const F& f;
  } to(f);
  model.walk(to);
}

}  // namespace xgrad::nn
