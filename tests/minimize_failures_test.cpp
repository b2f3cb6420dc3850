// What goes wrong, in every method and every optimizer: NaN and infinity at the start and on the way, losses without a
// minimum, without a gradient, with a singular Hessian, mistakes and exceptions. Each run ends, in so many calls; says
// why; and leaves the parameters at the best point that it was at.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "helpers.hpp"
#include "minimize_problems.hpp"
#include "optimizers/rows.hpp"

using namespace xgrad;
using helpers::same_bits;
using optim::Reason;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

using Program = std::function<Tensor()>;
using Run = std::function<optim::Result(const Program&, const optim::Stop&)>;

// A method or an optimizer, and by which of the two functions it runs.
struct Way {
  std::string name, made_by, run_by;  // the latter: whom Errors speak of
  bool of_residuals, is_optimizer;
  std::function<Run(const Parameters&)> make;
};

Way by_minimize(const std::string& name, const problems::Make& method) {
  const std::string rule = name.substr(0, name.find(','));
  return {name, rule, rule, false, false, [=](const Parameters& p) -> Run {
            const std::shared_ptr<optim::Method> made = method(p);
            return [=](const Program& f, const optim::Stop& stop) { return optim::minimize(*made, f, stop); };
          }};
}
Way by_least_squares(const std::string& name, const problems::Make& method) {
  const std::string rule = name.substr(0, name.find(','));
  return {name + ", residuals", rule, rule, true, false, [=](const Parameters& p) -> Run {
            const std::shared_ptr<optim::Method> made = method(p);
            return [=](const Program& f, const optim::Stop& stop) { return optim::least_squares(*made, f, stop); };
          }};
}
Way by_steps(const rows::Row& row) {
  return {row.key, row.name, "minimize", false, true, [=](const Parameters& p) -> Run {
            const std::shared_ptr<optim::Optimizer> made = row.make(p);
            return [=](const Program& f, const optim::Stop& stop) { return optim::minimize(*made, f, stop); };
          }};
}

const std::vector<Way>& ways() {
  static const std::vector<Way> all = [] {
    std::vector<Way> list;
    const auto add = [&](std::string name, const problems::Make& make) {
      if (name.find("CG, ") == 0) name = "Nonlinear" + name;
      if (name.find("LevenbergM") != 0 && name != "GaussNewton") list.push_back(by_minimize(name, make));
      list.push_back(by_least_squares(name, make));
    };
    for (const problems::Row& row : problems::rows) add(row.name, row.make);
    using problems::method;
    const optim::Bounds box(-1e300, 1e300);
    add("GradientDescent", method<optim::GradientDescent>());
    add("LBFGSB, bounds", method<optim::LBFGSB>(optim::LBFGSBRule{.bounds = box}));
    add("ProjectedNewton, bounds", method<optim::ProjectedNewton>(optim::ProjectedNewtonRule{.bounds = box}));
    add("ProximalGradient", method<optim::ProximalGradient>());
    add("ProximalGradient, L1",
        method<optim::ProximalGradient>(optim::ProximalGradientRule{.l1 = 1e-3, .bounds = box}));
    add("OWLQN", method<optim::OWLQN>());
    add("OWLQN, L1", method<optim::OWLQN>(optim::OWLQNRule{.l1 = 0.1}));
    add("FISTA", method<optim::FISTA>());
    add("FISTA, L1", method<optim::FISTA>(optim::FISTARule{.l1 = 1e-3, .bounds = box}));
    add("LevenbergMarquardt, accelerated",
        method<optim::LevenbergMarquardt>(optim::LevenbergMarquardtRule{.acceleration = 0.75}));
    for (const rows::Row& row : rows::all())
      if (!row.of_matrices && row.key.find("maximize = true") == std::string::npos) list.push_back(by_steps(row));
    return list;
  }();
  return all;
}

// The loss of residuals, for those that take one.
Tensor for_way(const Way& way, const Tensor& r) { return way.of_residuals ? r : 0.5 * sum(square(r)); }

