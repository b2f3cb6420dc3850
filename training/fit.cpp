#include <xgrad/training/fit.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <optional>
#include <set>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/training/progress.hpp>
#include "training/hits.hpp"

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

const Tensor& Metric::target(const Tensors& batch, Size inputs, Source source) {
  if (static_cast<Size>(batch.size()) <= inputs) fail(source.named("fit"), "a batch has no targets for a metric");
  return batch[inputs];
}

double Epoch::metric(std::string_view name, Source source) const {
  for (const Measured& m : validation_metrics.empty() ? metrics : validation_metrics)
    if (m.name == name) return m.value;
  fail(source.named("metric"), "there is no metric {}", name);
}

namespace {

Tensor classes_loss(const Tensor& outputs, const Tensor& target, Source source) {
  if (target.dtype() != i64)
    fail(source.named("fit"),
         "expected i64 classes as targets, got {} {}; for a regression name the loss: "
         ".loss = nn::mse_loss (for probabilities: .loss = nn::cross_entropy)",
         name(target.dtype()), target.shape());
  return nn::cross_entropy(In(outputs, source), In(target, source));
}

void verify_first(const Called& model, const optim::Optimizer& optimizer, const Tensor& loss, Source source) {
  const Parameters known = model.layers ? nn::parameters(*model.layers) : Parameters();
  const std::string wrong = nn::untrained(optimizer.parameters(source), known, In(loss, source));
  if (!wrong.empty()) fail(source.named("fit"), "{} (where it is meant to be so: {{.verify = false}})", wrong);
}

// What has been seen of some batches: the mean loss, the accuracy, the metrics.
class Seen {
 public:
  Seen(std::vector<Metric> metrics, Source source) : metrics_(std::move(metrics)), source_(source) {
    for (Metric& m : metrics_) m.reset();
  }
  void add(const Tensors& outputs, const Tensors& batch, Size inputs, double loss) {
    const double n = rows_that_count(batch[inputs]);
    loss_ += loss * n;
    rows_ += n;
    if (const auto h = classes_ ? hits(outputs[0], batch[inputs], 0, false, source_) : std::nullopt) {
      hits_.right += h->right;
      hits_.of += h->of;
    } else {
      classes_ = false;
    }
    const NoGrad constant;
    for (Metric& m : metrics_) m.update(outputs, batch, inputs, source_);
  }
  double loss() const { return rows_ > 0 ? loss_ / rows_ : Epoch::none; }
  double accuracy() const { return classes_ && hits_.of > 0 ? hits_.right / hits_.of : Epoch::none; }
  std::vector<Measured> metrics() const {
    std::vector<Measured> list;
    for (const Metric& m : metrics_) list.push_back({m.name(), m.value()});
    return list;
  }

 private:
  std::vector<Metric> metrics_;
  Source source_;
  double loss_ = 0, rows_ = 0;
  Hits hits_;
  bool classes_ = true;
};

double shown(double x) { return std::isnan(x) ? std::abs(x) : x; }  // NaN without its sign

struct Outcome {
  Tensors outputs;
  Tensor loss;
  Size inputs;
};
Outcome outcome_of(const Called& model, const Tensors& batch, const Loss& loss_of, Source source) {
  const Size inputs = inputs_in(batch, model.inputs);
  if (inputs < 1 || static_cast<Size>(batch.size()) <= inputs)
    fail(source.named("fit"), "expected batches of inputs and targets, got {}",
         batch.size() == 1 ? "one tensor" : fmt::format("{} tensors", batch.size()));
  Tensors outputs = model.call(batch);
  if (outputs.empty()) fail(source.named("fit"), "the model gave no tensor; return its outputs");
  for (const Tensor& y : outputs)
    if (!y.defined()) fail(source.named("fit"), "the model gave an empty tensor; return its outputs");
  if (!loss_of && outputs.size() != 1)
    fail(source.named("fit"), "the model gives {} tensors; name a loss of all of them", outputs.size());
  const Tensor loss = loss_of ? loss_of(outputs, batch, inputs, source)
                              : classes_loss(outputs[0], target_of(batch, inputs, source), source);
  if (!loss.defined()) fail(source.named("fit"), "the loss gave an empty tensor; return a number");
  return {std::move(outputs), loss, inputs};
}

Seen seen_in(const Called& model, const data::DataLoader& batches, const Loss& loss, const std::vector<Metric>& metrics,
             Source source) {
  const NoGrad constant;
  Seen seen(metrics, source);
  for (const Tensors& batch : batches) {
    const Outcome made = outcome_of(model, batch, loss, source);
    seen.add(made.outputs, batch, made.inputs, made.loss.item(source));
  }
  return seen;
}

// The values of a model's parameters and buffers, or of what an optimizer trains where the model shows none.
class Snapshot {
 public:
  Snapshot(const Called& model, const optim::Optimizer& optimizer, Source source) : model_(model), source_(source) {
    if (!model.layers) trained_ = optimizer.parameters(source);
  }
  void take() {
    if (model_.layers) {
      state_ = nn::state_dict(*model_.layers);
    } else {
      state_.clear();
      for (const Parameters::Entry& p : trained_) state_.push_back({p.name, p.value().detach()});
    }
  }
  void put_back() const {
    if (model_.layers) {
      nn::load_state_dict(*model_.layers, state_, {}, source_);
      return;
    }
    std::size_t i = 0;
    for (const Parameters::Entry& p : trained_) p.assign(state_[i++].value, source_);
  }

