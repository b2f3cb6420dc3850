#include <xgrad/training/fit.hpp>

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/training/progress.hpp>

namespace xgrad::training {
namespace {

// How many rows of outputs [n, classes] have their greatest at the class that targets [n] name; -1: not classes.
double right_rows(const Tensor& outputs, const Tensor& targets, Source source) {
  if (targets.dtype() != i64 || targets.dim() != 1 || outputs.dim() != 2 || outputs.size(0) != targets.size(0) ||
      outputs.size(1) == 0)
    return -1;
  const NoGrad no_grad;
  return sum(argmax(In(outputs, source), 1) == targets).item(source);
}

}  // namespace

History fit_call(const Call& model, optim::Optimizer& optimizer, const data::DataLoader& batches,
                 const FitOptions& options, Source source) {
  if (options.epochs < 0) fail(source, fmt::format("[fit] expected 0 epochs or more, got {}", options.epochs));
  History history;
  Progress bar(options.epochs * batches.size());
  for (Size epoch = 1; epoch <= options.epochs; ++epoch) {
    double loss_sum = 0, right = 0, rows = 0;
    for (const Tensors& batch : batches) {
      if (batch.size() < 2) fail(source, "[fit] expected batches of inputs and targets, got one tensor");
      const Tensor outputs = model(batch[0]);
      if (!outputs.defined()) fail(source, "[fit] the model gave an empty tensor; return its outputs");
      const Tensor loss =
          options.loss ? options.loss(outputs, batch[1]) : nn::cross_entropy(In(outputs, source), batch[1]);
      optimizer.zero_grad();
      loss.backward({}, source);
      const double value = loss.item(source);
      if (!std::isfinite(value)) {
        optimizer.zero_grad();
        fail(source, fmt::format("[fit] the loss is {} in epoch {}; lower the learning rate, or look for NaN in the data",
                                 value, epoch));
      }
      optimizer.step(source);
      const auto n = static_cast<double>(batch[0].size(0));
      loss_sum += value * n;
      rows += n;
      if (const double r = right_rows(outputs, batch[1], source); r >= 0) right += r;
      else right = std::numeric_limits<double>::quiet_NaN();
      if (options.progress)
        bar.step(bar.due() ? fmt::format("epoch {}/{}  loss {:.4f}", epoch, options.epochs, value) : std::string());
    }
    const Epoch seen{epoch, rows > 0 ? loss_sum / rows : 0, rows > 0 ? right / rows : 0};
    history.epochs.push_back(seen);
    if (options.progress) {
      bar.line(std::isnan(seen.accuracy)
                   ? fmt::format("epoch {:3}  loss {:.4f}", epoch, seen.loss)
                   : fmt::format("epoch {:3}  loss {:.4f}  accuracy {:.3f}", epoch, seen.loss, seen.accuracy));
    }
    if (options.after_epoch && !options.after_epoch(seen)) {
      history.stopped = true;
      break;
    }
  }
  return history;
}

double accuracy_of_call(const Call& model, const data::Dataset& rows, Source source) {
  const NoGrad no_grad;
  if (!rows.inputs.defined() || !rows.labels.defined()) fail(source, "[accuracy] of an empty dataset; give it rows first");
  const Tensor outputs = model(rows.inputs);
  if (!outputs.defined()) fail(source, "[accuracy] the model gave an empty tensor; return its outputs");
  const double right = right_rows(outputs, rows.labels, source);
  if (right < 0)
    fail(source, fmt::format("[accuracy] expected outputs [n, classes] and i64 labels [n], got {} and {} {}",
                             outputs.shape(), name(rows.labels.dtype()), rows.labels.shape()));
  const Size n = rows.labels.numel();
  return n > 0 ? right / static_cast<double>(n) : 0;
}

}  // namespace xgrad::training
