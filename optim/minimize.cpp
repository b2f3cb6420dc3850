#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <optional>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/optim/minimize.hpp>

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
}

// Puts the parameters to the best point when an exception goes by.
class BestPoint {
 public:
  explicit BestPoint(Objective& f) : f_(f), best_(without_history(f.here())) {}
  ~BestPoint() {
    if (done_) return;
    try {
      f_.move_to(best_);
    } catch (...) {  // an exception is on its way already
    }
  }
  void look() {
    if (f_.value() < best_.value) best_ = without_history(f_.here());
  }
  void go_back() {
    if (!(f_.value() <= best_.value)) f_.move_to(best_);
  }
  void done() { done_ = true; }

 private:
  static Objective::Point without_history(Objective::Point point) {
    point.slopes = Tensor();
    point.result = Tensor();
    return point;
  }
  Objective& f_;
  Objective::Point best_;
  bool done_ = false;
};

class Run {
 public:
  Run(Method& method, Objective& f, const Stop& stop) : method_(method), f_(f), stop_(stop) {
    const bool any = stop.gradient_tolerance > 0 || stop.loss_tolerance > 0 || stop.step_tolerance > 0 ||
                     stop.target > -std::numeric_limits<double>::infinity();
    gradient_tolerance_ = any ? stop.gradient_tolerance : 1e-6;
  }

  Result operator()() {
    method_.begin();
    f_.gradient();  // and with it, in one evaluation, the value
    f_.value();
    BestPoint best(f_);
    std::optional<Reason> reason = f_.finite() ? look() : Reason::not_finite;
    while (!reason) {
      const double before = f_.value();
      const Tensor x_before = f_.x();
      f_.forget_nonfinite();
      const NoGrad constant;  // the objective records what it needs
      const Advance advance = method_.advance(f_);
      if (advance != Advance::moved) {
        reason = advance == Advance::exact ? Reason::exact : f_.met_nonfinite() ? Reason::not_finite : Reason::stuck;
        break;
      }
      ++result_.iterations;
      if (!f_.finite()) {
        reason = Reason::not_finite;
        break;
      }
      best.look();
      step_ = norm(f_.x() - x_before).item();
      const double change = std::abs(f_.value() - before);
      const bool small = change <= stop_.loss_tolerance * std::max(std::abs(f_.value()), std::abs(before));
      small_changes_ = small ? small_changes_ + 1 : 0;
      reason = look();
    }
    result_.reason = *reason;
    result_.converged = *reason <= Reason::exact;
    if (*reason > Reason::asked) best.go_back();
    best.done();
    result_.value = f_.value();
    result_.gradient_norm = f_.gradient_norm();
    result_.evaluations = f_.evaluations();
    result_.seconds = seconds();
    return std::move(result_);
  }

 private:
  // Is there a reason to stop here?
  std::optional<Reason> look() {
    const double value = f_.value(), gradient_norm = f_.gradient_norm();
    if (stop_.trace) result_.trace.push_back({value, gradient_norm});
    const Size done = result_.iterations;
    if (stop_.when && done > 0 && stop_.when({done, value, gradient_norm, step_, f_.evaluations()}))
      return Reason::asked;
    if (gradient_norm <= gradient_tolerance_) return Reason::gradient;
    if (value <= stop_.target) return Reason::target;
    if (done > 0) {
      if (stop_.loss_tolerance > 0 && small_changes_ >= stop_.patience) return Reason::loss;
      if (const double tol = stop_.step_tolerance; tol > 0) {
        const NoGrad constant;
        if (step_ <= tol * (tol + norm(f_.x()).item())) return Reason::step;
      }
    }
    if (done >= stop_.max_iterations) return Reason::iterations;
    if (stop_.max_evaluations > 0 && f_.evaluations().value >= stop_.max_evaluations) return Reason::evaluations;
    if (stop_.max_seconds > 0 && seconds() >= stop_.max_seconds) return Reason::seconds;
    return {};
  }

  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

  Method& method_;
  Objective& f_;
  const Stop& stop_;
  double gradient_tolerance_ = 0, step_ = 0;
  Size small_changes_ = 0;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  Result result_;
};

// An optimizer as a method. It changes the parameters itself.
class FirstOrder final : public Method {
 public:
  FirstOrder(Optimizer& optimizer, Source source)
      : Method("minimize", optimizer.parameters(source), source), optimizer_(optimizer), source_(source) {}
  bool keeps_record() const override { return false; }
  void begin() override {}
  Advance advance(Objective& f) override {
    const Tensors& g = f.gradients();
    for (std::size_t i = 0; i < parameters().size(); ++i) parameters()[i].set_grad(g[i].detach(), source_);
    optimizer_.step(source_);
    optimizer_.zero_grad();
    f.moved();
    return Advance::moved;
  }

 private:
  Optimizer& optimizer_;
  Source source_;
};

Result run(Method& method, const Callable<Tensor()>& function, Objective::Kind kind, const Stop& stop, Source source) {
  check(stop, method.name(), source);
  Objective f(method.name(), method.parameters(), function, kind, source);
  f.keep_record(method.keeps_record());
  Result result = Run(method, f, stop)();
  result.of_residuals = kind == Objective::Kind::residuals;
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

const char* to_string(Reason reason) {
  switch (reason) {
    case Reason::gradient:
      return "converged: the gradient is within gradient_tolerance";
    case Reason::loss:
      return "converged: the loss changed by no more than loss_tolerance";
    case Reason::step:
      return "converged: the step is within step_tolerance";
    case Reason::target:
      return "converged: the loss has reached the target";
    case Reason::exact:
      return "converged: what is left to gain is lost in rounding";
    case Reason::asked:
      return "stopped by Stop::when";
    case Reason::iterations:
      return "not converged: max_iterations are done";
    case Reason::evaluations:
      return "not converged: max_evaluations are done";
    case Reason::seconds:
      return "not converged: max_seconds are over";
    case Reason::stuck:
      return "not converged: no better point was found along the last direction";
    case Reason::not_finite:
      return "not converged: the loss or its gradient is not finite";
  }
  return "unknown";
}

}  // namespace xgrad::optim

fmt::appender fmt::formatter<xgrad::optim::Reason>::format(xgrad::optim::Reason reason,
                                                           fmt::format_context& context) const {
  return formatter<string_view>::format(to_string(reason), context);
}
