#include "training/seen.hpp"

#include <fmt/core.h>

#include <new>
#include <optional>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::training {

const Tensor& target_of(const Tensors& batch, Size inputs, Source source) {
  if (static_cast<Size>(batch.size()) > inputs + 1)
    fail(source.named("fit"),
         "a batch has {} tensors, of which the model takes {} and the loss one; let the model take "
         "more (operator()(const Tensor& a, const Tensor& b) const), or the loss the batch: "
         ".loss = [](const Tensor& outputs, const Tensors& batch) {{...}}",
         batch.size(), inputs);
  return batch[inputs];
}

Tensor Loss::operator()(const Tensor& outputs, const Tensors& batch, Size inputs, Source source) const {
  if (of_outputs_) return of_outputs_({outputs}, batch);
  return of_batch_ ? of_batch_(outputs, batch) : of_target_(outputs, target_of(batch, inputs, source));
}
Tensor Loss::operator()(const Tensors& outputs, const Tensors& batch, Size inputs, Source source) const {
  if (of_outputs_) return of_outputs_(outputs, batch);
  if (outputs.size() != 1)
    fail(source.named("fit"),
         "the model gives {} tensors; write a loss of all: .loss = [](const Tensors& outputs, const "
         "Tensors& batch) {{...}}",
         outputs.size());
  return (*this)(outputs[0], batch, inputs, source);
}

void Metric::fail_moved_from() {
  fail(Source().named("Metric"), "this metric was moved from; use the one it was moved to");
}
const Tensor& Metric::target(const Tensors& batch, Size inputs, Source source) {
  if (static_cast<Size>(batch.size()) <= inputs) fail(source.named("fit"), "a batch has no targets for a metric");
  return batch[inputs];
}

namespace {

// The line alone: ops on it go by their own names.
Source line_alone(Source source) { return {source.file, source.line}; }

Tensor classes_loss(const Tensor& outputs, const Tensor& target, Source source) {
  if (target.dtype() != i64)
    fail(source,
         "expected i64 classes as targets, got {} {}; for a regression name the loss: "
         ".loss = nn::mse_loss (for probabilities: .loss = nn::cross_entropy)",
         name(target.dtype()), target.shape());
  return nn::cross_entropy(In(outputs, line_alone(source)), In(target, line_alone(source)));
}

bool has_target(const Tensors& batch, Size inputs) { return static_cast<Size>(batch.size()) > inputs; }

// Targets of a loss of one's own are classes where outputs have an axis more, or other extents: [n, classes] and [n].
bool names_classes(const Tensor& outputs, const Tensor& target) {
  return target.dtype() == i64 && outputs.numel() != target.numel();
}

// Rows that count, where the loss is known to be of i64 classes.
std::optional<double> rows_of_classes(const Tensors& batch, Size inputs, const Loss& loss) {
  if (!loss.of_classes() || inputs < 1 || !has_target(batch, inputs) || batch[inputs].dtype() != i64) return {};
  return rows_that_count(batch[inputs]);
}
bool is_none(const std::optional<double>& rows, const Tensors& batch, Size inputs) {
  return rows && *rows == 0 && batch[inputs].numel() > 0;
}

}  // namespace

bool is_left_out(const Called& model, const Tensors& batch, const Loss& loss) {
  const Size inputs = inputs_in(batch, model.inputs);
  return is_none(rows_of_classes(batch, inputs, loss), batch, inputs);
}

Outcome outcome_of(const Called& model, const Tensors& batch, const Loss& loss_of, Source source) {
  const Size inputs = inputs_in(batch, model.inputs);
  if (inputs < 1 || (!has_target(batch, inputs) && loss_of.needs_target()))
    fail(source, "expected batches of inputs and targets, got {}",
         batch.size() == 1
             ? "one tensor; where the input is the target, give it twice: DataLoader({x, x})"
             : fmt::format(
                   "{} tensors, of which the model takes {}; a loss that needs no target takes the batch: .loss = "
                   "[](const Tensors& outputs, const Tensors& batch) {{...}}",
                   batch.size(), inputs));
  const std::optional<double> known = rows_of_classes(batch, inputs, loss_of);
  if (is_none(known, batch, inputs)) return {{}, {}, inputs, true, 0};
  Tensors outputs = model.call(batch);
  if (outputs.empty()) fail(source, "the model gave no tensor; return its outputs");
  for (const Tensor& y : outputs)
    if (!y.defined()) fail(source, "the model gave an empty tensor; return its outputs");
  if (!loss_of && outputs.size() != 1)
    fail(source, "the model gives {} tensors; name a loss of all of them", outputs.size());
  const Tensor loss = loss_of ? loss_of(outputs, batch, inputs, source)
                              : classes_loss(outputs[0], target_of(batch, inputs, source), source);
  if (!loss.defined()) fail(source, "the loss gave an empty tensor; return a number");
  const bool classes = known || (has_target(batch, inputs) && names_classes(outputs[0], batch[inputs]));
  const double rows = known ? *known : classes ? rows_that_count(batch[inputs]) : static_cast<double>(batch[0].size(0));
  return {std::move(outputs), loss, inputs, classes, rows};
}

Seen::Seen(std::vector<Metric> metrics, const Loss& loss, Source source)
    : metrics_(std::move(metrics)),
      source_(line_alone(source)),
      own_loss_(!loss.of_classes()),
      of_logits_(loss.of_logits()) {
  for (Metric& m : metrics_) m.reset();
}

void Seen::add(const Outcome& made, const Tensors& batch, double loss) {
  loss_ += loss * made.rows;
  rows_ += made.rows;
  const Tensor& outputs = made.outputs[0];
  classes_ = classes_ && has_target(batch, made.inputs) && (!own_loss_ || outputs.dim() <= 2);
  if (const auto h = classes_ ? hits(outputs, batch[made.inputs], 0, of_logits_, source_) : std::nullopt) {
    hits_.right += h->right;
    hits_.of += h->of;
  } else {
    classes_ = false;
  }
  const NoGrad constant;
  for (Metric& m : metrics_) m.update(made.outputs, batch, made.inputs, source_);
}

std::vector<Measured> Seen::metrics() const {
  std::vector<Measured> list;
  for (const Metric& m : metrics_) list.push_back({m.name(), m.value()});
  return list;
}

Seen seen_in(const Called& model, const data::DataLoader& batches, const Loss& loss, const std::vector<Metric>& metrics,
             Source source) {
  const NoGrad constant;
  Seen seen(metrics, loss, source);
  for (const Tensors& batch : batches)
    if (const Outcome made = outcome_of(model, batch, loss, source); made.loss.defined())
      seen.add(made, batch, made.loss.item(line_alone(source)));
  return seen;
}

Evaluation evaluate_called(const Called& model, const data::DataLoader& batches, const Loss& loss,
                           std::vector<Metric> metrics, Source source) try {
  const Seen seen = seen_in(model, batches, loss, metrics, source.named("evaluate"));
  return {seen.loss(), seen.accuracy(), seen.metrics()};
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "evaluate");
}

}  // namespace xgrad::training
