// Optimizers and schedules against PyTorch's (tests/references/make.py); groups, state, moves and what bad input gets.
#include <xgrad/optim.hpp>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include "references/references.hpp"

using namespace xgrad;

namespace {

constexpr DType dtypes[] = {f32, f64};

std::vector<double> numbers(const std::vector<const Parameter*>& list) {
  std::vector<double> all;
  for (const Parameter* p : list)
    for (const double v : p->value().to_vector<double>()) all.push_back(v);
  return all;
}

// make.py's problem: the gradient is 0.3 p + noise, and b has none in every third step.
struct Problem {
  references::File& file;
  std::string kind;
  Parameter a, b, c;
  Problem(references::File& f, DType dtype)
      : file(f), kind(name(dtype)), a(f[kind + ".a"]), b(f[kind + ".b"]), c(f[kind + ".c"]) {}

  Parameters parameters() { return {a, b, c}; }
  void backward(int t) {
    Tensor loss = zeros({}, a.dtype());
    for (const auto& [key, p] : {std::pair{"a", &a}, std::pair{"b", &b}, std::pair{"c", &c}})
      if (!(p == &b && t % 3 == 0))
        loss = loss + sum(0.15 * square(*p) + *p * file[kind + "." + key + ".noise"][t - 1]);
    loss.backward();
  }
  // Checks what is recorded of this row after step t.
  void check(const std::string& row, int t) const {
    const std::string key = fmt::format("{} {} {}", kind, row, t);
    if (!file.has(key)) return;
    const Tensor all = concat({reshape(a, {-1}), reshape(b, {-1}), reshape(c, {-1})});
    CHECK_NEAR(key, all, file[key]);
  }
};

// 25 steps, with the state passing through state() and load_state() into a new optimizer in the middle.
void check_row(references::File& file, const std::string& row,
               const std::function<std::unique_ptr<optim::Optimizer>(const Parameters&)>& make) {
  for (const DType dtype : dtypes) {
    BOOST_TEST_REQUIRE(file.has(fmt::format("{} {} 25", name(dtype), row)), row);
    Problem problem(file, dtype);
    auto optimizer = make(problem.parameters());
    for (int t = 1; t <= 25; ++t) {
      optimizer->zero_grad();
      problem.backward(t);
      optimizer->step();
      problem.check(row, t);
      if (t == 13) {
        const NamedTensors state = optimizer->state();
        optimizer = make(problem.parameters());
        optimizer->load_state(state);
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(sgd) {
  references::File file("optimizers");
  for (const double momentum : {0.0, 0.9})
    for (const double dampening : {0.0, 0.3})
      for (const double decay : {0.0, 0.1})
        for (const bool nesterov : {false, true})
          for (const bool maximize : {false, true}) {
            if (nesterov && (momentum == 0 || dampening != 0)) continue;
            check_row(file, fmt::format("SGD {} {} {} {:d} {:d}", momentum, dampening, decay, nesterov, maximize),
                      [&](const Parameters& p) {
                        return std::make_unique<optim::SGD>(p, optim::SGDRule{.lr = 0.05,
                                                                              .momentum = momentum,
                                                                              .dampening = dampening,
                                                                              .weight_decay = decay,
                                                                              .nesterov = nesterov,
                                                                              .maximize = maximize});
                      });
          }
}

template <class Optimizer>
void check_adam(const char* name) {
  references::File file("optimizers");
  for (const double decay : {0.0, 0.1})
    for (const bool amsgrad : {false, true})
      for (const bool maximize : {false, true})
        check_row(file, fmt::format("{} {} {:d} {:d}", name, decay, amsgrad, maximize), [&](const Parameters& p) {
          return std::make_unique<Optimizer>(p, typename Optimizer::Options{.lr = 0.05,
                                                                            .beta1 = 0.8,
                                                                            .beta2 = 0.95,
                                                                            .eps = 1e-6,
                                                                            .weight_decay = decay,
                                                                            .amsgrad = amsgrad,
                                                                            .maximize = maximize});
        });
  check_row(file, fmt::format("{} defaults", name), [](const Parameters& p) { return std::make_unique<Optimizer>(p); });
}
BOOST_AUTO_TEST_CASE(adam) { check_adam<optim::Adam>("Adam"); }
BOOST_AUTO_TEST_CASE(adamw) { check_adam<optim::AdamW>("AdamW"); }

BOOST_AUTO_TEST_CASE(rmsprop) {
  references::File file("optimizers");
  for (const double momentum : {0.0, 0.9})
    for (const bool centered : {false, true})
      for (const double decay : {0.0, 0.1})
        for (const bool maximize : {false, true})
          check_row(file, fmt::format("RMSprop {} {:d} {} {:d}", momentum, centered, decay, maximize),
                    [&](const Parameters& p) {
                      return std::make_unique<optim::RMSprop>(p, optim::RMSpropRule{.lr = 0.05,
                                                                                    .alpha = 0.9,
                                                                                    .eps = 1e-6,
                                                                                    .weight_decay = decay,
                                                                                    .momentum = momentum,
                                                                                    .centered = centered,
                                                                                    .maximize = maximize});
                    });
  check_row(file, "RMSprop defaults", [](const Parameters& p) { return std::make_unique<optim::RMSprop>(p); });
}
BOOST_AUTO_TEST_CASE(adagrad) {
  references::File file("optimizers");
  for (const double slowing : {0.0, 0.1})
    for (const double decay : {0.0, 0.1})
      for (const double start : {0.0, 0.5})
        for (const bool maximize : {false, true})
          check_row(file, fmt::format("Adagrad {} {} {} {:d}", slowing, decay, start, maximize),
                    [&](const Parameters& p) {
                      return std::make_unique<optim::Adagrad>(p, optim::AdagradRule{.lr = 0.05,
                                                                                    .lr_decay = slowing,
                                                                                    .weight_decay = decay,
                                                                                    .initial_accumulator_value = start,
                                                                                    .maximize = maximize});
                    });
  check_row(file, "Adagrad defaults", [](const Parameters& p) { return std::make_unique<optim::Adagrad>(p); });
}

BOOST_AUTO_TEST_CASE(schedules) {
  const references::File file("schedules");
  using Schedules = std::vector<std::shared_ptr<optim::Scheduler>>;
  const std::pair<const char*, std::function<Schedules(const optim::Optimizer&)>> rows[] = {
      {"StepLR",
       [](auto& o) {
         return Schedules{std::make_shared<optim::StepLR>(o, optim::StepOptions{3, 0.5})};
       }},
      {"CosineAnnealing",
       [](auto& o) { return Schedules{std::make_shared<optim::CosineAnnealing>(o, optim::CosineOptions{10})}; }},
      {"CosineAnnealing_min",
       [](auto& o) {
         return Schedules{std::make_shared<optim::CosineAnnealing>(o, optim::CosineOptions{10, 0.01})};
       }},
      {"LinearWarmup",
       [](auto& o) {
         return Schedules{std::make_shared<optim::LinearWarmup>(o, optim::WarmupOptions{4, 0.25})};
       }},
      {"LinearWarmup_end",
       [](auto& o) {
         return Schedules{std::make_shared<optim::LinearWarmup>(o, optim::WarmupOptions{7, 1.0, 0.2})};
       }},
      {"both",
       [](auto& o) {
         return Schedules{std::make_shared<optim::LinearWarmup>(o, optim::WarmupOptions{4, 0.25}),
                          std::make_shared<optim::StepLR>(o, optim::StepOptions{3, 0.5})};
       }},
  };
  for (const auto& [name, make] : rows) {
    Parameter a = parameter(0.0), b = parameter(0.0);
    optim::SGD optimizer({a}, {.lr = 0.1});
    optimizer.add_group({b}, {.lr = 0.03});
    const Schedules list = make(optimizer);
    const std::vector<double> wanted = file[name].to_vector<double>();
    for (std::size_t t = 0; t < wanted.size() / 2; ++t) {
      for (const Size group : {0, 1}) {
        const double want = wanted[2 * t + static_cast<std::size_t>(group)], got = optimizer.lr(group);
        BOOST_TEST(std::abs(got - want) <= 1e-12 * want + 1e-17, fmt::format("{} {}: {} {}", name, t, got, want));
      }
      for (const auto& schedule : list) schedule->step();
    }
    for (const auto& schedule : list) schedule->resume(5);
    BOOST_TEST(std::abs(optimizer.lr() - wanted[10]) <= 1e-12);
  }
}

BOOST_AUTO_TEST_CASE(schedules_and_optimizers_that_move_or_go) {
  Parameter a = parameter(0.0);
  auto first = std::make_unique<optim::Adam>(optim::Adam({a}, {.lr = 0.1}));
  optim::StepLR schedule(*first, {.every = 1, .gamma = 0.5});
  optim::Adam moved = std::move(*first);
  CHECK_ERROR(first->step(), "moved from");
  CHECK_ERROR(first->set_lr(1), "moved from");
  CHECK_ERROR(first->state(), "moved from");
  CHECK_ERROR(first->add_group({a}), "moved from");
  CHECK_ERROR(first->lr(), "moved from");
  first.reset();
  schedule.step();
  BOOST_TEST(moved.lr() == 0.05);
  moved.set_lr(0.5);  // schedules go on from it
  schedule.step();
  BOOST_TEST(moved.lr() == 0.25);
  a.set_grad(tensor(1.0));
  moved.step();
  BOOST_TEST(std::abs(a.item() + 0.25) < 1e-6);
  optim::Adam& same = moved;
  moved = std::move(same);
  moved.step();
  BOOST_TEST(std::abs(a.item() + 0.5) < 1e-6);
  moved = optim::Adam({a}, {.lr = 1});
  CHECK_ERROR(schedule.step(), "[StepLR] its optimizer is gone");
  BOOST_TEST(moved.lr() == 1);
}

BOOST_AUTO_TEST_CASE(a_variable_that_was_replaced) {
  nn::Linear layer(2, 2);
  Parameter a = parameter({1.0, 2.0}), b = parameter(1.0);
  optim::SGD optimizer({b}, {.lr = 1}), of_layer(nn::parameters(layer)), of_a({a});
  a = parameter({5.0, 6.0});
  layer = nn::Linear(2, 2);
  sum(a).backward();
  CHECK_ERROR(of_a.step(), "[SGD] nothing but this optimizer holds the parameter 0 any more");
  CHECK_ERROR(of_layer.step(), "holds the parameter weight any more");
  const Parameter other = parameter(7.0);
  b = other;  // stores a value
  b = tensor(3.0);
  b.set_grad(tensor(1.0));
  Parameter moved = std::move(b);
  optimizer.step();
  BOOST_TEST(moved.item() == 2);
}

BOOST_AUTO_TEST_CASE(groups) {
  nn::Linear body(2, 2), head(2, 2);
  optim::SGD optimizer(nn::parameters(body), {.lr = 0.5});
  optimizer.add_group(nn::parameters(head), {.lr = 0.25, .momentum = 0.5});
  BOOST_TEST(optimizer.groups() == 2);
  const nn::Linear body_before = body, head_before = head;
  for (nn::Linear* layer : {&body, &head}) {
    layer->weight.set_grad(ones({2, 2}));
    layer->bias.set_grad(ones({2}));
  }
  optimizer.step();
  BOOST_TEST(amax(abs(body_before.weight - body.weight - 0.5)).item() < 1e-6);
  BOOST_TEST(amax(abs(head_before.bias - head.bias - 0.25)).item() < 1e-6);
  optimizer.set_lr(0.125, 1);
  BOOST_TEST(optimizer.lr(0) == 0.5);
  BOOST_TEST(optimizer.lr(1) == 0.125);
  std::vector<std::string> names;
  for (const NamedTensor& t : optimizer.state()) names.push_back(t.name);
  const std::vector<std::string> wanted{"lr",
                                        "base_lr",
                                        "weight.step",
                                        "bias.step",
                                        "group1.weight.step",
                                        "group1.weight.momentum_buffer",
                                        "group1.bias.step",
                                        "group1.bias.momentum_buffer"};
  BOOST_TEST(names == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_value_that_was_read_stays) {
  Parameter w = parameter(ones({3}, f64));
  optim::SGD optimizer({w}, {.lr = 1});
  const Tensor before = w, twice = 2 * w;
  const Parameter snapshot = w;
  w.set_grad(ones({3}, f64));
  for (int i = 0; i < 3; ++i) optimizer.step();
  BOOST_TEST(sum(before).item() == 3);
  BOOST_TEST(sum(twice).item() == 6);
  BOOST_TEST(sum(snapshot).item() == 3);
  BOOST_TEST(sum(w).item() == -6);
}

BOOST_AUTO_TEST_CASE(a_model_restored_goes_on_training) {
  nn::Sequential net{nn::Linear(2, 3), nn::Tanh{}, nn::Linear(3, 1)};
  const nn::Sequential best = net;
  optim::SGD optimizer(nn::parameters(net), {.lr = 0.1});
  const Tensor x = randn({8, 2});
  const auto descend = [&] {
    optimizer.zero_grad();
    const Tensor loss = mean(square(net(x) - 3));
    loss.backward();
    optimizer.step();
    return loss.item();
  };
  const double first = descend();
  for (int i = 0; i < 20; ++i) descend();
  const double later = descend();
  BOOST_TEST(later < first);
  net = best;
  BOOST_TEST(descend() == first);
  for (int i = 0; i < 20; ++i) descend();
  BOOST_TEST(descend() == later);
}

BOOST_AUTO_TEST_CASE(large_and_odd_tensors_on_any_number_of_threads) {
  manual_seed(5);
  const int before = threads();
  for (const DType dtype : dtypes) {
    const Tensor start = randn({300001}, dtype), other = randn({7, 11}, dtype), g = randn({300001}, dtype);
    std::vector<double> wanted;
    for (const int n : {1, 2, 3}) {
      set_threads(n);
      Parameter a = parameter(start), b = parameter(other);
      optim::AdamW optimizer({a, b}, {.lr = 0.1, .amsgrad = true});
      for (int i = 0; i < 3; ++i) {
        a.set_grad(g * (1.0 + i));
        b.set_grad(transpose(reshape(other, {11, 7})));  // not row-major, and a view
        optimizer.step();
      }
      const auto got = numbers({&a, &b});
      if (n == 1) wanted = got;
      BOOST_TEST((got == wanted));
      Parameter part = parameter(slice(start, 0, 0, 100));  // the same numbers, whatever the tensor's size
      optim::AdamW small({part}, {.lr = 0.1, .amsgrad = true});
      for (int i = 0; i < 3; ++i) {
        part.set_grad(slice(g, 0, 0, 100) * (1.0 + i));
        small.step();
      }
      const auto few = numbers({&part});
      BOOST_TEST((std::equal(few.begin(), few.end(), got.begin())));
    }
  }
  set_threads(before);
}

BOOST_AUTO_TEST_CASE(state_survives_a_file) {
  const std::string path = "state.safetensors";
  Parameter a = parameter(ones({5})), b = parameter(1.0);
  optim::Adam optimizer({a, b});
  const auto step = [&](optim::Optimizer& o, double scale) {
    a.set_grad(full({5}, scale, f32));
    b.set_grad(tensor(scale));
    o.step();
  };
  step(optimizer, 1);
  step(optimizer, -3);
  optimizer.set_lr(0.25);
  optimizer.save(path);
  const Parameter a_then = a, b_then = b;
  step(optimizer, 2);
  const auto wanted = numbers({&a, &b});
  a = a_then;
  b = b_then;
  optim::Adam again({a, b});
  again.load(path);
  BOOST_TEST(again.lr() == 0.25);
  step(again, 2);
  BOOST_TEST(numbers({&a, &b}) == wanted, boost::test_tools::per_element());

  optim::SGD unlike({a, b});
  CHECK_ERROR(unlike.load(path), "holds the state of Adam");
  optim::Adam fewer({a});
  const NamedTensors before = fewer.state();
  CHECK_ERROR(fewer.load(path), "belongs to no parameter here");
  NamedTensors state = again.state();
  const std::pair<std::function<void(NamedTensors&)>, const char*> rows[] = {
      {[](NamedTensors& s) { s.pop_back(); }, "is missing"},
      {[](NamedTensors& s) { s.push_back(s[2]); }, "is there twice"},
      {[](NamedTensors& s) { s[0].value = tensor({-1.0}); }, "the lr -1 is not a finite number"},
      {[](NamedTensors& s) {
         s[0].value = tensor({1.0, 1.0});
       },
       "expected f64 (1,) for lr, got f64 (2,)"},
      {[](NamedTensors& s) { s[2].value = full({}, -1); }, "has taken -1 steps"},
      {[](NamedTensors& s) { s[3].value = ones({4}); }, "expected f32 (5,) for 0.exp_avg, got f32 (4,)"},
      {[](NamedTensors& s) { s[3].value = Tensor(); }, "an empty Tensor"},
  };
  for (const auto& [spoil, message] : rows) {
    NamedTensors bad = state;
    spoil(bad);
    CHECK_ERROR(again.load_state(bad), message);
    const NamedTensors now = again.state();
    for (std::size_t i = 0; i < now.size(); ++i)
      BOOST_TEST(now[i].value.to_vector<double>() == state[i].value.to_vector<double>(),
                 boost::test_tools::per_element());
  }
  std::filesystem::remove(path);
}

BOOST_AUTO_TEST_CASE(bad_input) {
  Parameter w = parameter(1.0), empty, counts = parameter(1.0);
  CHECK_ERROR(optim::SGD(Parameters{}), "[SGD] expected at least one parameter");
  CHECK_ERROR(optim::SGD({w, w}), "is there twice");
  CHECK_ERROR(optim::Adam({w}, {.lr = -1}), "[Adam] expected a finite lr of 0 or more, got -1");
  CHECK_ERROR(optim::Adam({w}, {.beta1 = 1}), "[Adam] expected beta1 in [0, 1), got 1");
  CHECK_ERROR(optim::AdamW({w}, {.beta2 = -0.1}), "[AdamW] expected beta2 in [0, 1)");
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {-1.0, infinity, std::nan("")}) {
    CHECK_ERROR(optim::Adam({w}, {.eps = bad}), "[Adam] expected a finite eps of 0 or more");
    CHECK_ERROR(optim::Adam({w}, {.weight_decay = bad}), "[Adam] expected a finite weight_decay of 0 or more");
    CHECK_ERROR(optim::AdamW({w}, {.eps = bad}), "[AdamW] expected a finite eps of 0 or more");
    CHECK_ERROR(optim::AdamW({w}, {.weight_decay = bad}), "[AdamW] expected a finite weight_decay of 0 or more");
    CHECK_ERROR(optim::SGD({w}, {.momentum = bad}), "[SGD] expected a finite momentum of 0 or more");
    CHECK_ERROR(optim::SGD({w}, {.weight_decay = bad}), "[SGD] expected a finite weight_decay of 0 or more");
  }
  CHECK_ERROR(optim::SGD({w}, {.dampening = std::nan("")}), "[SGD] expected a finite dampening, got nan");
  CHECK_ERROR(optim::SGD({w}, {.nesterov = true}), "nesterov");
  CHECK_ERROR(optim::SGD({w}, {.momentum = 0.9, .dampening = 0.1, .nesterov = true}), "nesterov");
  optim::SGD optimizer({w});
  CHECK_ERROR(optimizer.add_group({w}), "is there twice");
  BOOST_TEST(optimizer.groups() == 1);
  CHECK_ERROR(optimizer.lr(1), "[SGD] expected a group's number, 0 ... 0, got 1");
  CHECK_ERROR(optimizer.set_lr(std::nan("")), "finite lr");
  CHECK_ERROR(
      w.set_grad(ones({3}, f64)),
      "[set_grad] the variable holds f64 (), got f64 (3,)");  // so no gradient of another shape gets to an optimizer
  CHECK_ERROR(optim::CosineAnnealing(optimizer, {}), "[CosineAnnealing] expected steps to be given");
  optimizer.set_lr(0);
  CHECK_ERROR(optim::CosineAnnealing(optimizer, {.steps = 2, .min_lr = 0.1}), "expected an lr above 0, to go from it");
  optim::CosineAnnealing(optimizer, {.steps = 2});
  CHECK_ERROR(optim::StepLR(optimizer, {}), "[StepLR] expected every to be given");
  CHECK_ERROR(optim::LinearWarmup(optimizer, {.steps = 0}), "[LinearWarmup] expected 1 step or more");
}

// A step that would change nothing says so, and why that may be; what had no gradient in a step that has some, waits.
BOOST_AUTO_TEST_CASE(a_step_without_gradients) {
  const auto make = [](const char* rule, const Parameters& p) -> std::unique_ptr<optim::Optimizer> {
    if (rule == std::string("SGD")) return std::make_unique<optim::SGD>(p);
    if (rule == std::string("Adam")) return std::make_unique<optim::Adam>(p);
    return std::make_unique<optim::AdamW>(p);
  };
  for (const char* rule : {"SGD", "Adam", "AdamW"}) {
    nn::Linear net(2, 1);
    const Tensor x = ones({4, 2});
    const auto optimizer = make(rule, nn::parameters(net));
    const std::pair<const char*, std::function<void()>> causes[] = {
        {"no backward()", [] {}},
        {"zero_grad() after it", [&] { sum(net(x)).backward(), optimizer->zero_grad(); }},
        {"a copy of the model",
         [&] {
           const nn::Linear copy = net;
           sum(copy(x)).backward();
         }},
        {"a model captured by value", [&] { [net](const Tensor& in) { sum(net(in)).backward(); }(x); }},
        {"another model", [&] { sum(nn::Linear(2, 1)(x)).backward(); }},
    };
    for (const auto& [cause, work] : causes) {
      const Tensor before = net.weight;
      work();
      BOOST_TEST_CONTEXT(rule << ": " << cause)
        CHECK_ERROR(optimizer->step(),
                    fmt::format("[{}] expected a gradient, but none of the 2 parameters (weight, ...)", rule));
      BOOST_TEST(all(before == net.weight).item() == 1);
    }
    net.bias.set_grad(ones({1}));
    optimizer->step();
    for (const NamedTensor& t : optimizer->state())
      if (t.name.ends_with(".step")) BOOST_TEST(t.value.item() == (t.name == "bias.step" ? 1 : 0), t.name);
  }
}
