// The training loop for classifiers and regressions, and what it saw.
#pragma once

#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include <xgrad/data/loader.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training/called.hpp>
#include <xgrad/training/loss.hpp>
#include <xgrad/training/metric.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::training {

struct Measured {
  std::string name;
  double value;
};

struct Epoch {
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();

  Size epoch;       // from 1
  double loss;      // mean over the rows of the epoch; NaN of none
  double accuracy;  // of the outputs made while training; NaN where targets are no classes, see docs/training.md
  double validation_loss = none, validation_accuracy = none;  // NaN without validation data
  std::vector<Measured> metrics = {}, validation_metrics = {};
  double lr = none;  // of the optimizer's first group, in the epoch's last step

  double metric(std::string_view name,
                Source source = Source::here()) const;  // of the validation data, where there are some
};

struct Batch {
  Size epoch, batch;  // each from 1
  Size step;          // of the optimizer, so far in this fit
  double loss;        // NaN of classes that are all -100; not finite where RequireFinite leaves the batch out
};

// What fit calls as it goes. One that gives false stops it; one that gives nothing lets it go on.
template <class What>
class Callback {
 public:
  Callback() noexcept = default;
  Callback(std::nullptr_t) noexcept {}
  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, Callback> && std::is_invocable_v<std::decay_t<F>&, const What&>)
      Callback(F&& f) {
    if constexpr (std::is_void_v<std::invoke_result_t<std::decay_t<F>&, const What&>>) {
      if (const Callable<void(const What&)> call(std::forward<F>(f)); call)
        call_ = [call](const What& what) { return call(what), true; };
    } else {
      call_ = Callable<bool(const What&)>(std::forward<F>(f));
    }
  }
  explicit operator bool() const noexcept { return static_cast<bool>(call_); }
  bool operator()(const What& what) const { return call_(what); }

 private:
  Callable<bool(const What&)> call_;
};

struct FitOptions {
  Size epochs = 10;
  bool progress = true;              // a bar, and a line an epoch, on stderr
  Loss loss = {};                    // .loss = nn::mse_loss; where empty nn::cross_entropy, of i64 classes
  Callback<Epoch> after_epoch = {};  // where it gives false, training stops
  bool verify = true;                // at the first step: see nn::verify
  std::optional<data::DataLoader> validation = {};  // looked at after each epoch, in eval mode, without a record
  std::vector<Metric> metrics = {};                 // of both: {{"f1", nn::metrics::F1{}}}
  Callback<Batch> after_batch = {};                 // likewise
  // Batches to a step: their gradients' mean by rows that count (less classes of -100), as of one batch that is so much larger,
  // of a loss that is a mean over those. The last step of an epoch takes what is left.
  Size accumulate = 1;
  // As optim::ClipValue and ClipNorm, in this order, around the optimizer while fit runs:
  double clip_norm = 0;   // above 0: the gradients' common length is this at most (Pascanu, Mikolov, Bengio 2013)
  double clip_value = 0;  // above 0: each number of a gradient is within +-this
  std::optional<optim::Schedule> schedule = {};       // of the lr, by epochs, while fit runs
  std::optional<optim::Schedule> step_schedule = {};  // likewise, by steps of the optimizer
  // What is looked at for the best epoch: "loss", "validation_loss", "accuracy", "validation_accuracy" or a metric's name; ""
  // is the validation's loss, or without such data the loss. A metric says which way is better (greater_is_better); what is NaN in
  // all epochs is an Error where .monitor, .patience or .keep_best asks for it.
  std::string monitor = "";
  Size patience = 0;     // above 0: stops after so many epochs without a new best
  double min_delta = 0;  // a new best is better by more than this
  // The model ends as it was after its best epoch, where training ended by an Error, too: parameters and buffers; of a lambda, whose
  // buffers nobody sees, what the optimizer trains.
  bool keep_best = false;
  // Steps by the gradient at the worst point nearby, for which each batch is looked at twice: {.sam = optim::SAM{.rho = 0.05}}
  std::optional<optim::SAM> sam = {};
};

struct History {
  std::vector<Epoch> epochs;
  bool stopped = false;  // by a callback, or for want of a new best, before all epochs were done
  Size best_epoch = 0;   // by what is monitored; 0: none was a number
  double best = Epoch::none;
};

History fit_called(const Called& model, optim::Optimizer& optimizer, const data::DataLoader& batches,
                   const FitOptions& options, Source source);

// For each epoch and each batch (inputs, targets): loss, zero_grad, backward, step. `model` is anything that is called
// with a batch's first tensor (or its first two or three, where it takes so many; or all but the last, where it takes Tensors),
// and gives a tensor, or Tensors, of which metrics and the accuracy see the first; it is called where it is, for a copy of
// a model is a snapshot. Its layers are in training mode while an epoch runs, and have their own modes back after it, after
// an Error too; a const model must be in that mode. A function or a lambda has no mode that could be seen: set those of its
// layers (nn::train). A loss that is not finite is an Error (the learning rate is too high, or the data hold what they
// should not). Where an optim::RequireFinite stands around the optimizer, such a loss is its business: with `skip` the step is left
// out (of all batches that it is made of), and the batch leaves nothing in buffers and in what the epoch shows; an epoch without any
// finite loss is an Error. A batch of classes that are all -100 is left out, too. Weights that end as NaN are an Error, and so is a loss, at the first step, that does not depend on each of the optimizer's parameters, or depends
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

double accuracy_of_called(const Called& model, const data::Dataset& rows, const AccuracyOptions& options,
                          Source source);

// The part of rows whose greatest output is that of their class; or, where outputs are one column, whose output is above
// the threshold where the label is 1 and not where it is 0. A row whose outputs hold NaN is not right; of no rows it is NaN.
// In eval mode, and without a record; then layers have their own
// modes back.
template <class Model>
double accuracy(Model&& model, const data::Dataset& rows, AccuracyOptions options = {},
                Source source = Source::here()) {
  return evaluated(model, source, [&](const Called& c) { return accuracy_of_called(c, rows, options, source); });
}

struct Evaluation {
  double loss;      // mean over the rows
  double accuracy;  // as an Epoch has it
  std::vector<Measured> metrics;
};
struct EvaluateOptions {
  Loss loss = {};
  std::vector<Metric> metrics = {};
};
Evaluation evaluate_called(const Called& model, const data::DataLoader& batches, const Loss& loss,
                           std::vector<Metric> metrics, Source source);

// Loss, accuracy and metrics of a model on other data, as fit's validation: in eval mode, without a record.
template <class Model>
Evaluation evaluate(Model&& model, const data::DataLoader& batches, EvaluateOptions options = {},
                    Source source = Source::here()) {
  return evaluated(model, source,
                   [&](const Called& c) { return evaluate_called(c, batches, options.loss, options.metrics, source); });
}

}  // namespace xgrad::training

#pragma GCC visibility pop
