// A derivative is never missing without a word: recording where it must work, and Errors that name why there is none.
#include <boost/test/unit_test.hpp>
#include <functional>

#include <xgrad/autodiff.hpp>
#include "helpers.hpp"
#include "squared.hpp"

using namespace xgrad;
using namespace helpers;

namespace {

Tensor cube(const Tensor& x) { return sum(x * x * x); }
const Tensor at = tensor({2.0, -1.0, 0.5});
const Tensor slope = 3 * at * at;

// Ways to the gradient of cube.
struct Way {
  const char* name;
  std::function<Tensor(const Tensor& x)> gradient;
};
const std::vector<Way> ways = {
    {"watch and grad",
     [](const Tensor& x) {
       const Tensor w = watch(x);
       return grad(cube(w), {w})[0];
     }},
    {"value_and_grad", [](const Tensor& x) { return value_and_grad(cube, x).grad; }},
    {"value_and_grad of many",
     [](const Tensor& x) { return value_and_grad([](const Tensors& in) { return cube(in[0]); }, {x}).grads[0]; }},
    {"vjp", [](const Tensor& x) { return vjp(cube, x).pullback(1.0); }},
    {"jvp",
     [](const Tensor& x) { return jvp([](const Tensor& v) { return v * v * v; }, x, ones(x.shape(), f64)).tangent; }},
    {"jacobian", [](const Tensor& x) { return jacobian(cube, x); }},
    {"hessian",
     [](const Tensor& x) { return sum(hessian([](const Tensor& v) { return sum(v * v * v * v) / 4; }, x), 0); }},
    {"hvp",
     [](const Tensor& x) {
       return hvp([](const Tensor& v) { return sum(v * v * v * v) / 4; }, x, ones(x.shape(), f64));
     }},
    {"gradcheck",
     [](const Tensor& x) {
       BOOST_TEST(gradcheck(cube, x).passed);
       return 3 * x * x;
     }},
    {"a checkpoint of a gradient",
     [](const Tensor& x) {
       const Tensor w = watch(x);
       return grad(checkpoint(cube, w), {w})[0];
     }},
    {"backward of a parameter",
     [](const Tensor& x) {
       Parameter p = parameter(x);
       cube(p).backward();
       return p.grad();
     }},
};

// What it is inside of a cube that `call` is given.
template <class Call>
Tensor inside_a_cube(const Way& way, const Call& call) {
  Tensor got;
  call([&](const Tensor& x) {
    got = way.gradient(at);
    return cube(x);
  });
  return got;
}

// Where it is asked for.
struct Place {
  const char* name;
  std::function<Tensor(const Way&)> run;
};
const std::vector<Place> places = {
    {"the outside", [](const Way& way) { return way.gradient(at); }},
    {"EnableGrad",
     [](const Way& way) {
       const NoGrad no_grad;
       const EnableGrad grad;
       return way.gradient(at);
     }},
    {"a CustomOp's forward",
     [](const Way& way) {
       Tensor got;
       squared([&] { got = way.gradient(at); }, [] {})(at);
       return got;
     }},
    {"a CustomOp's forward under NoGrad",
     [](const Way& way) {
       Tensor got;
       const NoGrad no_grad;
       squared([&] { got = way.gradient(at); }, [] {})(at);
       return got;
     }},
    {"a CustomOp's vjp",
     [](const Way& way) {
       Tensor got;
       Parameter p = parameter(at);
       sum(squared([] {}, [&] { got = way.gradient(at); })(p)).backward();
       return got;
     }},
    {"a CustomOp's vjp, of its own input",
     [](const Way& way) {
       const CustomOp op({.name = "cubed",
                          .forward = [](const Tensors& in) { return cube(in[0]); },
                          .vjp = [&](const Tensor& g, const Tensors& in, const Tensor&) -> Tensors {
                            return {g * way.gradient(in[0])};
                          }});
       Parameter p = parameter(at);
       op(p).backward();
       return p.grad();
     }},
    {"a CustomOp's vjp, to be differentiated",
     [](const Way& way) {
       Tensor got;
       Parameter p = parameter(at);
       grad(sum(squared([] {}, [&] { got = way.gradient(at); })(p)), {p}, {.create_graph = true});
       return got;
     }},
    {"a function that gradcheck calls",
     [](const Way& way) { return inside_a_cube(way, [](const auto& f) { gradcheck(f, at); }); }},
    {"a function that gradcheck calls under NoGrad",
     [](const Way& way) {
       const NoGrad no_grad;
       return inside_a_cube(way, [](const auto& f) { gradcheck(f, at); });
     }},
    {"a function of value_and_grad under NoGrad",
     [](const Way& way) {
       const NoGrad no_grad;
       return inside_a_cube(way, [](const auto& f) { value_and_grad(f, at); });
     }},
    {"a checkpoint's function",
     [](const Way& way) { return inside_a_cube(way, [](const auto& f) { checkpoint(f, parameter(at)).backward(); }); }},
};

struct Case {
  const char* name;
  std::function<void()> call;
  const char* says;
};
void check(const std::vector<Case>& cases) {
  for (const Case& c : cases)
    BOOST_TEST_CONTEXT(c.name) {
      try {
        c.call();
        BOOST_ERROR("it throws nothing");
      } catch (const Error& e) {
        BOOST_TEST(std::string(e.what()).find(c.says) != std::string::npos, e.what());
      }
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(derivatives_are_recorded_wherever_they_are_taken) {
  for (const Place& place : places)
    for (const Way& way : ways)
      BOOST_TEST_CONTEXT(way.name << ", in " << place.name) {
        try {
          const Tensor got = place.run(way);
          BOOST_TEST(allclose(got, slope));
        } catch (const Error& e) {
          BOOST_ERROR(e.what());
        }
      }
}

BOOST_AUTO_TEST_CASE(transforms_record_under_no_grad) {
  const NoGrad no_grad;
  for (const Way& way : ways) {
    const std::string name = way.name;
    if (name == "watch and grad" || name == "a checkpoint of a gradient" || name == "backward of a parameter") continue;
    BOOST_TEST_CONTEXT(way.name) {
      const Tensor got = way.gradient(at);
      BOOST_TEST(allclose(got, slope));
      BOOST_TEST(!got.requires_grad());
    }
  }
}

BOOST_AUTO_TEST_CASE(scopes_nest) {
  Parameter p = parameter(at);
  {
    const NoGrad no_grad;
    {
      const EnableGrad enable;
      BOOST_TEST((p * p).requires_grad());
      {
        const NoGrad again;
        BOOST_TEST(!(p * p).requires_grad());
      }
      BOOST_TEST((p * p).requires_grad());
    }
    BOOST_TEST(!(p * p).requires_grad());
  }
  const EnableGrad enable;
  BOOST_TEST((p * p).requires_grad());
}

// What is asked for, and was lost: the Error says how.
BOOST_AUTO_TEST_CASE(grad_names_the_cause) {
  Parameter x = parameter(2.0), copy = x;
  const Parameter copy_of_copy = copy, moved = std::move(copy);
  Parameter unrelated = parameter(2.0);
  const Tensor y = x * x * x;
  const Tensor d = grad(y, {x})[0], linear = grad(x * x / 2, {x})[0];
  Tensor unrecorded, plain = tensor(2.0);
  {
    const NoGrad no_grad;
    unrecorded = x * x;
  }
  cube(x).backward();
  const Tensor later = watch(plain), old = watch(plain);
  const Tensor of_old = old * old;
  const Tensor made_later = of_old * 3;
  check({
      {"a derivative without create_graph", [&] { grad(d, {x}); }, "create_graph"},
      {"made into more", [&] { grad(sum(exp(d) * 2), {x}); }, "create_graph"},
      {"a value of the record's", [&] { grad(linear, {x}); }, "create_graph"},
      {"what backward() gave", [&] { grad(x.grad() * 2, {x}); }, "create_graph"},
      {"a checkpoint's", [&] { grad(grad(checkpoint([](const Tensor& v) { return v * v * v; }, x), {x})[0], {x}); },
       "create_graph"},
      {"a CustomOp's", [&] { grad(grad(squared([] {}, [] {})(x), {x})[0], {x}); }, "create_graph"},
      {"a CustomOp of such", [&] { grad(squared([] {}, [] {})(d), {x}); }, "create_graph"},
      {"watched", [&] { grad(watch(d) * 2, {x}); }, "create_graph"},
      {"NoGrad", [&] { grad(unrecorded * 2, {x}); }, "NoGrad"},
      {"a CustomOp under NoGrad",
       [&] {
         const NoGrad no_grad;
         grad(squared([] {}, [] {})(x), {x});
       },
       "NoGrad"},
      {"a copied Parameter", [&] { grad(y, {copy_of_copy}); }, "copy"},
      {"a copy that was moved", [&] { grad(y, {moved}); }, "copy"},
      {"the original", [&] { grad(moved * 2, {x}); }, "copy"},
      {"detached", [&] { grad(y.detach() * 2, {x}); }, "detach"},
      {"detached while it waits", [&] { grad(sum((x * ones({5000}, f64)).detach()), {x}); }, "detach"},
      {"a new value", [&] { grad(of_old, {made_later}); }, "made after the result"},
      {"a plain tensor that it was made of", [&] { grad(plain * x, {plain}); }, "watch(x)"},
      {"a plain tensor", [&] { grad(y, {tensor(1.0)}); }, "watch(x)"},
      {"independent", [&] { grad(y, {unrelated}); }, "a Parameter or watch(x)"},
      {"independent, watched", [&] { grad(y, {later}); }, "does not depend on input 0"},
      {"the second",
       [&] {
         grad(y, {x, unrelated});
       },
       "does not depend on input 1"},
      {"backward of a derivative", [&] { (d * 2).backward(); }, "create_graph"},
      {"backward of NoGrad's", [&] { unrecorded.backward(); }, "NoGrad"},
      {"backward of the detached", [&] { y.detach().backward(); }, "detach"},
      {"backward of plain tensors", [&] { (plain * 2).backward(); }, "tensors alone"},
  });
}

// Zeros where they are true; an Error where the history is known to be lost, whatever the options say.
BOOST_AUTO_TEST_CASE(unused_is_not_lost) {
  const GradOptions zeros{.allow_unused = true};
  Parameter x = parameter(2.0), w = parameter(3.0);
  const Tensor y = x * x * x, d = grad(y, {x})[0];
  Tensor unrecorded;
  {
    const NoGrad no_grad;
    unrecorded = x * x;
  }
  check({
      {"create_graph", [&] { grad(d, {x}, zeros); }, "create_graph"},
      {"made into more", [&] { grad(exp(d) + 2, {x}, zeros); }, "create_graph"},
      {"NoGrad", [&] { grad(unrecorded, {x}, zeros); }, "NoGrad"},
      {"read in a vjp",
       [&] {
         const CustomOp op({.name = "read",
                            .forward = [](const Tensors& in) { return in[0] * in[0]; },
                            .vjp = [](const Tensor& g, const Tensors& in, const Tensor&) -> Tensors {
                              return {tensor(2 * g.item() * in[0].item())};
                            }});
         grad(grad(op(x), {x}, {.create_graph = true})[0], {x}, zeros);
       },
       "item()"},
  });
  BOOST_TEST(grad(y, {w}, zeros)[0].item() == 0);
  BOOST_TEST(grad(y.detach(), {w}, zeros)[0].item() == 0);
  BOOST_TEST(grad(grad(3 * x, {x}, {.create_graph = true})[0], {x}, zeros)[0].item() == 0);  // a constant
  BOOST_TEST(grad(d * w, {x, w}, zeros)[1].item() == d.item());                              // a constant factor
  BOOST_TEST(grad(unrecorded * w, {w})[0].item() == 4);
  w = w - 0.1 * grad(y * w, {w})[0];  // what is stored begins anew
  BOOST_TEST(grad(w * w, {w})[0].item() == 2 * w.item());
  BOOST_TEST(grad(grad(w * w, {w}, {.create_graph = true})[0], {w})[0].item() == 2);
}