 private:
  const Called& model_;
  Source source_;
  Parameters trained_;
  NamedTensors state_;
};

// While one lives, an optimizer that has other weights to be judged by, as averages, has put those into the parameters.
struct Judged {
  Judged(optim::Optimizer& o, Source s) : optimizer(o), source(s) { optimizer.eval(source); }
  ~Judged() {
    try {
      optimizer.train(source);
    } catch (const Error&) {  // it could before; and there is an Error on its way, or its next step says so
    }
  }
  optim::Optimizer& optimizer;
  Source source;
};

class Loop {
 public:
  Loop(const Called& model, optim::Optimizer& optimizer, const data::DataLoader& batches, const FitOptions& options,
       Source source)
      : model_(model),
        optimizer_(optimizer),
        batches_(batches),
        o_(options),
        source_(source),
        bar_(options.epochs * batches.size()),
        best_(model, optimizer, source) {
    check();
    if (o_.clip_value > 0) clip_value_.emplace(optimizer, optim::ClipValueRule{o_.clip_value}, source);
    if (o_.clip_norm > 0) clip_norm_.emplace(optimizer, optim::ClipNormRule{.max_norm = o_.clip_norm}, source);
    if (o_.schedule) by_epoch_.emplace(optimizer, *o_.schedule, source).keep_out_of_state(source);
    if (o_.step_schedule) by_step_.emplace(optimizer, *o_.step_schedule, source).keep_out_of_state(source);
  }

  History run() {
    for (Size epoch = 1; epoch <= o_.epochs && !history_.stopped; ++epoch) {
      Epoch seen = train(epoch);
      {
        const Judged weights(optimizer_, source_);
        if (o_.validation) validate(seen);
        look_for_best(seen);
      }
      if (by_epoch_) by_epoch_->step(source_);
      if (o_.progress) bar_.line(line_of(seen));
      history_.epochs.push_back(std::move(seen));
      if (o_.after_epoch && !o_.after_epoch(history_.epochs.back())) history_.stopped = true;
      if (o_.patience > 0 && epoch - last_best_ >= o_.patience && epoch < o_.epochs) history_.stopped = true;
    }
    if (o_.keep_best && history_.best_epoch > 0) {
      best_.put_back();
      optimizer_.best_is_back();
    }
    return std::move(history_);
  }

