// Transforms of functions whose result does not depend on x by the record: an Error where that was lost, zeros where it is true.
#include <boost/test/unit_test.hpp>
#include <functional>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/xtensor.hpp>
#include "helpers.hpp"
#include "squared.hpp"

using namespace xgrad;
using namespace helpers;

namespace {

struct Transform {
  const char* name;
  std::function<Tensor(const Function& f, const Tensor& x, TransformOptions)> run;
};
const std::vector<Transform> transforms = {
    {"value_and_grad", [](auto& f, auto& x, auto o) { return value_and_grad(f, x, o).grad; }},
    {"value_and_grad of many",
     [](auto& f, auto& x, auto o) {
       return value_and_grad([&](const Tensors& in) { return f(in[0]); }, {x}, o).grads[0];
     }},
    {"jvp", [](auto& f, auto& x, auto o) { return jvp(f, x, ones_like(x), o).tangent; }},
    {"vjp", [](auto& f, auto& x, auto o) { return vjp(f, x, o).pullback(1.0); }},
    {"jacobian", [](auto& f, auto& x, auto o) { return jacobian(f, x, o); }},
    {"hessian", [](auto& f, auto& x, auto o) { return hessian(f, x, o); }},
    {"hvp", [](auto& f, auto& x, auto o) { return hvp(f, x, ones_like(x), o); }},
};

struct Lost {
  const char* name;
  Function f;
  const char* says;
};
// Of x with slope 3, or so, and no record of it.
const std::vector<Lost> lost = {
    {"item", [](const Tensor& x) { return tensor(3 * x.item()); }, "item()"},
    {"item of a value", [](const Tensor& x) { return tensor(3 * (x * x).item()); }, "item()"},
    {"to_vector", [](const Tensor& x) { return tensor(3 * reshape(x, {1}).to_vector<double>()[0]); }, "item()"},
    {"as_xtensor", [](const Tensor& x) { return from_xtensor(as_xtensor<double>(x) * 3.0); }, "item()"},
    {"readable", [](const Tensor& x) { return tensor(3 * *static_cast<const double*>(readable(contiguous(x)))); },
     "item()"},
    {"detach", [](const Tensor& x) { return 3 * x.detach(); }, "detached"},
    {"NoGrad",
     [](const Tensor& x) {
       const NoGrad no_grad;
       return 3 * x;
     },
     "NoGrad"},
    {"a gradient without create_graph", [](const Tensor& x) { return grad(x * x * x, {x})[0]; }, "create_graph"},
    {"a jvp under NoGrad",
     [](const Tensor& x) {
       const NoGrad no_grad;
       return jvp([](const Tensor& v) { return v * v; }, x, 1.0).tangent;
     },
     "create_graph"},
    {"backward",
     [](const Tensor& x) {
       Parameter p = parameter(1.0);
       (p * x * 3).backward({.keep_graph = true});
       return p.grad();
     },
     "create_graph"},
    {"a CustomOp under NoGrad",
     [](const Tensor& x) {
       const NoGrad no_grad;
       return squared([] {}, [] {})(x);
     },
     "NoGrad"},
    {"a Parameter that x was stored in",
     [](const Tensor& x) {
       Parameter p = parameter(1.0);
       p = x * 3;
       return p * 1.0;
     },
     "stored"},
};
// Constants, and what depends on x all the same: no Error, and the slope is right.
struct Kept {
  const char* name;
  Function f;
  double slope;
};
const std::vector<Kept> kept = {
    {"a constant", [](const Tensor&) { return tensor(3.0); }, 0},
    {"linear", [](const Tensor& x) { return 3 * x; }, 3},
    {"a parameter's number, read",
     [](const Tensor&) {
       static Parameter p = parameter(2.0);
       return tensor(p.item() + (p * 2).item());
     },
     0},
    {"x read, and used",
     [](const Tensor& x) {
       const double scale = 1 / (1 + x.item() * 0);
       return 3 * scale * x;
     },
     3},
    {"a factor detached", [](const Tensor& x) { return x * (x.detach() * 0 + 3); }, 3},
    {"a comparison", [](const Tensor& x) { return (x > 0).item() ? tensor(3.0) : tensor(0.0); }, 0},
    {"printed",
     [](const Tensor& x) {
       const std::string text = to_string(x);
       return tensor(static_cast<double>(text.size()) * 0 + 3.0);
     },
     0},
    {"a step", [](const Tensor& x) { return floor(x); }, 0},
    {"a transform inside",
     [](const Tensor& x) { return value_and_grad([](const Tensor& v) { return 3 * v * v / 2; }, x).grad; }, 3},
    {"a transform of something else inside",
     [](const Tensor& x) {
       const Tensor other = value_and_grad([](const Tensor& v) { return v * v; }, tensor(1.0)).grad;
       return other * 1.5 * x;
     },
     3},
};

}  // namespace

BOOST_AUTO_TEST_CASE(transforms_notice_what_was_lost) {
  const Tensor x = tensor(1.0);
  for (const Transform& transform : transforms)
    for (const Lost& l : lost)
      BOOST_TEST_CONTEXT(l.name << ", " << transform.name) {
        try {
          transform.run(l.f, x, {});
          BOOST_ERROR("it throws nothing");
        } catch (const Error& e) {
          BOOST_TEST(std::string(e.what()).find(l.says) != std::string::npos, e.what());
          BOOST_TEST(std::string(e.what()).find("allow_unused") != std::string::npos, e.what());
        }
        BOOST_TEST(sum(transform.run(l.f, x, {.allow_unused = true})).item() == 0);
      }
}

BOOST_AUTO_TEST_CASE(transforms_give_zeros_where_they_are_true) {
  const Tensor x = tensor(1.0);
  for (const Transform& transform : transforms)
    for (const Kept& k : kept)
      BOOST_TEST_CONTEXT(k.name << ", " << transform.name) {
        const std::string name = transform.name;
        try {
          const double got = transform.run(k.f, x, {}).item();
          BOOST_TEST(got == (name == "hessian" || name == "hvp" ? 0 : k.slope));
        } catch (const Error& e) {
          BOOST_ERROR(e.what());
        }
      }
}

BOOST_AUTO_TEST_CASE(each_of_many_by_itself) {
  const Tensor a = tensor(2.0), b = tensor(3.0);
  const auto [y, grads] = value_and_grad(
      [](const Tensors& in) {
        const Tensor y = in[0] * in[0];
        y.item();  // looked at
        return y;
      },
      {a, b});
  BOOST_TEST(grads[0].item() == 4);
  BOOST_TEST(grads[1].item() == 0);
  BOOST_CHECK_EXCEPTION(value_and_grad([](const Tensors& in) { return in[0] * in[1].item(); }, {a, b}), Error,
                        says("argument 1"));
}
