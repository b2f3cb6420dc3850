// The user's functions that run inside of a sweep may do anything: sweep, evaluate, let go of what is being swept.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <functional>
#include <optional>

#include <xgrad/autodiff.hpp>
#include "helpers.hpp"
#include "squared.hpp"

using namespace xgrad;
using namespace helpers;

namespace {

// What a user's function meets: parameters, a value made of them before, and the loss that is being differentiated.
struct World {
  Parameter p, q;
  Tensor h;
  std::optional<Tensor> loss;
  bool inside = false;

  explicit World(Size n)
      : p(0.3 + 0.5 * cos(linspace(0, 3, n, f64))), q(0.8 + 0.1 * sin(linspace(0, 5, n, f64))), h(exp(p * 0.3) * q) {}
};

struct Intrusion {
  const char* name;
  std::function<void(World&)> act;
};
// clang-format off
const std::vector<Intrusion> intrusions = {
    {"nothing", [](World&) {}},
    {"backward of what shares the record", [](World& w) { sum(w.h * w.h).backward(); }},
    {"that twice", [](World& w) {
       sum(w.h * w.h).backward({.keep_graph = true});
       sum(sin(w.h)).backward();
     }},
    {"backward of what was made before", [](World& w) { sum(w.h).backward({.keep_graph = true}); }},
    {"backward of the loss itself", [](World& w) {
       if (w.loss) w.loss->backward();
     }},
    {"backward of another loss", [](World& w) { sum(square(w.q) * w.p).backward(); }},
    {"letting go of the loss", [](World& w) { w.loss.reset(); }},
    {"letting go of all", [](World& w) {
       w.loss.reset();
       w.h = Tensor();
     }},
    {"grad", [](World& w) { evaluate(grad(sum(w.h * w.p), {w.p, w.q, w.h})); }},
    {"grad of the loss", [](World& w) {
       if (w.loss) evaluate(grad(*w.loss, {w.p, w.q}));
     }},
    {"second derivatives", [](World& w) {
       const Tensor d = grad(sum(exp(w.h)), {w.p}, {.create_graph = true})[0];
       sum(d * d).backward();
     }},
    {"a hessian", [](World& w) {
       const Tensor few = slice(w.h.detach(), 0, 0, 2);
       evaluate(hessian([](const Tensor& x) { return sum(x * x * exp(x)); }, few));
     }},
    {"a jvp through the record", [](World& w) {
       evaluate(jvp([&](const Tensor& x) { return x * w.h * tanh(x); }, w.p, w.q).tangent);
     }},
    {"a checkpoint, backward", [](World& w) {
       sum(checkpoint([&w](const Tensor& x) { return tanh(x * w.p) * w.h; }, w.h)).backward();
     }},
    {"an evaluation", [](World& w) { evaluate(w.h, sum(tanh(w.h) * w.q)); }},
    {"an Error, caught", [](World& w) { BOOST_CHECK_THROW(sum(w.h.detach()).backward(), Error); }},
    {"storing a parameter", [](World& w) { w.q = w.q * 1.0; }},
};
// clang-format on

// Where the user's function runs: an op of x whose derivative is 2 x, or f's own.
struct Place {
  const char* name;
  bool in_sweep;  // only there; the others run as they are written, too
  std::function<Tensor(World&, const Tensor& x, const std::function<void()>& intrude)> apply;
};
void nothing() {}
// clang-format off
const std::vector<Place> places = {
    {"a CustomOp's vjp", true, [](World&, auto& x, auto& intrude) { return squared(nothing, intrude)(x); }},
    {"a CustomOp's forward", false, [](World&, auto& x, auto& intrude) { return squared(intrude, nothing)(x); }},
    {"a CustomOp's vjp, twice", true, [](World&, auto& x, auto& intrude) {
       const CustomOp op = squared(nothing, intrude);
       return op(op(x) + x);
     }},
    {"a CustomOp in a checkpoint", true, [](World& w, auto& x, auto& intrude) {
       return checkpoint([&w, intrude](const Tensor& v) { return squared(nothing, intrude)(v * w.p) * v; }, x);
     }},
    {"a checkpoint's function", false, [](World& w, auto& x, auto& intrude) {
       return checkpoint([&w, intrude](const Tensor& v) {
         const Tensor y = tanh(v) * w.q;
         intrude();
         return y * v * w.p;
       }, x);
     }},
    {"the function of value_and_grad", false, [](World&, auto& x, auto& intrude) {
       return value_and_grad([&](const Tensor& v) {
         const Tensor y = sum(v * sin(v));
         intrude();
         return y * sum(v);
       }, x).grad * x;
     }},
    {"the function of jvp", false, [](World&, auto& x, auto& intrude) {
       return jvp([&](const Tensor& v) {
         const Tensor y = sin(v);
         intrude();
         return y * v * x;
       }, x, cos(x)).tangent;
     }},
    {"the function of vjp", false, [](World&, auto& x, auto& intrude) {
       const Vjp pulled = vjp([&](const Tensor& v) {
         const Tensor y = sin(v);
         intrude();
         return y * v * x;
       }, x);
       return pulled.pullback(x);
     }},
};
// clang-format on

// The outer sweep: what it gives for p and q, of its own.
struct Sweep {
  const char* name;
  std::function<Tensors(World&)> run;
};
Tensors both(const Tensors& list) { return {evaluate(list[0]), evaluate(list[1])}; }
const std::vector<Sweep> sweeps = {
    {"grad",
     [](World& w) {
       return both(grad(*w.loss, {w.p, w.q}));
     }},
    {"grad, again",
     [](World& w) {
       const Tensor y = *w.loss;
       grad(y, {w.p});
       return both(grad(y, {w.p, w.q}));
     }},
    {"grad with create_graph",
     [](World& w) {
       return both(grad(*w.loss, {w.p, w.q}, {.create_graph = true}));
     }},
};

// Only what the outer sweep does not itself let go of can be swept again inside: with keep_graph, or in the sweep.
bool keeps_record(const std::string& name) {
  return name == "nothing" || name == "backward of what was made before" || name == "backward of another loss" ||
         name == "grad" || name == "a hessian" || name == "an evaluation" || name == "an Error, caught" ||
         name == "a jvp through the record" || name == "letting go of the loss";
}

struct Got {
  Tensors grads;
};
Tensors run(const Place& place, const Intrusion& intrusion, const Sweep& sweep, Size n) {
  World w(n);
  bool sweeping = false;
  const std::function<void()> intrude = [&] {
    if (w.inside || (place.in_sweep && !sweeping)) return;
    w.inside = true;
    intrusion.act(w);
    w.inside = false;
  };
  w.loss = sum(place.apply(w, w.h * w.p, intrude) * w.h) + sum(w.h * w.q);
  sweeping = true;
  return sweep.run(w);
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_a_users_function_does_changes_no_gradient) {
  for (const Size n : {Size{3}, Size{1500}})
    for (const Place& place : places)
      for (const Sweep& sweep : sweeps) {
        const Tensors expected = run(place, intrusions[0], sweep, n);
        for (const Intrusion& intrusion : intrusions) {
          if (!place.in_sweep && !keeps_record(intrusion.name)) continue;
          BOOST_TEST_CONTEXT(intrusion.name << ", in " << place.name << ", by " << sweep.name << ", of " << n) {
            try {
              const Tensors got = run(place, intrusion, sweep, n);
              BOOST_TEST(same_bits(got[0], expected[0]));
              BOOST_TEST(same_bits(got[1], expected[1]));
            } catch (const Error& e) {
              BOOST_ERROR(e.what());
            }
          }
        }
      }
}

// backward() adds up what the outer sweep and the inner ones give.
BOOST_AUTO_TEST_CASE(backward_inside_of_backward_adds_up) {
  for (const Size n : {Size{3}, Size{1500}})
    for (const bool keep : {false, true}) {
      World w(n);
      int calls = 0;
      const CustomOp op = squared(nothing, [&] {
        ++calls;
        sum(w.h * w.h).backward({.keep_graph = keep});
      });
      World alone(n);
      const Tensors outer = grad(sum(squared(nothing, nothing)(alone.h * alone.p) * alone.h), {alone.p, alone.q});
      const Tensors inner = grad(sum(alone.h * alone.h), {alone.p, alone.q});
      sum(op(w.h * w.p) * w.h).backward();
      BOOST_TEST(calls == 1);
      BOOST_TEST(allclose(w.p.grad(), outer[0] + inner[0]));
      BOOST_TEST(allclose(w.q.grad(), outer[1] + inner[1]));
      BOOST_CHECK_EXCEPTION(sum(w.h).backward(), Error, says("keep_graph"));  // the outer one let go of it
    }
}

// What only the inner sweep went through is let go of there; what the outer one still needs is not.
BOOST_AUTO_TEST_CASE(an_inner_backward_lets_go_of_its_own) {
  World w(1500);
  Tensor kept;
  const CustomOp op = squared(nothing, [&] {
    const Tensor own = exp(w.h), y = sum(own * own);
    y.backward();
    BOOST_CHECK_EXCEPTION(sum(own).backward(), Error, says("keep_graph"));
    kept = w.h;
  });
  const Tensor loss = sum(op(w.h));
  const Tensor first = grad(loss, {w.p})[0], again = grad(loss, {w.p})[0];
  BOOST_TEST(same_bits(first, again));
  BOOST_TEST(kept.requires_grad());
}

// What lives in a function that is let go of may compute when it goes.
BOOST_AUTO_TEST_CASE(destructors_of_captured_objects_may_compute) {
  struct Computes {
    Tensor x = evaluate(linspace(0, 1, 3000, f64));
    int& ended;
    explicit Computes(int& count) : ended(count) {}
    ~Computes() {
      Parameter p = parameter(x);
      sum(tanh(p) * exp(p) - x).backward();
      if (p.grad().numel() == 3000) ++ended;
    }
  };
  int ended = 0;
  for (int i = 0; i < 3; ++i) {
    Parameter p = parameter(linspace(0, 1, 3000, f64));
    const Tensor a = tanh(p), b = sin(p);
    Tensor y;
    {
      const auto held = std::make_shared<Computes>(ended);
      const CustomOp op(
          {.name = "mine",
           .forward = [held](const Tensors& in) { return square(in[0]); },
           .vjp = [](const Tensor& g, const Tensors& in, const Tensor&) -> Tensors { return {2 * g * in[0]}; }});
      y = sum(op(a * b) * checkpoint([held](const Tensor& x) { return exp(x) * x; }, a));
    }
    BOOST_TEST(ended == i);
    const Tensor other = cos(a) * b;
    y.backward();
    BOOST_TEST(ended == i + 1);
    BOOST_TEST(allclose(p.grad(), grad(
                                      [&] {
                                        const Tensor c = tanh(p), d = sin(p);
                                        return sum(square(c * d) * exp(c) * c);
                                      }(),
                                      {p})[0]));
  }
}