 private:
  void check() const {
    const auto refuse = [&](const std::string& what) { fail(source_.named("fit"), "expected " + what); };
    if (o_.epochs < 0) refuse(fmt::format("0 epochs or more, got {}", o_.epochs));
    if (o_.accumulate < 1) refuse(fmt::format("to accumulate 1 batch or more, got {}", o_.accumulate));
    optimizer_.require_descent("fit", source_);
    const auto require_batches = [&](const data::DataLoader& loader, const char* what) {
      if (loader.size() == 0)
        refuse(fmt::format("{} batches, got none of {} rows, with a batch_size of {}{}", what, loader.rows(),
                           loader.options().batch_size, loader.options().drop_last ? " and drop_last" : ""));
    };
    if (o_.epochs > 0) require_batches(batches_, "training");
    if (o_.epochs > 0 && o_.validation) require_batches(*o_.validation, "validation");
    if (!(o_.clip_norm >= 0)) refuse(fmt::format("a clip_norm of 0 or more, got {}", o_.clip_norm));
    if (!(o_.clip_value >= 0)) refuse(fmt::format("a clip_value of 0 or more, got {}", o_.clip_value));
    if (o_.sam && o_.accumulate > 1)
      refuse(
          "to accumulate 1 batch with sam, which steps by the gradient of the batch that it climbed on; for their mean "
          "over several put an optim::Accumulate around the optimizer");
    if (o_.patience < 0) refuse(fmt::format("a patience of 0 or more, got {}", o_.patience));
    if (!(o_.min_delta >= 0)) refuse(fmt::format("a min_delta of 0 or more, got {}", o_.min_delta));
    std::set<std::string> names{"loss", "accuracy", "validation_loss", "validation_accuracy"};
    for (const Metric& metric : o_.metrics)
      if (!names.insert(metric.name()).second)
        refuse(fmt::format("metrics of names that differ, and from loss and accuracy, got {} twice", metric.name()));
    const std::string& m = o_.monitor;
    const bool validation = m == "validation_loss" || m == "validation_accuracy";
    if (validation && !o_.validation) refuse(fmt::format("validation data, for {} is to be monitored", m));
    bool known = m.empty() || validation || m == "loss" || m == "accuracy";
    for (const Metric& metric : o_.metrics) known |= m == metric.name();
    if (!known) refuse(fmt::format("a monitor that is a loss, an accuracy or a metric's name, got {}", m));
    if (model_.layers && !model_.may_change) {
      if (const std::string layer = nn::other_mode(*model_.layers, true); !layer.empty())
        fail(source_.named("fit"),
             "the layer {} is not in training mode, and the model is const; call nn::train(model) "
             "before, or give it as one that may be changed",
             layer);
      if (o_.keep_best) refuse("a model that may be changed, for its best state is to be put back; this one is const");
    }
  }

  Epoch train(Size epoch) {
    std::optional<nn::Mode> mode;
    if (model_.may_change) mode.emplace(*model_.layers, true);
    Seen seen(o_.metrics, source_);
    const Size count = batches_.size();
    Size done = 0, together = 1;  // rows to the step that is being made
    double lr = Epoch::none;
    for (const Tensors& batch : batches_) {
      Outcome made;
      const Size before = optimizer_.steps(source_);
      const auto loss = [&] {
        if (made.loss.defined()) return outcome_of(model_, batch, o_.loss, source_).loss;  // sam's second
        made = outcome_of(model_, batch, o_.loss, source_);
        if (std::exchange(first_, false) && o_.verify) verify_first(model_, optimizer_, made.loss, source_);
        return made.loss;
      };
      if (o_.sam) {
        o_.sam->step(optimizer_, loss, source_);
      } else {
        loss();
        if (done % o_.accumulate == 0) {
          optimizer_.zero_grad();
          together = rows_of(done, std::min(o_.accumulate, count - done));
        }
        const Located here(source_);
        const Size rows = batch[0].size(0);
        const double share = static_cast<double>(rows) / static_cast<double>(together);
        const Tensor part = rows == together ? made.loss : made.loss * share;
        optimizer_.look_at(part, source_);
        part.backward({}, source_);
      }
      const double value = made.loss.item(source_);
      if (!std::isfinite(value)) {
        optimizer_.zero_grad();
        fail(source_.named("fit"), "the loss is {} in epoch {}; lower the learning rate, or look for NaN in the data",
             shown(value), epoch);
      }
      if (++done % o_.accumulate == 0 || done == count) {
        lr = optimizer_.lr(0, source_);
        if (!o_.sam) optimizer_.step(source_);
      }
      if (optimizer_.steps(source_) != before) {  // what stands around it may have waited
        ++steps_;
        if (by_step_) by_step_->step(source_);
      }
      seen.add(made.outputs, batch, made.inputs, value);
      if (o_.progress)
        bar_.step(bar_.due() ? fmt::format("epoch {}/{}  loss {:.4f}", epoch, o_.epochs, value) : std::string());
      if (o_.after_batch && !o_.after_batch(Batch{epoch, done, steps_, value})) {
        history_.stopped = true;
        break;
      }
    }
    Epoch made{epoch, seen.loss(), seen.accuracy()};
    made.metrics = seen.metrics();
    made.lr = lr;
    return made;
  }

