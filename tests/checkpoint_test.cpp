// checkpoint: the same values and derivatives of every order as the function itself, for less memory.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <optional>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/memory.hpp>
#include "bad_input.hpp"
#include "helpers.hpp"
#include "memory_hooks.hpp"
#include <xgrad/nn.hpp>

using namespace xgrad;
using namespace helpers;

namespace {

// A function of x that captures a parameter w and a tensor h with a history of its own, all (n, n).
struct Program {
  const char* name;
  std::function<Tensor(const Tensor& x, const Parameter& w, const Tensor& h)> f;
};

Tensor half_of(const Tensor& x) { return x * cast(rand(x.shape(), f64) < 0.5, f64); }

const CustomOp cube({.name = "cube",
                     .forward = [](const Tensors& in) { return in[0] * square(in[0]); },
                     .vjp = [](const Tensor& g, const Tensors& in, const Tensor&) -> Tensors {
                       return {3 * g * square(in[0])};
                     }});

const Program programs[] = {
    {"elementwise", [](auto& x, auto& w, auto& h) { return tanh(x * w) * x + h; }},
    {"products", [](auto& x, auto& w, auto& h) { return matmul(tanh(matmul(x, w)), h) + x; }},
    {"reductions", [](auto& x, auto& w, auto& h) { return (x - mean(x, 1, true)) * logsumexp(w * h, 0); }},
    {"not of x", [](auto&, auto& w, auto& h) { return sin(h) * w; }},
    {"of x alone", [](auto& x, auto&, auto&) { return sin(x) * x; }},
    {"of nothing", [](auto& x, auto&, auto&) { return cos(x.detach()); }},
    {"x itself", [](auto& x, auto&, auto&) { return x; }},
    {"h itself", [](auto&, auto&, auto& h) { return h; }},
    {"w itself", [](auto&, auto& w, auto&) { return Tensor(w); }},
    {"a view", [](auto& x, auto& w, auto& h) { return transpose(x) * w + expand(h[0], h.shape()); }},
    {"a view alone", [](auto& x, auto&, auto&) { return transpose(x); }},
    {"all from one", [](auto& x, auto& w, auto&) { return expand(sum(x * w), x.shape()); }},
    {"random", [](auto& x, auto& w, auto& h) { return half_of(tanh(half_of(x) * w)) + half_of(h); }},
    {"a seed of its own",
     [](auto& x, auto& w, auto&) {
       manual_seed(5);
       return half_of(x * w);
     }},
    {"a CustomOp", [](auto& x, auto& w, auto&) { return cube(x * w) + cube(w); }},
    {"a parameter of its own",
     [](auto& x, auto& w, auto&) {
       const Parameter own = parameter(2 * ones(x.shape(), f64));
       return x * own * w;
     }},
    {"a derivative",
     [](auto& x, auto& w, auto& h) {
       const EnableGrad enable;  // it is called under NoGrad, too
       const Tensor u = watch(x);
       return grad(sum(sin(u * w) * h), {u}, {.create_graph = true, .allow_unused = true})[0];
     }},
    {"a vjp", [](auto& x, auto& w, auto&) { return vjp([&](const Tensor& v) { return tanh(v * w); }, x).pullback(x); }},
    {"a jvp",
     [](auto& x, auto& w, auto& h) { return jvp([&](const Tensor& v) { return tanh(v * w); }, x, h).tangent; }},
    {"a checkpoint",
     [](auto& x, auto& w, auto& h) {
       const Tensor inner = checkpoint([&w, h](const Tensor& v) { return half_of(tanh(v * w)) + h; }, x * x);
       return checkpoint([x](const Tensor& v) { return half_of(v * x); }, inner) * w;
     }},
    {"of two",
     [](auto& x, auto& w, auto& h) {
       return checkpoint([&](const Tensors& v) { return half_of(sin(v[0] * v[1])) * v[2] * w; }, {x, Tensor(h), x});
     }},
    {"of a number",
     [](auto& x, auto& w, auto&) { return x * checkpoint([&](const Tensor& v) { return sum(sin(v * w)); }, 2.0); }},
};

// All that can be asked of f, by name; the generator's next draw too.
using Results = std::vector<std::pair<std::string, Tensor>>;
Results results(const Program& program, bool checkpointed, Size n) {
  manual_seed(3);
  const auto made = [&] { return evaluate(0.5 * randn({n, n}, f64)); };
  Parameter x = parameter(made()), w = parameter(made()), v = parameter(made());
  const Tensor weights = made(), along = made(), h = exp(0.3 * v);
  const Function f = [&](const Tensor& at) {
    if (!checkpointed) return program.f(at, w, h);
    return checkpoint([&program, &w, h](const Tensor& inner) { return program.f(inner, w, h); }, at);
  };
  const Function loss = [&](const Tensor& at) { return sum(sin(f(at)) * weights); };
  const GradOptions again{.create_graph = true, .allow_unused = true};
  Results all;
  const auto keep = [&](const std::string& name, const Tensors& list) {
    for (std::size_t i = 0; i < list.size(); ++i) all.emplace_back(fmt::format("{} {}", name, i), evaluate(list[i]));
    all.emplace_back(name + ": the next draw", rand({2}));
  };
  keep("value", {f(x)});
  Tensor y = loss(x);
  for (int order = 1; order <= 3; ++order) {
    const Tensors g = grad(y, {x, w, v}, again);
    keep(fmt::format("order {}", order), g);
    keep(fmt::format("order {}, not recorded", order), grad(y, {x, w, v}, {.allow_unused = true}));
    y = sum(square(g[0])) + sum(square(g[1]) * weights) + sum(g[2] * g[0]);
  }
  const TransformOptions constants{.allow_unused = true};  // one program detaches all
  keep("jvp", {jvp(f, x, along, constants).value, jvp(f, x, along, constants).tangent});
  {
    const NoGrad no_grad;
    keep("jvp under NoGrad", {jvp(f, x, along, constants).tangent});
    keep("value under NoGrad", {f(x)});
  }
  keep("vjp", {vjp(f, x, constants).pullback(along)});
  keep("hvp", {hvp(loss, x, along, constants)});
  keep("of a hvp", grad(sum(hvp(loss, x, along, constants) * weights), {x, w, v}, {.allow_unused = true}));
  if (n < 5) keep("hessian, jacobian", {hessian(loss, x, constants), jacobian(f, x, constants)});
  const Tensor l = loss(x) + sum(x * w * v);
  l.backward({.keep_graph = true});
  l.backward();
  keep("backward twice", {x.grad(), w.grad(), v.grad()});
  return all;
}

struct Sized {
  Size n;
  bool eager;
};

}  // namespace

