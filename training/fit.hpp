// The training loop for classifiers and regressions, and what it saw.
#pragma once

#include <vector>

#include <xgrad/data/loader.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training/called.hpp>
#include <xgrad/training/loss.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::training {

struct Epoch {
  Size epoch;       // from 1
  double loss;      // mean over the rows of the epoch
  double accuracy;  // of the outputs made while training; NaN where targets are no classes
};

struct FitOptions {
  Size epochs = 10;
  bool progress = true;                           // a bar, and a line an epoch, on stderr
  Loss loss = {};                                 // .loss = nn::mse_loss; where empty nn::cross_entropy, of i64 classes
  Callable<bool(const Epoch&)> after_epoch = {};  // false stops the training
  bool verify = true;                             // at the first step: see nn::verify
};

struct History {
  std::vector<Epoch> epochs;
  bool stopped = false;  // by after_epoch, before all epochs were done
};

History fit_called(const Called& model, optim::Optimizer& optimizer, const data::DataLoader& batches,
                   const FitOptions& options, Source source);

// For each epoch and each batch (inputs, targets): loss, zero_grad, backward, step. `model` is anything that is called
// with a batch's first tensor (or its first two or three, where it takes so many); it is called where it is, for a copy of
// a model is a snapshot. Its layers are in training mode while an epoch runs, and have their own modes back after it, after
// an Error too; a const model must be in that mode. A function or a lambda has no mode that could be seen: set those of its
// layers (nn::train). A loss that is not finite is an Error (the learning rate is too high, or the data hold what they
// should not), and so is a loss, at the first step, that does not depend on each of the optimizer's parameters, or depends
// on others that are not the model's (nn::verify).
template <class Model>
History fit(Model&& model, optim::Optimizer& optimizer, const data::DataLoader& batches, FitOptions options = {},
            Source source = Source::here()) {
  return fit_called(called(model, source), optimizer, batches, options, source);
}

struct AccuracyOptions {
  Size batch_size = 256;  // rows that the model is called with at once
  double threshold = 0;   // where outputs are one column, class 1 is above it: 0 for logits, 0.5 for probabilities
};

double accuracy_of_called(const Called& model, const data::Dataset& rows, const AccuracyOptions& options, Source source);

// The part of rows whose greatest output is that of their class; or, where outputs are one column, whose output is above
// the threshold where the label is 1 and not where it is 0. In eval mode, and without a record; then layers have their own
// modes back.
template <class Model>
double accuracy(Model&& model, const data::Dataset& rows, AccuracyOptions options = {}, Source source = Source::here()) {
  return evaluated(model, source, [&](const Called& c) { return accuracy_of_called(c, rows, options, source); });
}

}  // namespace xgrad::training

#pragma GCC visibility pop
