#include <xgrad/optim/minimize.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <optional>
#include <vector>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

#include "optim/interrupt.hpp"
#include "optim/methods/vectors.hpp"

namespace xgrad::optim {
namespace {

void check(const Stop& stop, const char* name, Source source) {
  const Require require{name, source};
  const auto not_negative = [&](const char* option, double got) { require.not_negative(option, got); };
  not_negative("max_iterations", static_cast<double>(stop.max_iterations));
  not_negative("gradient_tolerance", stop.gradient_tolerance);
  not_negative("loss_tolerance", stop.loss_tolerance);
  require(stop.patience > 0, "a patience of 1 or more", static_cast<double>(stop.patience));
  not_negative("step_tolerance", stop.step_tolerance);
  require(!std::isnan(stop.target), "a target that is a number", stop.target);
  not_negative("max_evaluations", static_cast<double>(stop.max_evaluations));
  not_negative("max_seconds", stop.max_seconds);
  not_negative("report_every", static_cast<double>(stop.report_every));
}

// Puts the parameters to the best point when an exception goes by.
class BestPoint {
 public:
  BestPoint(Objective& f, Method& method) : f_(f), method_(method), best_(without_history(f.here())) {}
  ~BestPoint() {
    if (done_) return;
    try {
      const std::vector<Tensor> now = f_.here().values;
      f_.move_to(best_);
      const auto same = [](const Tensor& x, const Tensor& y) { return x.node() == y.node(); };
      if (!std::equal(now.begin(), now.end(), best_.values.begin(), same)) method_.went_back();
    } catch (...) {  // an exception is on its way already
    }
  }
  void look() {
    if (f_.value() < best_.value) best_ = without_history(f_.here());
  }
  // At once: without a call of the function, where it is now. Did it?
  bool go_back(bool at_once) {
    const bool back = at_once || !f_.finite() || !(f_.value() <= best_.value);
    if (back) f_.move_to(best_);
    return back;
  }
  void done() { done_ = true; }

 private:
  static Objective::Point without_history(Objective::Point point) {
    point.slopes = Tensor();
    point.result = Tensor();
    return point;
  }
  Objective& f_;
  Method& method_;
  Objective::Point best_;
  bool done_ = false;
};

struct Interrupted {};  // thrown where the function would be called

bool has_test(const Stop& stop) {
  return stop.gradient_tolerance > 0 || stop.loss_tolerance > 0 || stop.step_tolerance > 0 ||
         stop.target > -std::numeric_limits<double>::infinity() || !stop.until.empty();
}

// Stop's fields as one rule, and a gradient tolerance where they have no test of convergence.
Until rule_of(const Stop& stop, double tolerance) {
  Until rule;
  if (stop.when) rule = when(stop.when);
  rule = rule || gradient_tolerance(has_test(stop) ? stop.gradient_tolerance : tolerance) || target(stop.target);
  if (stop.loss_tolerance > 0) rule = rule || loss_tolerance(stop.loss_tolerance, stop.patience);
  if (stop.step_tolerance > 0) rule = rule || step_tolerance(stop.step_tolerance);
  rule = rule || stop.until;
  if (!stop.until.ends()) rule = rule || max_iterations(stop.max_iterations);
  if (stop.max_evaluations > 0) rule = rule || max_evaluations(stop.max_evaluations);
  if (stop.max_seconds > 0) rule = rule || max_seconds(stop.max_seconds);
  return rule;
}

class Run {
 public:
  Run(Method& method, Objective& f, const Stop& stop, bool by_angles)
      : method_(method),
        f_(f),
        stop_(stop),
        by_angles_(by_angles && !has_test(stop)),
        watch_(rule_of(stop, by_angles ? 0 : 1e-6).begin()),
        interrupts_(stop.interruptible) {}