BOOST_AUTO_TEST_CASE(derivatives_are_those_of_the_function) {
  for (const Program& program : programs)
    for (const auto [n, eager] : {Sized{2, false}, Sized{37, false}, Sized{37, true}}) {
      std::optional<Eager> scope;
      if (eager) scope.emplace();
      const Results expected = results(program, false, n), got = results(program, true, n);
      BOOST_REQUIRE(got.size() == expected.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        BOOST_CHECK_MESSAGE(allclose(got[i].second, expected[i].second, 1e-9, 1e-10),
                            program.name << ", n = " << n << (eager ? ", eager" : "") << ": " << got[i].first);
    }
}

// Weights from a thread that is no more, or that others read too.
BOOST_AUTO_TEST_CASE(parameters_of_other_threads) {
  const auto made = elsewhere([] {
    Parameter w = parameter(tensor({0.5, -1.5}));
    return std::pair(w, evaluate(exp(Tensor(w)).detach()));
  });
  const Parameter w = made.first;
  const Tensor x = tensor({2.0, 3.0}), y = checkpoint([&](const Tensor&v) { return sin(v * w) * made.second; }, x);
  sum(y).backward();
  BOOST_TEST(allclose(w.grad(), cos(x * w.detach()) * x * made.second));
}

// ---- how often, and what stays

BOOST_AUTO_TEST_CASE(runs_once_and_once_more_for_each_sweep) {
  for (const Size n : {3, 5000}) {
    int runs = 0;
    Parameter w = parameter(randn({n})), unused = parameter(1.0f);
    const Function f = [&](const Tensor& x) {
      ++runs;
      return tanh(x * w) * exp(x);
    };
    const Tensor x = randn({n});
    {
      const NoGrad no_grad;
      const auto before = counters().taped;
      const Tensor y = checkpoint(f, x);
      BOOST_TEST(!y.requires_grad());
      evaluate(y);
      BOOST_TEST(counters().taped == before);
    }
    BOOST_TEST(runs == 1);
    const auto before = counters().taped;
    const Tensor y = checkpoint(f, x);
    BOOST_TEST(!y.pending());
    BOOST_TEST(counters().taped == before + 1);
    const Tensor loss = sum(y * y) + unused;
    BOOST_TEST(runs == 2);
    grad(loss, {unused});  // does not lead through it
    BOOST_TEST(runs == 2);
    loss.backward({.keep_graph = true});
    BOOST_TEST(runs == 3);
    loss.backward();
    BOOST_TEST(runs == 4);
    BOOST_CHECK_EXCEPTION(loss.backward(), Error, says("keep_graph"));
    BOOST_TEST(runs == 4);
  }
}

BOOST_AUTO_TEST_CASE(only_what_is_asked_for_is_computed) {
  Parameter w = parameter(randn({300, 300})), x = parameter(randn({300, 300}));
  const Tensor y = sum(checkpoint([&](const Tensor& v) { return matmul(v, w); }, x));
  const auto of_both = during([&] { evaluate(grad(y, {x, w})); });
  const auto of_one = during([&] { evaluate(grad(y, {x})); });
  BOOST_TEST(of_one.evaluated < of_both.evaluated);
}

BOOST_AUTO_TEST_CASE(backward_lets_go_of_the_function) {
  for (const Size n : {3, 5000}) {
    Parameter w = parameter(randn({n}));
    const auto held = std::make_shared<Tensor>(evaluate(randn({n})));
    const std::weak_ptr<Tensor> seen = held;
    const auto before = counters();
    {
      const Tensor y = checkpoint([own = std::move(held)](const Tensor& v) { return v * *own; }, w * 2);
      BOOST_TEST(!seen.expired());
      sum(y).backward();
      BOOST_TEST(seen.use_count() == 1);  // std::move of a const: the test's own
    }
    w.zero_grad();
    BOOST_TEST(counters().taped == before.taped);
    BOOST_TEST(counters().bytes <= before.bytes);
  }
}

// ---- memory

namespace {

// The most bytes that are in use at a time, while the pool has none of the size: `work` of one kind, then of another.
std::size_t requested(const std::function<void()>& work) {
  memory_hooks::requests(work);
  return memory_hooks::bytes;
}

Tensor deep_block(const Tensor& x) {  // about ten tensors of x's size are needed for its derivative
  Tensor h = x;
  for (int i = 0; i < 5; ++i) h = sin(h - mean(h)) * softmax(h, 1);
  return h;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_deep_network_holds_the_borders_alone) {
  constexpr int depth = 12;
  constexpr Size side = 700, size = side * side * 4;
  Parameter x = parameter(randn({side, side}));
  const auto step = [&](bool checkpointed) {
    const auto before = counters().bytes;
    Tensor h = x;
    for (int i = 0; i < depth; ++i) h = checkpointed ? checkpoint(deep_block, h) : deep_block(h);
    const Tensor loss = sum(h);
    evaluate(loss);
    if (checkpointed) BOOST_TEST(counters().bytes - before < static_cast<std::uint64_t>((depth + 2) * size * 5 / 4));
    h = Tensor();
    loss.backward();
    Tensor g = x.grad();
    x.zero_grad();
    return g;
  };
  Tensor first, second;
  const std::size_t less = requested([&] { first = step(true); }), more = requested([&] { second = step(false); });
  BOOST_TEST_MESSAGE(fmt::format("{:.1f} and {:.1f} tensors", double(less) / size, double(less + more) / size));
  BOOST_TEST(less < static_cast<std::size_t>((depth + 30) * size));
  BOOST_TEST(less + more > static_cast<std::size_t>(15 * depth * size));
  BOOST_TEST(allclose(first, second));
}

// A gradient may be a value of what was run again, d(a b)/da = b, and holds nothing else of it.
BOOST_AUTO_TEST_CASE(gradients_hold_no_record) {
  constexpr int branches = 10;
  constexpr Size side = 800, size = side * side * 4;
  std::vector<Parameter> w;
  for (int i = 0; i < branches; ++i) w.push_back(parameter(randn({side, side})));
  Parameter q = parameter(2.0f);
  const Tensor x = evaluate(randn({side, side}));
  const std::size_t most = requested([&] {
    Tensor total = tensor(0.0f);
    for (const Parameter& p : w)
      total = total + sum(checkpoint([&](const Tensor& v) { return deep_block(v * q) * p; }, x));
    total.backward();
  });
  BOOST_TEST_MESSAGE(fmt::format("{:.1f} weights", double(most) / size));
  BOOST_TEST(most < static_cast<std::size_t>((2 * branches + 35) * size));
}

// The gradients of shared weights are added up as they come.
BOOST_AUTO_TEST_CASE(steps_in_time_share_one_gradient) {
  constexpr int steps = 40;
  constexpr Size side = 900, size = side * side * 4;
  Parameter w = parameter(0.01f * randn({side, side}));
  const Tensor x = randn({2, side});
  const std::size_t most = requested([&] {
    Tensor h = x;
    for (int i = 0; i < steps; ++i) h = checkpoint([&](const Tensor& v) { return tanh(matmul(v, w)); }, h);
    sum(h).backward();
  });
  BOOST_TEST_MESSAGE(fmt::format("{:.1f} weights", double(most) / size));
  BOOST_TEST(most < static_cast<std::size_t>(6 * size));
}

// ---- errors

BOOST_AUTO_TEST_CASE(errors_name_the_users_line_and_change_nothing) {
  Parameter w = parameter(tensor({1.0, 2.0})), v = w;
  const Tensor x = tensor({3.0, 4.0});
  bool again = false;
  bad_input::Table t(__FILE__, bad_input::record);
  t.add([&] { checkpoint(Function(), x); }, {"[checkpoint] expected a function"});
  t.add([&] { checkpoint(FunctionOfMany(), {x, x}); }, {"[checkpoint] expected a function"});
  t.add([&] { checkpoint([](const Tensor& in) { return in; }, Tensor()); }, {"[checkpoint] expected a tensor"});
  t.add([&] { checkpoint([](const Tensors& in) { return in[0]; }, {x, Tensor()}); }, {"[checkpoint] expected tensors"});
  t.add([&] { checkpoint([](const Tensor&) { return Tensor(); }, x); }, {"[checkpoint] the function gave an empty"});
  t.add([&] { checkpoint([](const Tensor& in) { return in + ones({3}, f64); }, x); },
        {"[add] shapes do not broadcast"});
  t.add([&] { checkpoint([](const Tensors& in) { return in[2]; }, {x, x}); }, {"[Tensors] no tensor 2"});
  t.check();
  const auto before = counters();
  // when it is run again: at the line of the checkpoint
  const std::pair<Function, const char*> changing[] = {
      {[&](const Tensor& in) { return again ? Tensor() : in * w; }, "gave an empty tensor"},
      {[&](const Tensor& in) { return again ? sum(in * w) : in * w; }, "gave f64 (), and before f64 (2,)"},
      {[&](const Tensor& in) { return again ? cast(in * w, f32) : in * w; }, "gave f32 (2,), and before f64 (2,)"},
      {[&](const Tensor& in) { return in * (again ? v : w); }, "reads a Parameter f64 (2,) that it did not read"},
      {[&](const Tensor& in) { return again ? throw Error("own: 1") : in * w; }, "own: 1"},
  };
  for (const auto& [f, message] : changing) {
    const Tensor loss = sum(checkpoint(f, x));
    const int line = __LINE__ - 1;
    again = true;
    manual_seed(11);
    BOOST_CHECK_EXCEPTION(loss.backward(), Error, says(message));
    if (std::string(message) != "own: 1") BOOST_TEST(line_of_error([&] { loss.backward(); }) == line);
    BOOST_TEST((!w.grad().defined() && !v.grad().defined()));
    BOOST_TEST((w * x).requires_grad());
    const Tensor next = rand({2});
    manual_seed(11);
    BOOST_TEST(same_bits(next, rand({2})), message);
    again = false;
    loss.backward();  // it is all there still
    BOOST_TEST(allclose(w.grad(), x));
    w.zero_grad();
  }
  BOOST_TEST(counters().taped == before.taped);
}

BOOST_AUTO_TEST_CASE(a_parameter_stored_anew_is_noticed) {
  for (const bool in_place : {true, false}) {
    Parameter w = parameter(randn({5000}));
    const Tensor x = randn({5000}), y = sum(checkpoint([&](const Tensor&v) { return tanh(v * w); }, x));
    if (in_place) static_cast<float*>(writable(Parameters{w}[0]))[0] = 1;  // as an optimizer does
    else w -= 0.1;
    BOOST_CHECK_EXCEPTION(y.backward(), Error, says("a Parameter f32 (5000,) that it did not read before"));
    BOOST_TEST(!w.grad().defined());
  }
}

BOOST_AUTO_TEST_CASE(no_memory_changes_nothing) {
  Parameter w = parameter(randn({410'000}));
  const Tensor x = evaluate(randn({410'000}));
  const Tensor loss = sum(square(checkpoint([&](const Tensor& v) { return sin(v * w) * exp(v); }, x)));
  int failures = 0;
  for (bool done = false; !done && failures < 100; failures += !done) {
    const memory_hooks::Scarce scarce(failures);
    const auto before = counters();
    try {
      loss.backward({.keep_graph = true});
      done = true;
    } catch (const Error&) {
      BOOST_TEST(!w.grad().defined());
      BOOST_TEST(counters().taped == before.taped);
      BOOST_TEST(tanh(w).requires_grad());
    }
  }
  BOOST_TEST(failures > 1);
  BOOST_TEST(allclose(w.grad(), 2 * sin(x * w) * cos(x * w) * x * square(exp(x)), 1e-3, 1e-3));
}
