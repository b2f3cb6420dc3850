// What fit, accuracy and plots take for a model: anything that is called with tensors and gives one, or several.
#pragma once

#include <optional>

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/nn/model.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::training {

// A model by reference, for parameters only.
struct Called {
  Callable<Tensors(const Tensors& batch)> call;  // with the first of a batch
  Size inputs = 1;                               // so many; all_but_last: the target is the last of a batch
  std::optional<nn::MutableModel> layers = {};   // what a walk sees; functions and lambdas have nothing to see
  bool may_change = false;                       // their modes
};

template <class Model>
constexpr bool has_layers = nn::fields::Named<Model> || nn::fields::Walks<Model> || nn::fields::HandsOn<Model>;

constexpr Size all_but_last = -1;
inline Size inputs_in(const Tensors& batch, Size inputs) {
  return inputs == all_but_last ? static_cast<Size>(batch.size()) - 1 : inputs;
}

// Is Model called with these, and gives a tensor, or Tensors?
template <class Model, class... Inputs>
constexpr bool takes =
    std::is_invocable_r_v<Tensor, Model&, const Inputs&...> || std::is_invocable_r_v<Tensors, Model&, const Inputs&...>;

template <class Model>
constexpr Size inputs_of() {
  if constexpr (takes<Model, Tensor>) return 1;
  else if constexpr (takes<Model, Tensor, Tensor>) return 2;
  else if constexpr (takes<Model, Tensor, Tensor, Tensor>) return 3;
  else if constexpr (takes<Model, Tensors>) return all_but_last;
  else return 0;
}

inline Tensors as_list(Tensor y) { return {std::move(y)}; }
inline Tensors as_list(Tensors y) { return y; }

// Where the model is a layer that takes In, `source` is the line that its Errors name.
template <class Model>
Called called(Model& model, Source source) {
  constexpr Size inputs = inputs_of<Model>();
  static_assert(inputs != 0,
                "a model is called with one, two or three tensors, and gives one: Tensor operator()(const Tensor& x) "
                "const; or it is called with Tensors, all but the last of a batch, or gives Tensors");
  Called made{[&model, source](const Tensors& x) {
                static_cast<void>(source);  // which one branch reads
                const auto call = [&](const auto&... in) {
                  if constexpr (std::is_convertible_v<decltype(model(in...)), Tensor>)
                    return as_list(Tensor(model(in...)));
                  else return as_list(Tensors(model(in...)));
                };
                if constexpr (inputs == 2) return call(x[0], x[1]);
                else if constexpr (inputs == 3) return call(x[0], x[1], x[2]);
                else if constexpr (inputs == all_but_last) {
                  Tensors first;
                  for (Size i = 0; i < inputs_in(x, inputs); ++i) first.push_back(x[i]);
                  return call(first);
                } else if constexpr (nn::fields::TakesIn<std::remove_const_t<Model>>) return call(In(x[0], source));
                else return call(x[0]);
              },
              inputs};
  if constexpr (has_layers<std::remove_const_t<Model>>) {
    made.layers.emplace(const_cast<std::remove_const_t<Model>&>(model));
    made.may_change = !std::is_const_v<Model>;
  }
  return made;
}

// f(model), in eval mode. A const model is copied, for its modes cannot be set: that copies no numbers.
template <class Model, class F>
auto evaluated(Model& model, Source source, const F& f) {
  if constexpr (!has_layers<std::remove_const_t<Model>>) {
    return f(called(model, source));
  } else if constexpr (std::is_const_v<Model>) {
    static_assert(std::is_copy_constructible_v<Model>,
                  "a const model is evaluated as a copy, and this one cannot be copied: "
                  "give it as one that may be changed");
    std::remove_const_t<Model> copy = model;
    const nn::Mode mode(copy, false);
    return f(called(copy, source));
  } else {
    const nn::Mode mode(model, false);
    return f(called(model, source));
  }
}

}  // namespace xgrad::training

#pragma GCC visibility pop
