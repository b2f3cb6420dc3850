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
#include "training/seen.hpp"
#include "training/snapshot.hpp"

namespace xgrad::training {

namespace {
std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}
}  // namespace

double Epoch::metric(std::string_view name, Source source) const {
  for (const Measured& m : validation_metrics.empty() ? metrics : validation_metrics)
    if (m.name == name) return m.value;
  std::vector<std::string> known;
  for (const Measured& m : metrics) known.push_back(m.name);
  fail(source.named("metric"), "there is no metric {}; those that there are: {}", name, joined(known));
}

namespace {

void verify_first(const Called& model, const optim::Optimizer& optimizer, const Tensor& loss, Source source) {
  const Parameters known = model.layers ? nn::parameters(*model.layers) : Parameters();
  const std::string wrong = nn::untrained(optimizer.parameters(source), known, In(loss, source));
  if (!wrong.empty()) fail(source.named("fit"), "{} (where it is meant to be so: {{.verify = false}})", wrong);
}

double shown(double x) { return std::isnan(x) ? std::abs(x) : x; }  // NaN without its sign

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
        best_(model, optimizer, source),
        batch_(model, optimizer, source) {
    check();
    if (o_.clip_value > 0) clip_value_.emplace(optimizer, optim::ClipValueRule{o_.clip_value}, source);
    if (o_.clip_norm > 0) clip_norm_.emplace(optimizer, optim::ClipNormRule{.max_norm = o_.clip_norm}, source);
    if (o_.schedule) by_epoch_.emplace(optimizer, *o_.schedule, source).keep_out_of_state(source);
    if (o_.step_schedule) by_step_.emplace(optimizer, *o_.step_schedule, source).keep_out_of_state(source);
  }

  History run() {
    bool by_callback = false;
    try {
      by_callback = epochs();
    } catch (...) {
      put_best_back_if_possible();
      throw;
    }
    if (best_is_asked_for() && history_.best_epoch == 0 && !history_.epochs.empty() && !by_callback) fail_no_best();
    if (o_.keep_best && history_.best_epoch > 0) {
      best_.put_back();
      optimizer_.best_is_back();
    }
    if (!history_.epochs.empty()) require_numbers();
    return std::move(history_);
  }