// What goes wrong with a function of x, here 2 numbers; `call`: how often it was called before.
enum Gives { residuals, a_loss };
struct Kind {
  const char* name;
  double start;
  Size most_calls;                            // of methods; optimizers take one an iteration
  std::set<Reason> ends, ends_of_optimizers;  // the reasons that may be given
  Gives gives;
  Tensor (*f)(const Tensor& x, Size call);
};
using enum Reason;
#define F(value) [](const Tensor& x, [[maybe_unused]] Size call) -> Tensor { return value; }

const Kind kinds[] = {
    // at the start
    {"NaN", 1.5, 1, {not_finite}, {not_finite}, residuals, F(log(x - 10.0))},
    {"infinity", 1.5, 1, {not_finite}, {not_finite}, residuals, F(exp(x + 1000.0))},
    {"-infinity", 1.5, 1, {unbounded}, {unbounded}, a_loss, F(sum(log(x - 1.5)))},
    {"NaN slope", 1.5, 1, {not_finite}, {not_finite}, residuals, F(x + sqrt(square(x - 1.5)))},
    {"infinite slope", 1.5, 1, {not_finite}, {not_finite}, residuals, F(x + sqrt(x - 1.5))},
    {"no slope", 1.5, 20, {gradient}, {gradient}, residuals, F(1.0 + square(x - 1.5))},
    // on the way down, whose end is at 5
    {"NaN ahead", 1.999, 1200, {not_finite}, {not_finite, iterations}, residuals, F(where(x < 2.0, x - 5.0, NAN))},
    {"inf ahead", 1.999, 1200, {not_finite}, {not_finite, iterations}, residuals, F(where(x < 2.0, x - 5.0, infinity))},
    {"NaN slope ahead",
     1.999,
     1200,
     {not_finite},
     {not_finite, iterations},
     residuals,
     F(amax(x).item() < 2 ? x - 5.0 : x - 5.0 + sqrt(square(x - x.detach())))},
    {"NaN from call 4 on", 1.5, 160, {not_finite}, {not_finite}, residuals, F(where(call < 4, square(x) - 5.0, NAN))},
    // no minimum
    {"line", 1.5, 130, {unbounded, iterations}, {iterations}, a_loss, F(sum(x))},
    {"hill", 1.5, 70, {unbounded, iterations}, {unbounded, not_finite, iterations}, a_loss, F(-sum(square(x)))},
    {"cliff",
     1.5,
     210,
     {unbounded, not_finite, iterations},
     {unbounded, iterations, gradient},
     a_loss,
     F(-sum(exp(x)))},
    {"cube",
     1.5,
     30,
     {unbounded, gradient},
     {unbounded, not_finite, iterations, gradient},
     a_loss,
     F(sum(square(x) * x))},
    {"logarithm", 1.5, 2000, {unbounded, not_finite, iterations}, {not_finite, iterations}, a_loss, F(sum(log(x)))},
    {"pole",
     1.5,
     900,
     {stuck, not_finite, unbounded, iterations},
     {iterations, gradient},
     a_loss,
     F(-sum(1.0 / square(x)))},
    // Hessians
    {"singular", 1.5, 130, {gradient}, {iterations, gradient}, residuals, F(reshape(sum(x) - 1.0, {1}))},
    {"0 at the minimum", 1.5, 35, {gradient}, {iterations, gradient, not_finite}, residuals, F(square(x))},
    {"infinite", 0, 140, {gradient, not_finite}, {iterations, gradient}, a_loss, F(sum(pow(abs(x), 1.5) + 0.5 * x))},
    // scales, where optimizers go as their rates are
    {"squares overflow", 1.5, 70, {gradient, stuck, not_finite}, {}, residuals, F(1e150 * (x - 3.0))},
    {"squares underflow", 1.5, 30, {gradient}, {gradient}, residuals, F(1e-170 * (x - 3.0))},
    {"far", 1e15, 70, {gradient, exact, stuck, iterations}, {}, residuals, F(x - 3.0)},
};
#undef F

