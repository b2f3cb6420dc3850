// Rules of when to stop, alone and combined; interrupts; and what goes wrong, as a table.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <csignal>
#include <limits>
#include <optional>
#include <thread>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>

#include "helpers.hpp"
#include "minimize_problems.hpp"

using namespace xgrad;
using namespace helpers;
using optim::Reason;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity(),
                 not_a_number = std::numeric_limits<double>::quiet_NaN();

// The iteration at which a rule stops on these values (and gradients; steps of 1 from a length of 10), and why.
struct Seen {
  Size iteration;
  std::optional<Reason> reason;
};
Seen watch(const optim::Until& until, const std::vector<double>& values, const std::vector<double>& gradients = {}) {
  const optim::Until::Watch ask = until.begin();
  optim::Evaluations calls;
  for (std::size_t i = 0; i < values.size(); ++i) {
    calls.value = static_cast<Size>(3 * i + 1);
    const optim::Progress p{
        static_cast<Size>(i),        values[i], gradients.empty() ? 1.0 : gradients[i], 1.0, calls, 10.0,
        0.5 * static_cast<double>(i)};
    if (const auto reason = ask(p)) return {static_cast<Size>(i), reason};
  }
  return {-1, {}};
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_rule) {
  const std::vector<double> falling{16, 8, 4, 2, 2, 1.999, 1.999, 1.999, 1};
  const auto check = [](const char* what, const Seen& seen, Size iteration, Reason reason) {
    BOOST_TEST((seen.iteration == iteration && (iteration < 0 || seen.reason == reason)),
               what << " stops at " << seen.iteration << ", not " << iteration);
  };
  using namespace optim;
  check("gradient", watch(gradient_tolerance(0.1), {1, 1, 1}, {1, 0.2, 0.1}), 2, Reason::gradient);
  check("gradient at the start", watch(gradient_tolerance(1), {1, 1, 1}, {1, 0.2, 0.1}), 0, Reason::gradient);
  check("reduction", watch(gradient_reduction(0.01), {1, 1, 1, 1}, {50, 0.6, 0.5, 0.4}), 2, Reason::gradient);
  check("loss", watch(loss_tolerance(1e-6), falling), 4, Reason::loss);
  check("loss, twice", watch(loss_tolerance(1e-6, 2), falling), 7, Reason::loss);
  check("loss, 1 of a thousand, twice", watch(loss_tolerance(1e-3, 2), falling), 5, Reason::loss);
  check("loss, relative to the greater", watch(loss_tolerance(0.5), {4, 2, 1}), 1, Reason::loss);
  check("change", watch(loss_change(1.0), falling), 4, Reason::loss);
  check("change of 2", watch(loss_change(2.0, 1), falling), 3, Reason::loss);
  check("step", watch(step_tolerance(0.09), {1, 1}), -1, Reason::step);
  check("step of a tenth of x", watch(step_tolerance(0.1), {1, 1}), 1, Reason::step);  // 1 <= 0.1 (0.1 + 10)
  check("target", watch(target(4), falling), 2, Reason::target);
  check("iterations", watch(max_iterations(5), falling), 5, Reason::iterations);
  check("evaluations", watch(max_evaluations(9), falling), 3, Reason::evaluations);
  check("seconds", watch(max_seconds(1.5), falling), 3, Reason::seconds);
  check("when", watch(when([](const Progress& p) { return p.value < 3; }), falling), 3, Reason::asked);
  check("when, not at the start", watch(when([](const Progress&) { return true; }), falling), 1, Reason::asked);
  check("NaN",
        watch(loss_tolerance(1) || target(0) || gradient_tolerance(0), {1, not_a_number, not_a_number},
              {1, not_a_number, 1}),
        -1, Reason::loss);
}