  Result operator()() {
    method_.begin();
    begin();
    BestPoint best(f_, method_);
    f_.before_each_call([this] {
      if (interrupts_.requested()) throw Interrupted();
    });
    std::optional<Reason> reason = f_.finite() ? look() : not_finite();
    try {
      while (!reason) reason = iterate(best);
    } catch (const Interrupted&) {
      reason = Reason::interrupted;
    }
    result_.reason = *reason;
    result_.converged = *reason <= Reason::exact;
    if (*reason > Reason::asked && best.go_back(*reason == Reason::interrupted)) method_.went_back();
    best.done();
    result_.value = f_.value();
    result_.gradient_norm = f_.gradient_norm();
    result_.evaluations = f_.evaluations();
    result_.seconds = seconds();
    if (stop_.report_every > 0) report(fmt::format("{}", *reason).c_str());
    return std::move(result_);
  }

 private:
  // The first look at the function. Where that is an Error, nothing has moved, into bounds either.
  void begin() {
    const Objective::Point start = f_.here();
    try {
      f_.set_separable(method_.separable());
      f_.gradient();  // and with it, in one evaluation, the value
      f_.value();
    } catch (...) {
      f_.move_to(start);
      throw;
    }
  }

  std::optional<Reason> iterate(BestPoint& best) {
    const Tensor x_before = f_.x();
    f_.forget_nonfinite();
    const NoGrad constant;  // the objective records what it needs
    const Advance advance = method_.advance(f_);
    if (f_.met_nonfinite()) {
      cut_ = f_.met_minus_infinity() ? Reason::unbounded : Reason::not_finite;
      norm_at_cut_ = f_.gradient_norm();
    }
    if (advance == Advance::exact || advance == Advance::stuck) {
      // A step that is short because NaN or infinity is ahead promises little anywhere: there the slope stays what it was.
      if (cut_ && f_.gradient_norm() > 1e-3 * norm_at_cut_) return cut_;
      return advance == Advance::exact ? Reason::exact : Reason::stuck;
    }
    ++result_.iterations;
    if (!f_.finite()) return not_finite();
    best.look();
    step_ = distance(f_.x(), x_before);
    const std::optional<Reason> reason = look();
    if (advance == Advance::unbounded && !reason) return Reason::unbounded;
    return reason;
  }

  // Is there a reason to stop here?
  std::optional<Reason> look() {
    const Progress progress{
        result_.iterations, f_.value(), f_.gradient_norm(), step_, f_.evaluations(), length(numbers(f_.x()), f_.size()),
        seconds()};
    if (stop_.trace) result_.trace.push_back({progress.value, progress.gradient_norm});
    if (stop_.report_every > 0 && progress.iteration % stop_.report_every == 0) report("");
    std::optional<Reason> reason = watch_(progress);
    if (by_angles_ && (!reason || *reason > Reason::asked) && at_right_angles()) reason = Reason::gradient;
    if (!reason && interrupts_.requested()) reason = Reason::interrupted;
    return reason;
  }

  // Or, where all residuals vanish, so that no angle says anything: small in its own numbers, and beside the start's.
  bool at_right_angles() {
    constexpr double cosine = 1e-8, gradient = 1e-6, left = 1e-10;
    const double now = std::sqrt(2 * f_.value());
    if (result_.iterations == 0) length_at_start_ = now;
    return f_.cosine() <= cosine || (f_.gradient_norm() <= gradient && now <= left * length_at_start_);
  }

  Reason not_finite() {
    return f_.value() == -std::numeric_limits<double>::infinity() ? Reason::unbounded : Reason::not_finite;
  }

  void report(const char* end) {
    fmt::print(stderr, "{} {}: loss {:.9g}, gradient {:.3g}, step {:.3g}, {} calls, {:.3g} s{}{}\n", method_.name(),
               result_.iterations, f_.value(), f_.gradient_norm(), step_, f_.evaluations().value, seconds(),
               *end ? "; " : "", end);
  }

