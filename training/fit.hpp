// The training loop for classifiers and regressions, and what it saw.
#pragma once

#include <vector>

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/data/loader.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

namespace xgrad::training {

using Call = Callable<Tensor(const Tensor& inputs)>;
using Loss = Callable<Tensor(const Tensor& outputs, const Tensor& targets)>;

struct Epoch {
  Size epoch;       // from 1
  double loss;      // mean over the rows of the epoch
  double accuracy;  // of the outputs made while training; NaN where targets are no classes
};

struct FitOptions {
  Size epochs = 10;
  bool progress = true;                                  // a bar, and a line an epoch, on stderr
  Loss loss = {};                                        // nn::cross_entropy where empty
  Callable<bool(const Epoch&)> after_epoch = {};         // false stops the training
};

struct History {
  std::vector<Epoch> epochs;
  bool stopped = false;  // by after_epoch, before all epochs were done
};

History fit_call(const Call& model, optim::Optimizer& optimizer, const data::DataLoader& batches,
                 const FitOptions& options, Source source);
double accuracy_of_call(const Call& model, const data::Dataset& rows, Source source);

// model(x); where the model is a layer that takes In, `source` is the line that its Errors name.
template <class Model>
Tensor apply(const Model& model, const Tensor& x, Source source) {
  if constexpr (nn::fields::TakesIn<Model>) return model(In(x, source));
  else return model(x);
}

// For each epoch and each batch (inputs, targets): loss, zero_grad, backward, step. `model` is anything that is called
// with inputs; it is called where it is, for a copy of a model is a snapshot. A loss that is not finite is an Error: the
// learning rate is too high, or the data hold what they should not.
template <class Model>
History fit(const Model& model, optim::Optimizer& optimizer, const data::DataLoader& batches, FitOptions options = {},
            Source source = Source::here()) {
  return fit_call([&](const Tensor& x) { return apply(model, x, source); }, optimizer, batches, options, source);
}

// The part of rows whose greatest output is that of their class.
template <class Model>
double accuracy(const Model& model, const data::Dataset& rows, Source source = Source::here()) {
  return accuracy_of_call([&](const Tensor& x) { return apply(model, x, source); }, rows, source);
}

}  // namespace xgrad::training