BOOST_AUTO_TEST_CASE(rules_combine) {
  using namespace optim;
  const std::vector<double> values{8, 4, 4, 2, 1, 1, 1}, gradients{9, 9, 9, 9, 9, 9, 1e-9};
  const auto at = [&](const Until& until, Size iteration, Reason reason) {
    const Seen seen = watch(until, values, gradients);
    BOOST_TEST((seen.iteration == iteration && seen.reason == reason), seen.iteration);
  };
  at(gradient_tolerance(1e-6) || max_iterations(3), 3, Reason::iterations);
  at(gradient_tolerance(1e-6) || max_iterations(30), 6, Reason::gradient);
  at(max_iterations(5) && loss_tolerance(1e-6), 5, Reason::loss);  // at least 5; the reason is convergence
  at(loss_tolerance(1e-6) && max_iterations(3), 5, Reason::loss);
  at((loss_tolerance(1e-6) && target(1)) || max_evaluations(99), 5, Reason::loss);
  at(loss_tolerance(1e-6, 2) || target(1), 4, Reason::target);
  at(target(1) || max_iterations(4), 4, Reason::target);  // the first of two at once
  at(max_iterations(4) || target(1), 4, Reason::iterations);
  at(Until() || max_iterations(2), 2, Reason::iterations);
  BOOST_TEST((max_iterations(2) && Until()).empty());  // which stops for nothing
  BOOST_TEST((Until() && max_iterations(2)).empty());
  BOOST_TEST(!(max_iterations(2) && Until()).ends());
  // both sides of && see all iterations: patience counts on while the other waits
  at(loss_tolerance(1e-6, 2) && gradient_tolerance(1e-6), 6, Reason::gradient);
  BOOST_TEST(max_iterations(3).ends());
  BOOST_TEST((max_iterations(3) || target(0)).ends());
  BOOST_TEST(!(max_iterations(3) && target(0)).ends());
  BOOST_TEST((max_iterations(3) && max_seconds(1)).ends());
  BOOST_TEST(!gradient_tolerance(1).ends());
  // a rule is a value: a second run begins anew
  const Until twice = loss_tolerance(1e-6, 2);
  BOOST_TEST(watch(twice, {1, 1}).iteration == -1);
  BOOST_TEST(watch(twice, {1, 1}).iteration == -1);
  // one's own, with a memory
  const Until rises([] {
    return Until::Watch([best = infinity](const Progress& p) mutable -> std::optional<Reason> {
      if (p.value > best) return Reason::asked;
      best = p.value;
      return {};
    });
  });
  BOOST_TEST(watch(rises, {3, 2, 1, 1.5}).iteration == 3);
}

// Noise of deviation 1 about a loss that falls by 0.1 an iteration to 5, and stays: it ends after that, and not before,
// from any seed; and a loss that falls faster than its noise is never ended.
BOOST_AUTO_TEST_CASE(noisy_losses) {
  int early = 0, late = 0;
  for (int seed = 0; seed < 40; ++seed) {
    manual_seed(seed);
    const std::vector<double> noise = randn({2000}, f64).to_vector<double>();
    std::vector<double> values;
    for (std::size_t i = 0; i < noise.size(); ++i)
      values.push_back(std::max(5.0, 25 - 0.1 * static_cast<double>(i)) + noise[i]);
    const Seen seen = watch(optim::no_improvement({.window = 50}), values);
    early += seen.iteration < 200;
    late += seen.iteration < 0 || seen.iteration > 700;
    BOOST_TEST((seen.reason == Reason::no_improvement));
    for (std::size_t i = 0; i < noise.size(); ++i) values[i] = 1000 - 0.1 * static_cast<double>(i) + noise[i];
    BOOST_TEST(watch(optim::no_improvement({.window = 50}), values).iteration == -1);
  }
  BOOST_TEST(early == 0);
  BOOST_TEST(late <= 2);

  // batches of a regression by SGD: the loss stops falling at its noise
  manual_seed(3);
  const Tensor x = randn({1000, 3}, f64), y = matmul(x, tensor({1.0, -2.0, 0.5})) + 0.5 * randn({1000}, f64);
  Parameter w = parameter(zeros({3}, f64));
  optim::SGD sgd({w}, {.lr = 0.02});
  Size at = 0;
  const optim::Result fit =
      optim::minimize(sgd,
                      [&] {
                        const Size begin = at++ * 20 % 1000;
                        return mean(square(matmul(slice(x, 0, begin, begin + 20), w) - slice(y, 0, begin, begin + 20)));
                      },
                      {.until = optim::no_improvement({.window = 50}) || optim::max_iterations(20000)});
  BOOST_TEST((fit.reason == Reason::no_improvement && fit.converged), to_string(fit.reason));
  BOOST_TEST((fit.iterations > 100 && fit.iterations < 3000), fit.iterations);
  BOOST_TEST(allclose(w, tensor({1.0, -2.0, 0.5}), 0, 0.1), fmt::format("{}", w));
}