  // Of so many batches from the one of that number on.
  Size rows_of(Size from, Size batches) const {
    const Size size = batches_.options().batch_size;
    return std::min((from + batches) * size, batches_.rows()) - from * size;
  }

  void validate(Epoch& epoch) {
    std::optional<nn::Mode> mode;
    if (model_.may_change) mode.emplace(*model_.layers, false);
    const Seen seen = seen_in(model_, *o_.validation, o_.loss, o_.metrics, source_);
    epoch.validation_loss = seen.loss();
    epoch.validation_accuracy = seen.accuracy();
    epoch.validation_metrics = seen.metrics();
  }

  struct Monitored {
    double value;
    bool greater_is_better;
  };
  Monitored monitored(const Epoch& seen) const {
    const std::string& m = o_.monitor;
    if (m == "accuracy") return {seen.accuracy, true};
    if (m == "validation_accuracy") return {seen.validation_accuracy, true};
    for (const Metric& metric : o_.metrics)
      if (m == metric.name()) return {seen.metric(m, source_), metric.greater_is_better()};
    return {m == "validation_loss" || (m.empty() && o_.validation) ? seen.validation_loss : seen.loss, false};
  }

  void look_for_best(const Epoch& seen) {
    const auto [value, greater] = monitored(seen);
    if (std::isnan(value)) return;
    const double gain = greater ? value - history_.best : history_.best - value;
    if (history_.best_epoch > 0 && !(gain > o_.min_delta)) return;
    history_.best = value;
    last_best_ = history_.best_epoch = seen.epoch;
    if (o_.keep_best) best_.take();
  }

  std::string line_of(const Epoch& seen) const {
    std::string text = fmt::format("epoch {:3}  loss {:.4f}", seen.epoch, shown(seen.loss));
    if (!std::isnan(seen.accuracy)) text += fmt::format("  accuracy {:.3f}", seen.accuracy);
    for (const Measured& m : seen.metrics) text += fmt::format("  {} {:.4f}", m.name, shown(m.value));
    if (!o_.validation) return text;
    text += fmt::format("  validation: loss {:.4f}", shown(seen.validation_loss));
    if (!std::isnan(seen.validation_accuracy)) text += fmt::format("  accuracy {:.3f}", seen.validation_accuracy);
    for (const Measured& m : seen.validation_metrics) text += fmt::format("  {} {:.4f}", m.name, shown(m.value));
    return text;
  }

  const Called& model_;
  optim::Optimizer& optimizer_;
  const data::DataLoader& batches_;
  const FitOptions& o_;
  const Source source_;
  Progress bar_;
  Snapshot best_;
  std::optional<optim::Scheduler> by_epoch_, by_step_;
  std::optional<optim::ClipValue> clip_value_;
  std::optional<optim::ClipNorm> clip_norm_;
  History history_;
  bool first_ = true;
  Size steps_ = 0, last_best_ = 0;
};

}  // namespace

History fit_called(const Called& model, optim::Optimizer& optimizer, const data::DataLoader& batches,
                   const FitOptions& options, Source source) try {
  return Loop(model, optimizer, batches, options, source).run();
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "fit");
}

Evaluation evaluate_called(const Called& model, const data::DataLoader& batches, const Loss& loss,
                           std::vector<Metric> metrics, Source source) try {
  const Seen seen = seen_in(model, batches, loss, metrics, source);
  return {seen.loss(), seen.accuracy(), seen.metrics()};
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "evaluate");
}

}  // namespace xgrad::training
