#include <xgrad/training/fit.hpp>

#include <fmt/core.h>

#include <cmath>
#include <limits>
#include <optional>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/training/progress.hpp>

namespace xgrad::training {
namespace {

// How many labels the outputs meet, of how many; none where the targets are no classes.
struct Hits {
  double right = 0, of = 0;
};

// Logits of one column, [n] or [n, 1], and labels 0 or 1, likewise.
std::optional<Hits> hits_of_column(const Tensor& outputs, const Tensor& targets, double threshold) {
  const Tensor labels = cast(reshape(targets, {-1}), f64);
  if (!all(square(labels) == labels).item()) return {};  // so are 0 and 1, and no others
  const Tensor ones = cast(reshape(outputs, {-1}) > threshold, f64);
  return Hits{sum(cast(ones == labels, f64)).item(), static_cast<double>(labels.numel())};
}

bool is_column(const Tensor& t) { return t.dim() == 1 || (t.dim() == 2 && t.size(1) == 1); }

// Outputs [n, classes, ...] and classes [n, ...]; or one column, where `floats` may be labels too.
std::optional<Hits> hits(const Tensor& outputs, const Tensor& targets, double threshold, bool floats, Source source) {
  const NoGrad no_grad;
  const Located at(source);
  if (is_column(outputs) && is_column(targets) && outputs.size(0) == targets.size(0) &&
      (floats || !is_float(targets.dtype())))
    return hits_of_column(outputs, targets, threshold);
  if (targets.dtype() != i64 || outputs.dim() < 2 || outputs.size(1) < 2) return {};
  Shape rest = outputs.shape();
  rest.erase(1);
  if (!(rest == targets.shape())) return {};
  return Hits{sum(argmax(outputs, 1) == targets).item(), static_cast<double>(targets.numel())};
}

Tensor classes_loss(const Tensor& outputs, const Tensor& target, Source source) {
  if (target.dtype() != i64)
    fail(source, fmt::format("[fit] expected i64 classes as targets, got {} {}; for a regression name the loss: "
                             ".loss = nn::mse_loss (for probabilities: .loss = nn::cross_entropy)",
                             name(target.dtype()), target.shape()));
  return nn::cross_entropy(In(outputs, source), In(target, source));
}

void verify_first(const Called& model, const optim::Optimizer& optimizer, const Tensor& loss, Source source) {
  const Parameters known = model.layers ? nn::parameters(*model.layers) : Parameters();
  const std::string wrong = nn::untrained(optimizer.parameters(source), known, In(loss, source));
  if (!wrong.empty()) fail(source, fmt::format("[fit] {} (where it is meant to be so: {{.verify = false}})", wrong));
}

}  // namespace

const Tensor& target_of(const Tensors& batch, Size inputs, Source source) {
  if (static_cast<Size>(batch.size()) > inputs + 1)
    fail(source, fmt::format("[fit] a batch has {} tensors, of which the model takes {} and the loss one; let the model take "
                             "more (operator()(const Tensor& a, const Tensor& b) const), or the loss the batch: "
                             ".loss = [](const Tensor& outputs, const Tensors& batch) {{...}}",
                             batch.size(), inputs));
  return batch[inputs];
}

Tensor Loss::operator()(const Tensor& outputs, const Tensors& batch, Size inputs, Source source) const {
  return of_batch_ ? of_batch_(outputs, batch) : of_target_(outputs, target_of(batch, inputs, source));
}

History fit_called(const Called& model, optim::Optimizer& optimizer, const data::DataLoader& batches,
                   const FitOptions& options, Source source) {
  if (options.epochs < 0) fail(source, fmt::format("[fit] expected 0 epochs or more, got {}", options.epochs));
  if (model.layers && !model.may_change)
    if (const std::string layer = nn::other_mode(*model.layers, true); !layer.empty())
      fail(source, fmt::format("[fit] the layer {} is not in training mode, and the model is const; call nn::train(model) "
                               "before, or give it as one that may be changed", layer));
  History history;
  Progress bar(options.epochs * batches.size());
  bool first = true;
  for (Size epoch = 1; epoch <= options.epochs; ++epoch) {
    std::optional<nn::Mode> mode;
    if (model.may_change) mode.emplace(*model.layers, true);
    double loss_sum = 0, rows = 0;
    Hits seen_hits;
    bool classes = true;
    for (const Tensors& batch : batches) {
      if (static_cast<Size>(batch.size()) <= model.inputs)
        fail(source, fmt::format("[fit] expected batches of inputs and targets, got {}",
                                 batch.size() == 1 ? "one tensor" : fmt::format("{} tensors", batch.size())));
      const Tensor outputs = model.call(batch);
      if (!outputs.defined()) fail(source, "[fit] the model gave an empty tensor; return its outputs");
      const Tensor loss = options.loss ? options.loss(outputs, batch, model.inputs, source)
                                       : classes_loss(outputs, target_of(batch, model.inputs, source), source);
      if (!loss.defined()) fail(source, "[fit] the loss gave an empty tensor; return a number");
      if (std::exchange(first, false) && options.verify) verify_first(model, optimizer, loss, source);
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
      if (const auto h = classes ? hits(outputs, batch[model.inputs], 0, false, source) : std::nullopt) {
        seen_hits.right += h->right;
        seen_hits.of += h->of;
      } else {
        classes = false;
      }
      if (options.progress)
        bar.step(bar.due() ? fmt::format("epoch {}/{}  loss {:.4f}", epoch, options.epochs, value) : std::string());
    }
    mode.reset();
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    const Epoch seen{epoch, rows > 0 ? loss_sum / rows : 0,
                     !classes ? none : seen_hits.of > 0 ? seen_hits.right / seen_hits.of : 0};
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

double accuracy_of_called(const Called& model, const data::Dataset& rows, const AccuracyOptions& options, Source source) {
  const NoGrad no_grad;
  if (options.batch_size < 1)
    fail(source, fmt::format("[accuracy] expected a batch_size of 1 or more, got {}", options.batch_size));
  if (!rows.inputs.defined() || !rows.labels.defined()) fail(source, "[accuracy] of an empty dataset; give it rows first");
  if (rows.inputs.dim() == 0 || rows.labels.dim() == 0 || rows.inputs.size(0) != rows.labels.size(0))
    fail(source, fmt::format("[accuracy] expected a label for each input, got inputs {} and labels {}", rows.inputs.shape(),
                             rows.labels.shape()));
  if (model.inputs != 1) fail(source, fmt::format("[accuracy] expected a model of one input, got one of {}", model.inputs));
  const Size n = rows.labels.size(0);
  Hits all;
  for (Size from = 0; from < n; from += options.batch_size) {
    const Size to = std::min(n, from + options.batch_size);
    const Tensor outputs = model.call({slice(rows.inputs, 0, from, to)}), labels = slice(rows.labels, 0, from, to);
    if (!outputs.defined()) fail(source, "[accuracy] the model gave an empty tensor; return its outputs");
    const auto h = hits(outputs, labels, options.threshold, true, source);
    if (!h)
      fail(source, fmt::format("[accuracy] expected outputs [n, classes] and i64 labels [n], or one column and labels 0 or "
                               "1, got {} and {} {}",
                               outputs.shape(), name(labels.dtype()), labels.shape()));
    all.right += h->right;
    all.of += h->of;
  }
  return all.of > 0 ? all.right / all.of : 0;
}

}  // namespace xgrad::training