BOOST_AUTO_TEST_CASE(rules_end_runs) {
  const problems::Problem& p = problems::all()[0];
  const auto run = [&](const optim::Stop& stop) {
    Parameter x = parameter(tensor(p.start));
    optim::GradientDescent slow({x});
    return optim::minimize(
        slow, [&] { return sum(square(p.residuals(x))); }, stop);
  };
  // a limit in `until` takes the place of max_iterations; without one that holds
  BOOST_TEST(run({.until = optim::max_iterations(1500)}).iterations == 1500);
  BOOST_TEST(run({.until = optim::target(-1)}).iterations == 1000);
  BOOST_TEST(run({.max_iterations = 20, .until = optim::target(-1)}).iterations == 20);
  const optim::Result fit = run({.until = optim::target(1e-2) || optim::max_seconds(60)});
  BOOST_TEST((fit.reason == Reason::target && fit.value <= 1e-2));
  Parameter x = parameter(tensor(p.start));
  optim::LBFGS lbfgs({x});
  const optim::Result reduced =
      optim::minimize(lbfgs, [&] { return sum(square(p.residuals(x))); }, {.until = optim::gradient_reduction(1e-3)});
  BOOST_TEST((reduced.reason == Reason::gradient && reduced.gradient_norm <= 0.2156 && reduced.gradient_norm > 1e-6));
}

// ---- interrupts

namespace {
volatile std::sig_atomic_t caught = 0;
void own_handler(int) { caught = caught + 1; }
}  // namespace

BOOST_AUTO_TEST_CASE(an_interrupt_ends_a_run) {
  std::signal(SIGINT, own_handler);
  const problems::Problem& p = problems::all()[0];
  for (const int at : {2, 5, 17}) {
    Parameter x = parameter(tensor(p.start));
    optim::LBFGS lbfgs({x});
    int calls = 0;
    double best = infinity;
    const auto loss = [&] {
      if (++calls == at) std::raise(SIGINT);
      const Tensor f = sum(square(p.residuals(x)));
      best = std::min(best, f.item());
      return f;
    };
    const optim::Result fit = optim::minimize(lbfgs, loss, {.interruptible = true});
    BOOST_TEST((fit.reason == Reason::interrupted && !fit.converged), to_string(fit.reason));
    BOOST_TEST(calls == at);  // no call more
    BOOST_TEST(fit.value == sum(square(p.residuals(x))).item());
    BOOST_TEST(fit.value <= 24.2);
    BOOST_TEST(caught == 0);
  }
  // the handler that was there is back
  std::raise(SIGINT);
  BOOST_TEST(caught == 1);
  // without interruptible nothing is touched
  Parameter x = parameter(tensor(p.start));
  optim::LBFGS lbfgs({x});
  int calls = 0;
  const optim::Result fit = optim::minimize(lbfgs, [&] {
    if (++calls == 3) std::raise(SIGINT);
    return sum(square(p.residuals(x)));
  });
  BOOST_TEST((fit.converged && caught == 2));
  // a second interrupt before the run has seen the first goes to the handler
  calls = 0;
  x.assign(tensor(p.start));
  const optim::Result twice = optim::minimize(lbfgs,
                                              [&] {
                                                if (++calls == 3) {
                                                  std::raise(SIGINT);
                                                  std::raise(SIGINT);
                                                }
                                                return sum(square(p.residuals(x)));
                                              },
                                              {.interruptible = true});
  BOOST_TEST((twice.reason == Reason::interrupted && caught == 3));
  std::raise(SIGINT);
  BOOST_TEST(caught == 4);
  std::signal(SIGINT, SIG_DFL);
}