  double distance(const Tensor& x, const Tensor& y) {
    difference_.resize(static_cast<std::size_t>(f_.size()));
    combine(difference_.data(), numbers(x), -1, numbers(y), f_.size());
    return length(difference_.data(), f_.size());
  }

  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

  Method& method_;
  Objective& f_;
  const Stop& stop_;
  const bool by_angles_;  // is a fit done when its residuals are at right angles to all that they depend on?
  Until::Watch watch_;
  Interrupts interrupts_;
  double step_ = 0, norm_at_cut_ = 0, length_at_start_ = 0;
  std::optional<Reason> cut_;  // what the last trial that was not finite says of the loss
  std::vector<double> difference_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  Result result_;
};

// An optimizer as a method. It changes the parameters itself.
class FirstOrder final : public Method {
 public:
  FirstOrder(Optimizer& optimizer, Source source)
      : Method("minimize", optimizer.parameters(source), source), optimizer_(optimizer), source_(source) {
    optimizer.require_descent(name(), source);
  }
  bool keeps_record() const override { return optimizer_.looks_at_loss(); }
  const Separable& separable() const override { return none_; }
  void begin() override {}
  void went_back() override { optimizer_.best_is_back(); }
  Advance advance(Objective& f) override {
    const Size before = optimizer_.steps(source_);
    for (int calls = 0; optimizer_.steps(source_) == before;
         ++calls) {  // what stands around it may wait, and leave out
      if (calls == most_calls)
        fail(source_.named(name()),
             "expected a step, but in {} calls what stands around the optimizer has let none pass: it waits "
             "(Accumulate), or leaves gradients out that are not finite (RequireFinite)",
             calls);
      const Tensors& g = f.gradients();
      optimizer_.zero_grad();
      if (keeps_record()) optimizer_.look_at(f.here().result, source_);
      for (std::size_t i = 0; i < parameters().size(); ++i) parameters()[i].set_grad(g[i].detach(), source_);
      optimizer_.step(source_);
      optimizer_.zero_grad();
      f.moved();
    }
    return Advance::moved;
  }

 private:
  static constexpr int most_calls = 100'000;

  Optimizer& optimizer_;
  Source source_;
  Separable none_;
};

// What the separable part has to do with where a run ended.
void look_at_separable(Objective& f, Result& result) {
  const NoGrad constant;
  const auto& [lower, upper, l1] = f.separable();
  if (l1.defined()) result.penalised = any(l1 > 0.0).item() != 0;
  if (!lower.defined()) return;
  const Tensor x = f.x(), g = f.gradient();
  const Tensor held = lower == upper || (x <= lower && g > 0.0) || (x >= upper && g < 0.0);
  result.held = static_cast<Size>(sum(cast(held, i64)).item());
}

Result run(Method& method, const Callable<Tensor()>& function, Objective::Kind kind, const Stop& stop, Source source) {
  check(stop, method.name(), source);
  Objective f(method.name(), method.parameters(), function, kind, source);
  f.keep_record(method.keeps_record());
  f.use_jacobian(method.uses_jacobian());
  const bool of_residuals = kind == Objective::Kind::residuals;
  Result result = Run(method, f, stop, of_residuals && method.uses_jacobian())();
  result.of_residuals = of_residuals;
  result.fitted = f.size();
  look_at_separable(f, result);
  return result;
}

}  // namespace

Result minimize(Method& method, const Callable<Tensor()>& loss, const Stop& stop, Source source) {
  return run(method, loss, Objective::Kind::loss, stop, source);
}

Result minimize(Optimizer& optimizer, const Callable<Tensor()>& loss, const Stop& stop, Source source) {
  FirstOrder method(optimizer, source);
  return run(method, loss, Objective::Kind::loss, stop, source);
}

Result least_squares(Method& method, const Callable<Tensor()>& residuals, const Stop& stop, Source source) {
  return run(method, residuals, Objective::Kind::residuals, stop, source);
}

}  // namespace xgrad::optim