 private:
  // Where something else went wrong, which is told: a callback may have left no place for the best.
  void put_best_back_if_possible() noexcept {
    if (!best_.is_taken()) return;
    try {
      best_.put_back();
      optimizer_.best_is_back();
    } catch (...) {
    }
  }
  // Did a callback end it?
  bool epochs() {
    bool by_callback = false;
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
      by_callback = history_.stopped;
      if (o_.patience > 0 && epoch - last_best_ >= o_.patience && epoch < o_.epochs) history_.stopped = true;
    }
    return by_callback;
  }
  [[noreturn]] void fail_no_best() const {
    fail(source_.named("fit"),
         "expected numbers of what is monitored, {}, got NaN in each of {} epochs; monitor what has a value here",
         monitored_name(), history_.epochs.size());
  }
  // A parameter that holds NaN; "": none. The last step is followed by no loss that would show what it did.
  std::string of_nan() const {
    const NoGrad constant;
    for (const Parameters::Entry& p : optimizer_.parameters(source_))
      if (any(isnan(p.value())).item(source_) != 0) return p.name.empty() ? "a parameter" : p.name;
    return "";
  }
  void require_numbers() const {
    if (const std::string name = of_nan(); !name.empty())
      fail(source_.named("fit"),
           "{} holds NaN after the last step, whose gradient was no number; lower the learning rate, look for what "
           "has no slope (sqrt at 0), or leave such steps out: optim::RequireFinite({{.skip = true}})",
           name);
  }

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
    for (const Metric& metric : o_.metrics) {
      if (m != metric.name()) continue;
      if (!metric.greater_is_better())
        refuse(
            fmt::format("a monitored metric that says which way is better, got {}; write in its struct `bool "
                        "greater_is_better = true;`, or false",
                        m));
      known = true;
    }
    if (!known) {
      std::vector<std::string> list;
      for (const Metric& metric : o_.metrics) list.push_back(metric.name());
      refuse(fmt::format("a monitor that is a loss, an accuracy or a metric's name, got {}; the metrics here: {}", m,
                         joined(list)));
    }
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
    Seen seen(o_.metrics, o_.loss, source_);
    const Size count = batches_.size();
    Size done = 0, few = 1;  // batches to the step that is being made
    double together = 0;     // rows that count, to it
    bool pulled = false;     // has one of them a gradient?
    const bool may_skip = optimizer_.refuses_nonfinite(source_);
    Size refused = 0;  // batches whose loss is not finite
    double lr = Epoch::none;
    for (auto at = batches_.begin(); at != batches_.end(); ++at) {
      const Tensors batch = *at;
      Outcome made;
      const Size before = optimizer_.steps(source_);
      if (may_skip) batch_.take_buffers();
      const auto loss = [&] {
        if (made.loss.defined()) return outcome_of(model_, batch, o_.loss, source_.named("fit")).loss;  // sam's second
        made = outcome_of(model_, batch, o_.loss, source_.named("fit"));
        if (made.loss.defined() && std::exchange(first_, false) && o_.verify)
          verify_first(model_, optimizer_, made.loss, source_);
        return made.loss;
      };
      if (o_.sam) {
        if (!is_left_out(model_, batch, o_.loss)) o_.sam->step(optimizer_, loss, source_);
      } else {
        loss();
        if (done % o_.accumulate == 0) {
          optimizer_.zero_grad();
          pulled = false;
          few = std::min(o_.accumulate, count - done);
          together = few == 1 ? 0 : made.classes ? rows_of(at, few, made.inputs) : rows_of(done, few);
        }
        if (made.loss.defined()) {
          pull(made, few == 1 ? 1 : together > 0 ? made.rows / together : 1 / static_cast<double>(few));
          pulled = true;
        }
      }
      const double value = made.loss.defined() ? made.loss.item(source_) : Epoch::none;
      if (made.loss.defined() && !std::isfinite(value)) {
        if (!may_skip) fail_not_finite(value, epoch);
        batch_.put_back();
        ++refused;
      }
      if (++done % o_.accumulate == 0 || done == count) {
        lr = optimizer_.lr(0, source_);
        if (pulled) optimizer_.step(source_);
      }
      if (optimizer_.steps(source_) != before) {  // what stands around it may have waited
        ++steps_;
        if (by_step_) by_step_->step(source_);
      }
      if (std::isfinite(value)) seen.add(made, batch, value);
      if (o_.progress)
        bar_.step(bar_.due() ? fmt::format("epoch {}/{}  loss {:.4f}", epoch, o_.epochs, value) : std::string());
      if (o_.after_batch && !o_.after_batch(Batch{epoch, done, steps_, value})) {
        history_.stopped = true;
        break;
      }
    }
    if (refused > 0 && std::isnan(seen.loss()))
      fail(source_.named("fit"), "no batch of epoch {} has a finite loss; look for NaN in the data, or in the weights",
           epoch);
    Epoch made{epoch, seen.loss(), seen.accuracy()};
    made.metrics = seen.metrics();
    made.lr = lr;
    return made;
  }

  [[noreturn]] void fail_not_finite(double loss, Size epoch) {
    optimizer_.zero_grad();
    fail(source_.named("fit"),
         "the loss is {} in epoch {}; lower the learning rate, look for NaN in the data, or leave such batches out: "
         "optim::RequireFinite({{.skip = true}})",
         shown(loss), epoch);
  }
  void pull(const Outcome& made, double share) {
    const Located here(source_);
    const Tensor part = share == 1 ? made.loss : made.loss * share;
    optimizer_.look_at(part, source_);
    part.backward({}, source_);
  }

  // Of so many batches from the one of that number on.
  double rows_of(Size from, Size batches) const {
    const Size size = batches_.options().batch_size;
    return static_cast<double>(std::min((from + batches) * size, batches_.rows()) - from * size);
  }
  // Those that count, of so many batches from this one on.
  static double rows_of(data::DataLoader::Iterator from, Size batches, Size inputs) {
    double rows = 0;
    for (; batches > 0; --batches, ++from) rows += rows_that_count((*from)[inputs]);
    return rows;
  }

  void validate(Epoch& epoch) {
    std::optional<nn::Mode> mode;
    if (model_.may_change) mode.emplace(*model_.layers, false);
    const Seen seen = seen_in(model_, *o_.validation, o_.loss, o_.metrics, source_.named("fit"));
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
      if (m == metric.name()) return {seen.metric(m, source_), *metric.greater_is_better()};
    return {monitored_name() == "validation_loss" ? seen.validation_loss : seen.loss, false};
  }
  std::string monitored_name() const {
    return !o_.monitor.empty() ? o_.monitor : o_.validation ? "validation_loss" : "loss";
  }
  bool best_is_asked_for() const { return !o_.monitor.empty() || o_.patience > 0 || o_.keep_best; }

  void look_for_best(const Epoch& seen) {
    const auto [value, greater] = monitored(seen);
    if (std::isnan(value)) {
      // Targets that are no classes in one epoch are none in the next.
      const double loss = o_.monitor == "accuracy"              ? seen.loss
                          : o_.monitor == "validation_accuracy" ? seen.validation_loss
                                                                : Epoch::none;
      if (!std::isnan(loss))
        fail(source_.named("fit"), "there is no {} to monitor: targets are no classes; monitor a loss, or a metric",
             o_.monitor);
      return;
    }
    const double gain = greater ? value - history_.best : history_.best - value;
    if (history_.best_epoch > 0 && !(gain > o_.min_delta)) return;
    if (o_.keep_best && !of_nan().empty()) return;  // the last step has spoilt what the epoch was good for
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
  Snapshot best_, batch_;  // as the model was after the best epoch, and its buffers before the batch
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

}  // namespace xgrad::training