// Runs on several threads, one after the other in time or at once: each sees the interrupt, and the handler goes back
// after the last.
BOOST_AUTO_TEST_CASE(interrupts_and_threads) {
  std::signal(SIGINT, own_handler);
  caught = 0;
  std::atomic<int> running{0}, ended{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      Parameter x = parameter(1.0);
      optim::SGD sgd({x}, {.lr = 1e-9});
      bool counted = false;
      const optim::Result fit = optim::minimize(sgd,
                                                [&] {
                                                  if (!std::exchange(counted, true)) ++running;
                                                  return square(x);
                                                },
                                                {.until = optim::max_seconds(60), .interruptible = true});
      ended += fit.reason == Reason::interrupted;
    });
  while (running < 4) std::this_thread::yield();
  std::raise(SIGINT);
  for (std::thread& t : threads) t.join();
  BOOST_TEST(ended == 4);
  BOOST_TEST(caught == 0);
  std::raise(SIGINT);
  BOOST_TEST(caught == 1);
  std::signal(SIGINT, SIG_DFL);
}

// ---- what goes wrong

// Each method on each loss: it ends, says why, and leaves the parameters finite, at a value that is no worse than the
// start's.
BOOST_AUTO_TEST_CASE(what_goes_wrong_is_said) {
  struct Case {
    const char* name;
    std::vector<double> start;
    std::function<Tensor(const Tensor& x)> loss;
    std::set<Reason> reasons;
  };
  const std::set<Reason> any_end{Reason::unbounded, Reason::iterations, Reason::not_finite, Reason::stuck};
  const CustomOp no_slope(
      {.name = "no_slope",
       .forward = [](const Tensors& in) { return sum(square(in[0])); },
       .vjp = [](const Tensor& g, const Tensors& in, const Tensor&) { return Tensors{g * not_a_number * in[0]}; }});
  const Case cases[] = {
      {"NaN at the start", {-1, 2}, [](const Tensor& x) { return sum(log(x)); }, {Reason::not_finite}},
      {"infinite at the start", {0, 2}, [](const Tensor& x) { return sum(1.0 / x); }, {Reason::not_finite}},
      {"-infinite at the start",
       {0, 2},
       [](const Tensor& x) { return sum(log(x)); },
       {Reason::unbounded, Reason::not_finite}},
      {"a gradient of NaN", {1, 2}, [&](const Tensor& x) { return no_slope(x); }, {Reason::not_finite}},
      {"NaN behind every step",
       {1, 2},
       [](const Tensor& x) {
         return sum(where(x == tensor({1.0, 2.0}), x * x, not_a_number));
       },
       {Reason::not_finite}},
      {"a NaN wall", {3, 2}, [](const Tensor& x) { return sum(x - log(x)); }, {Reason::gradient, Reason::exact}},
      {"unbounded: linear", {1, 2}, [](const Tensor& x) { return sum(x); }, any_end},
      {"unbounded: a parabola upside down", {1, 2}, [](const Tensor& x) { return -sum(square(x)); }, any_end},
      {"unbounded: a cubic", {-1, -2}, [](const Tensor& x) { return sum(x * square(x)); }, any_end},
      {"unbounded at a point",
       {1, 2},
       [](const Tensor& x) { return sum(log(square(x))); },
       {Reason::unbounded, Reason::iterations, Reason::not_finite, Reason::stuck, Reason::exact}},
      {"the wrong way",
       {1, 2},
       [](const Tensor& x) { return sum(square(x.detach())) - sum(x - x.detach()) * 1e3; },
       {Reason::stuck, Reason::iterations, Reason::unbounded}},
      {"a singular Hessian",
       {1, 2},
       [](const Tensor& x) { return square(x[0] + x[1] - 1.0); },
       {Reason::gradient, Reason::exact}},
      {"no Hessian",
       {3, 2},
       [](const Tensor& x) { return sum(abs(x)); },
       {Reason::gradient, Reason::stuck, Reason::iterations, Reason::exact}},
      {"flat", {1, 2}, [](const Tensor& x) { return 0.0 * sum(x); }, {Reason::gradient}},
      {"a saddle", {0, 0}, [](const Tensor& x) { return square(x[0]) - square(x[1]); }, {Reason::gradient}},
  };
  std::vector<problems::Row> rows(std::begin(problems::rows), std::end(problems::rows));
  rows.push_back({"FISTA", problems::method<optim::FISTA>(), false, 0});
  rows.push_back({"OWLQN", problems::method<optim::OWLQN>(), false, 0});
  rows.push_back({"ProximalGradient", problems::method<optim::ProximalGradient>(), false, 0});
  for (const problems::Row& row : rows) {
    if (row.of_residuals) continue;
    for (const Case& c : cases) {
      Parameter x = parameter(tensor(c.start));
      const auto made = row.make(x);
      const double before = c.loss(x).item();
      const optim::Result fit = optim::minimize(*made, [&] { return c.loss(x); }, {.max_iterations = 500});
      BOOST_TEST(c.reasons.count(fit.reason) == 1u, row.name << ", " << c.name << ": " << to_string(fit.reason));
      BOOST_TEST(all(isfinite(x)).item() == 1, row.name << ", " << c.name);
      if (std::isfinite(before))
        BOOST_TEST((std::isfinite(fit.value) && fit.value <= before), row.name << ", " << c.name << ": " << fit.value);
      BOOST_TEST(fit.evaluations.value < 60000);
    }
  }
}

