// What can be done with a whole model: any struct with an XGRAD_FIELDS line, a Sequential, a vector of layers.
#pragma once

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/autodiff/safetensors.hpp>
#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

// The model's variables, by reference, with PyTorch's names ("hidden.weight"): what optimizers take.
Parameters parameters(MutableModel model);
void zero_grad(MutableModel model);
Size parameter_count(AnyModel model);

// Sets the `bool training` of every layer that has one.
void train(MutableModel model, bool mode = true);
void eval(MutableModel model);

// While one lives, all layers train, or none does; then each has its own mode again, after an Error too.
class Mode {
 public:
  Mode(MutableModel model, bool training);
  ~Mode();
  Mode(const Mode&) = delete;
  Mode& operator=(const Mode&) = delete;

 private:
  struct Own {
    const std::type_info* layer;
    bool training;
  };
  MutableModel model_;
  std::vector<Own> own_;  // of the layers that have a mode, in the order of a walk
};

// The first layer that has another mode than this one, by name; "" where there is none.
std::string other_mode(AnyModel model, bool training);

// An Error where the gradients of a loss, before its backward(), and a model's parameters do not belong together: the loss
// depends on a variable that no walk of the model sees (a field forgotten in XGRAD_FIELDS, a copy of the model), or not on
// a parameter of the model (something detached, under NoGrad, or not used). For the first step of a training.
void verify(AnyModel model, const In& loss);
// What is wrong where a loss should depend on each of `trained`, and on nothing else but `known`; "" where nothing is.
std::string untrained(const Parameters& trained, const Parameters& known, const In& loss);

// Calls f for every parameter; f stores into it: initialise(net, [](const std::string& name, Parameter& p) {...})
void initialise(MutableModel model, const Callable<void(const std::string& name, Parameter& p)>& f);

// Constants from now on, or variables again: all of the model's parameters, or those of a part of it, freeze(net.hidden). Of
// some by name: freeze(parameters(net).where(...)). An optimizer leaves what is frozen as it is.
using xgrad::freeze;
void freeze(MutableModel model, bool frozen = true, Source source = Source::here());

// All float parameters and buffers in another dtype, f32 or f64, as new variables without a gradient; those that are frozen
// stay so. The old variables are nobody's then: an optimizer that was made before says so at its next step, so make it after.
// On an Error nothing has changed.
template <class M>
requires(!std::is_convertible_v<M&, In>) void cast(M& model, DType dtype, Source source = Source::here());
void cast_model(MutableModel model, DType dtype, Source source);

// Calls f for every layer of type L: apply<Linear>(net, [](Linear& layer) { init::xavier_uniform(layer.weight); }). One that a
// WeightNorm wraps has no weight of its own, and is passed over.
template <class L, class F>
void apply(MutableModel model, const F& f);

// ---- state: the values of parameters and buffers by name
NamedTensors buffers(AnyModel model);
NamedTensors state_dict(AnyModel model);

struct LoadOptions {
  bool strict = true;  // what does not fit is an Error; false: it is passed over, and the report names it
};
// What was passed over.
struct LoadReport {
  std::vector<std::string> missing;    // in the model, and not in the state
  std::vector<std::string> left_over;  // in the state, and not in the model
  std::vector<std::string> misshapen;  // in both, of another shape, or of a dtype that does not fit
  bool complete() const { return missing.empty() && left_over.empty() && misshapen.empty(); }
};
std::string to_string(const LoadReport& report);  // also {} in fmt

// Checks every name, shape and dtype first: on an Error the model is as it was. An f32 goes into an f64; no other dtype
// changes.
LoadReport load_state_dict(MutableModel model, const NamedTensors& state, LoadOptions options = {},
                           Source source = Source::here());

// ---- files (.safetensors): interchangeable with PyTorch's state dicts. A model without tensors is not saved: an Error
void save(AnyModel model, const std::string& path, Source source = Source::here());
LoadReport load(MutableModel model, const std::string& path, LoadOptions options = {}, Source source = Source::here());

// A table of the layers, their parameters' shapes and counts.
std::string summary(AnyModel model);
// The same with what each layer made of an input: the model is called once, in eval mode, with what you would call it with:
// summary(net, x). The output of one of nn's layers with parameters of its own is what its last call gave (`output` or `hidden` of
// those that give more); of a struct of yours with such it is what the last op gave that read them. Others leave no trace.
// Multiply-adds are those of matrix products and convolutions, at the layer whose parameters they read, and all of them below. The
// model may give a tensor, Tensors, or a struct whose `output` or `hidden` is one; what else it gives is not looked at. What is
// frozen is so again after it.
template <class M, class... More>
std::string summary(const M& model, In x, const More&... more);
std::string summary_of(MutableModel model, const Callable<Tensors()>& call, Source source);
// What a call gave, as far as it is tensors.
template <class F>
Tensors tensors_of(const F& call);

template <class M>
requires(!std::is_convertible_v<M&, In>) void cast(M& model, DType dtype, Source source) {
  cast_model(model, dtype, source);
}

template <class M, class... More>
std::string summary(const M& model, In x, const More&... more) {
  auto& changeable = const_cast<M&>(model);  // its modes have their own values back
  const auto result = [&] {
    if constexpr (fields::TakesIn<M>) return changeable(x);
    else return changeable(static_cast<Tensor>(x), more...);
  };
  return summary_of(
      changeable, [&] { return tensors_of(result); }, x.source());
}

template <class F>
Tensors tensors_of(const F& call) {
  using Result = decltype(call());
  if constexpr (requires(Result r) { Tensor(r.output); }) {
    return {Tensor(call().output)};
  } else if constexpr (requires(Result r) { Tensor(r.hidden); }) {
    return {Tensor(call().hidden)};
  } else if constexpr (std::is_convertible_v<Result, Tensor>) {
    return {Tensor(call())};
  } else if constexpr (std::is_convertible_v<Result, Tensors>) {
    return call();
  } else {
    static_cast<void>(call());
    return {};
  }
}

template <class L, class F>
void apply(MutableModel model, const F& f) {
  struct Apply final : Walker {
    explicit Apply(const F& function) : f(function) {}
    void enter(const Path&, const Visit& visit) override {
      if (visit.layer && *visit.type == typeid(L)) f(*static_cast<L*>(visit.layer));
    }
    const F& f;
  } to(f);
  model.walk(to);
}

}  // namespace xgrad::nn

template <>
struct [[gnu::visibility("default")]] fmt::formatter<xgrad::nn::LoadReport> {
  constexpr auto parse(fmt::format_parse_context & context) { return context.begin(); }
  fmt::appender format(const xgrad::nn::LoadReport& report, fmt::format_context& context) const;
};

#pragma GCC visibility pop