void check(const Kind& kind, const Way& way, Parameter& x) {
  const Tensor start = x.value();
  Size calls = 0;
  const optim::Result fit = way.make({x})(
      [&] {
        const Size call = calls++;
        return kind.gives == residuals ? for_way(way, kind.f(x, call)) : kind.f(x, call);
      },
      {.max_iterations = 60, .trace = true});
  const std::set<Reason>& ends = way.is_optimizer ? kind.ends_of_optimizers : kind.ends;
  const std::string what = fmt::format("{} on {}, {}: {}, value {} after {} calls", way.name, kind.name,
                                       name(start.dtype()), fit.reason, fit.value, calls);
  BOOST_TEST(ends.count(fit.reason) == 1, what);
  BOOST_TEST(fit.converged == (fit.reason <= exact), what);
  BOOST_TEST(fit.evaluations.value == calls, what);
  BOOST_TEST(calls <= (way.is_optimizer ? 61 : kind.most_calls), what);
  double best = infinity;
  for (const auto& point : fit.trace)
    if (std::isfinite(point.value) && std::isfinite(point.gradient_norm)) best = std::min(best, point.value);
  if (best == infinity) {  // the start is not finite
    BOOST_TEST((same_bits(x, start) && fit.iterations == 0), what);
    return;
  }
  BOOST_TEST((std::isfinite(fit.value) && std::isfinite(fit.gradient_norm) && all(isfinite(x.value())).item()), what);
  // A trial behind the wall is too far, whatever of it is not finite: shorter ones lead up to it.
  if (!way.is_optimizer && std::string(kind.name).find("ahead") != std::string::npos)
    BOOST_TEST(amin(x).item() > 1.9999, what << ", at " << x);
  if (fit.reason > asked) {
    BOOST_TEST(fit.value == best, what << ", and the best was " << best);
    BOOST_TEST((fit.value < fit.trace[0].value || same_bits(x, start)), what);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_way_to_fail) {
  for (const Kind& kind : kinds)
    for (const Way& way : ways()) {
      if ((way.of_residuals && kind.gives == a_loss) || (way.is_optimizer && kind.ends_of_optimizers.empty())) continue;
      Parameter x = parameter(full({2}, kind.start, f64)), y = parameter(full({2}, kind.start, f32));
      check(kind, way, x);
      check(kind, way, y);
    }
}

namespace {

// What is said when `call` is made, and that x keeps its bits.
void refused(const std::string& what, const std::string& by, const std::string& says, const Parameter& x,
             const std::function<void()>& call) {
  const Tensor before = x.value();
  std::string message = "nothing";
  try {
    call();
  } catch (const Error& e) {
    message = e.what();
  }
  BOOST_TEST(message.find("[" + by + "] ") != std::string::npos, what << ": " << message << ", not by " << by);
  BOOST_TEST(message.find(says) != std::string::npos, what << ": " << message << ", not " << says);
  BOOST_TEST(same_bits(x, before), what << " has moved x");
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_mistake) {
  Parameter x = parameter(tensor({1.0, 2.0})), other = parameter(1.0), frozen = parameter(1.0),
            none = parameter(zeros({0}, f64)), empty;
  frozen.requires_grad(false);
  const Tensor copy = x.value().detach();
  struct Mistake {
    const char* name;
    std::string says;
    Program f;
  };
  const std::string no_path = " not depend on the parameter 0 by what was recorded";
  const Mistake mistakes[] = {
      {"no function", "expected a function that gives a Tensor, got an empty one", nullptr},
      {"an empty Tensor", ", got an empty Tensor", [] { return Tensor(); }},
      {"integers", "of f32 or f64, got i64; cast it", [&] { return cast(sum(x), i64); }},
      {"booleans", "of f32 or f64, got boolean; cast it", [&] { return all(x > 0.0); }},
      {"a number", no_path, [] { return Tensor(3.0); }},
      {"its own numbers", no_path, [&] { return sum(square(copy)); }},
      {"item()", no_path, [&] { return Tensor(square(x[0].item())); }},
      {"another parameter", no_path, [&] { return square(other); }},
      {"a copy of it", no_path, [&, mine = Parameter(x)] { return sum(square(mine)); }},
      {"detach()", no_path, [&] { return sum(square(x)).detach(); }},
      {"NoGrad", no_path,
       [&] {
         const NoGrad constant;
         return sum(square(x));
       }},
  };
  for (const Way& way : ways()) {
    const auto by = [&](const char* mistake) { return way.name + ", " + mistake; };
    refused(by("no parameter"), way.made_by, "expected at least one parameter, got none", x, [&] { way.make({}); });
    refused(by("one twice"), way.made_by, " is there twice", x, [&] { way.make({x, x}); });
    refused(by("an empty one"), "Parameters", "1 is empty", x, [&] { way.make({x, empty}); });
    const Run run = way.make({x});
    for (const Mistake& mistake : mistakes)
      refused(by(mistake.name), way.run_by, mistake.says, x, [&] { run(mistake.f, {}); });
    if (way.of_residuals) {
      refused(by("no residuals"), way.run_by, "expected residuals, got none", x,
              [&] { run([&] { return slice(x, 0, 0, 0); }, {}); });
    } else {
      refused(by("two numbers"), way.run_by, "expected a loss of one element, got shape (2,)", x,
              [&] { run([&] { return square(x); }, {}); });
      const Program after_backward = [&] {
        const Tensor loss = sum(square(x));
        loss.backward();
        return loss;
      };
      refused(by("backward()"), way.run_by, "backward() let go of the record", x, [&] { run(after_backward, {}); });
    }
    refused(by("no numbers"), way.run_by, "expected parameters that hold numbers", x,
            [&] { way.make({none})([&] { return sum(none); }, {}); });
    refused(by("one that counts not"), way.run_by, "not depend on the parameter 1", x, [&] {
      way.make({x, other})([&] { return sum(square(x)); }, {});
    });
    refused(by("a frozen one"), way.run_by, "the parameter 1 is frozen", x, [&] {
      way.make({x, frozen})([&] { return sum(square(x)) * frozen; }, {});
    });
    // and it can be used yet, beside a parameter without numbers
    const optim::Result fit =
        way.make({x, none})([&] { return for_way(way, x - 1.0) + 0.0 * sum(none); }, {.max_iterations = 3});
    BOOST_TEST(fit.value <= 0.51, way.name << ": " << fit.value);
    x.assign(tensor({1.0, 2.0}));
  }
  for (const problems::Row& row : problems::rows)
    if (row.of_residuals)
      refused(row.name, row.name, "this method works on residuals", x, [&] {
        const auto made = row.make(x);
        optim::minimize(*made, [&] { return sum(square(x)); });
      });
}

// Optimizers that look at the loss; rates that are no rates, and 0, which is one.
BOOST_AUTO_TEST_CASE(optimizers_of_a_loss_and_rates) {
  Parameter x = parameter(tensor({1.0, 2.0}));
  const auto loss = [&] { return sum(square(x)); };
  const Tensor start = x.value();
  for (const rows::Row& row : rows::of_loss()) {
    const auto made = row.make({x});
    BOOST_TEST(optim::minimize(*made, loss, {.max_iterations = 50}).value <= 5, row.key);
    x = start;
  }
  for (const rows::Row& row : rows::all()) {
    if (row.of_matrices) continue;
    const auto made = row.make({x});
    if (row.key.find("maximize = true") != std::string::npos) {
      refused(row.key, "minimize", "got one with {.maximize = true}", x, [&] { optim::minimize(*made, loss); });
      continue;
    }
    for (const double wrong : {-1.0, -infinity, infinity, std::nan("")})
      refused(row.key, row.name, "lr", x, [&] { made->set_lr(wrong); });
    made->set_lr(0);
    if (row.name == "FTRL" || row.name == "FTML") {  // whose formulas divide by it
      refused(row.key, row.name, "expected a finite lr above 0, got 0", x, [&] { optim::minimize(*made, loss); });
      continue;
    }
    const Tensor before = x.value();
    const optim::Result fit = optim::minimize(*made, loss, {.max_iterations = 5});
    BOOST_TEST(((fit.reason == iterations && fit.iterations == 5) || row.keeps_lr),
               row.key << ": " << to_string(fit.reason));
    if (row.name != "MADGRAD" && !row.keeps_lr)  // MADGRAD's rate is lr + eps
      BOOST_TEST(same_bits(x, before), row.key << " " << x);
    x.assign(before);
  }
}

namespace {
struct Own : std::runtime_error {  // an exception of the user's
  using runtime_error::runtime_error;
};
}  // namespace

// An Error or an exception of the user's in the loss goes to the caller, at the first call or later; the parameters are at
// the best point, and the same method goes on from there, but for optimizers that train other weights than they are judged by.
BOOST_AUTO_TEST_CASE(exceptions_pass) {
  for (const Way& way : ways())
    for (const Size at : {0, 1, 3})
      for (const bool own : {false, true}) {
        Parameter x = parameter(tensor({1.5, 2.0}));
        const auto f = [&] { return for_way(way, x * x - 5.0); };
        const Run run = way.make({x});
        double least = run(f, {.max_iterations = 0}).value;
        Tensor best = x.value();
        Size calls = 0;
        const auto fails = [&] {
          if (calls++ == at && own) throw Own("mine");
          if (calls == at + 1) return matmul(ones({2, 3}), ones({2, 3}));
          return f();
        };
        const optim::Stop stop{.max_iterations = 60, .when = [&](const optim::Progress& p) {
                                 if (p.value < least) least = p.value, best = x.value();
                                 return false;
                               }};
        const std::string what = fmt::format("{}, {} at {}", way.name, own ? "Own" : "Error", at);
        if (own)
          BOOST_CHECK_EXCEPTION(run(fails, stop), Own, [](const Own& e) { return e.what() == std::string("mine"); });
        else BOOST_CHECK_EXCEPTION(run(fails, stop), Error, helpers::says("[matmul]"));
        BOOST_TEST(calls == at + 1, what);
        BOOST_TEST(same_bits(x, best), what << " leaves " << x << ", not " << best);
        const bool averages =
            way.name.find("ASGD") != std::string::npos || way.name.find("ScheduleFree") != std::string::npos;
        if (averages && at > 0) {  // their state belongs to other weights than the best
          BOOST_CHECK_EXCEPTION(run(f, {.max_iterations = 600}), Error,
                                helpers::says("the best weights were put back"));
          continue;
        }
        const optim::Result fit = run(f, {.max_iterations = 600});
        BOOST_TEST((fit.converged || (way.is_optimizer && fit.value <= least)),
                   what << " then: " << to_string(fit.reason));
      }
}

// A start outside of the bounds moves in once the function has shown to be one.
BOOST_AUTO_TEST_CASE(mistakes_outside_of_the_bounds) {
  Parameter x = parameter(tensor({1.0, 2.0}));
  const optim::Bounds box(3, 4);
  const auto wrong = [&] { return square(x); };
  optim::LBFGSB lbfgsb({x}, {.bounds = box});
  optim::ProjectedNewton newton({x}, {.bounds = box});
  optim::ProximalGradient proximal({x}, {.bounds = box});
  optim::FISTA fista({x}, {.bounds = box});
  for (optim::Method* method : std::initializer_list<optim::Method*>{&lbfgsb, &newton, &proximal, &fista}) {
    refused(method->name(), method->name(), "one element", x, [&] { optim::minimize(*method, wrong); });
    BOOST_TEST(optim::minimize(*method, [&] { return sum(square(x)); }).converged);
    BOOST_TEST(same_bits(x, tensor({3.0, 3.0})), method->name() << " " << x);
    x.assign(tensor({1.0, 2.0}));
  }
}