BOOST_AUTO_TEST_CASE(bad_input) {
  using namespace optim;
  const auto refused = [](const std::function<void()>& call, const std::string& part) {
    BOOST_CHECK_EXCEPTION(call(), Error, says(part));
  };
  refused([] { gradient_tolerance(-1); }, "[gradient_tolerance] expected a finite tolerance of 0 or more, got -1");
  refused([] { gradient_reduction(not_a_number); }, "[gradient_reduction]");
  refused([] { loss_tolerance(1e-3, 0); }, "[loss_tolerance] expected a patience of 1 or more, got 0");
  refused([] { loss_change(infinity); }, "[loss_change]");
  refused([] { step_tolerance(-1e-3); }, "[step_tolerance]");
  refused([] { target(not_a_number); }, "[target] expected a value that is a number");
  refused([] { no_improvement({.window = 1}); }, "[no_improvement] expected a window of 2 iterations or more, got 1");
  refused([] { no_improvement({.errors = -1}); }, "errors");
  refused([] { max_iterations(-1); }, "[max_iterations]");
  refused([] { max_evaluations(-1); }, "[max_evaluations]");
  refused([] { max_seconds(-1); }, "[max_seconds]");
  refused([] { when(nullptr); }, "[when] expected a function of the progress, got an empty one");
  Parameter x = parameter(1.0);
  LBFGS lbfgs({x});
  refused([&] { minimize(lbfgs, [&] { return square(x); }, {.report_every = -1}); }, "report_every");
  refused([&] { SGD({x}, {.lr = -1}); }, "lr");
  refused([&] { NonlinearCG({x}, {.descent = 2}); }, "descent");
  refused([&] { NewtonCG({x}, {.radius = 0}); }, "a radius above 0");
  refused([&] { GradientDescent({x}, {.shrink = 1}); }, "shrink");
  refused([&] { FISTA({x}, {.grow = 0.5}); }, "grow");
  refused([&] { BFGS({x, x}); }, "is there twice");
  BOOST_TEST(line_of_error([] { gradient_tolerance(-1); }) == __LINE__);
}
