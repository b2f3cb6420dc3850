// A derivative is never missing without a word: recording where it must work, and Errors that name why there is none.
#define BOOST_TEST_MODULE lost_history
#include <boost/test/unit_test.hpp>
#include <functional>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/xtensor.hpp>
#include <xgrad/nn.hpp>
#include "helpers.hpp"
#include "sweep/inputs.hpp"

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
     [](const Tensor& x) {
       return value_and_grad([](const Tensors& in) { return cube(in[0]); }, {x}).grads[0];
     }},
    {"vjp", [](const Tensor& x) { return vjp(cube, x).pullback(1.0); }},
    {"jvp",
     [](const Tensor& x) {
       return jvp([](const Tensor& v) { return v * v * v; }, x, ones(x.shape(), f64)).tangent;
     }},
    {"jacobian", [](const Tensor& x) { return jacobian(cube, x); }},
    {"hessian",
     [](const Tensor& x) {
       return sum(hessian([](const Tensor& v) { return sum(v * v * v * v) / 4; }, x), 0);
     }},
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

// Where it is asked for.
struct Place {
  const char* name;
  std::function<Tensor(const Way&)> run;
};
CustomOp squared(const std::function<void()>& in_forward, const std::function<void()>& in_vjp) {
  return CustomOp({.name = "squared",
                   .forward = [=](const Tensors& in) {
                     in_forward();
                     return square(in[0]);
                   },
                   .vjp = [=](const Tensor& g, const Tensors& in, const Tensor&) -> Tensors {
                     in_vjp();
                     return {2 * g * in[0]};
                   }});
}
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
     [](const Way& way) {
       Tensor got;
       gradcheck([&](const Tensor& x) {
         got = way.gradient(at);
         return cube(x);
       }, at);
       return got;
     }},
    {"a function that gradcheck calls under NoGrad",
     [](const Way& way) {
       Tensor got;
       const NoGrad no_grad;
       gradcheck([&](const Tensor& x) {
         got = way.gradient(at);
         return cube(x);
       }, at);
       return got;
     }},
    {"a function of value_and_grad under NoGrad",
     [](const Way& way) {
       Tensor got;
       const NoGrad no_grad;
       value_and_grad([&](const Tensor& x) {
         got = way.gradient(at);
         return cube(x);
       }, at);
       return got;
     }},
    {"a checkpoint's function",
     [](const Way& way) {
       Tensor got;
       Parameter p = parameter(at);
       checkpoint([&](const Tensor& x) {
         got = way.gradient(at);
         return cube(x);
       }, p).backward();
       return got;
     }},
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
      {"a checkpoint's",
       [&] { grad(grad(checkpoint([](const Tensor& v) { return v * v * v; }, x), {x})[0], {x}); },
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
      {"the second", [&] { grad(y, {x, unrelated}); }, "does not depend on input 1"},
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
  BOOST_TEST(grad(d * w, {x, w}, zeros)[1].item() == d.item());  // a constant factor
  BOOST_TEST(grad(unrecorded * w, {w})[0].item() == 4);
  w = w - 0.1 * grad(y * w, {w})[0];  // what is stored begins anew
  BOOST_TEST(grad(w * w, {w})[0].item() == 2 * w.item());
  BOOST_TEST(grad(grad(w * w, {w}, {.create_graph = true})[0], {w})[0].item() == 2);
}

// ---- functions whose result does not depend on x

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
    {"a transform inside", [](const Tensor& x) { return value_and_grad([](const Tensor& v) { return 3 * v * v / 2; }, x).grad; }, 3},
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
  const auto [y, grads] = value_and_grad([](const Tensors& in) {
    const Tensor y = in[0] * in[0];
    y.item();  // looked at
    return y;
  }, {a, b});
  BOOST_TEST(grads[0].item() == 4);
  BOOST_TEST(grads[1].item() == 0);
  BOOST_CHECK_EXCEPTION(value_and_grad([](const Tensors& in) { return in[0] * in[1].item(); }, {a, b}), Error,
                        says("argument 1"));
}

// ---- what takes a tensor and gives one keeps its history

namespace {

struct Passing {
  const char* name;
  std::function<Tensor(const Tensor& x)> f;
};
const std::vector<Passing> passing = {
    {"itself", [](const Tensor& x) { return x; }},
    {"contiguous", [](const Tensor& x) { return contiguous(x); }},
    {"contiguous twice", [](const Tensor& x) { return contiguous(transpose(contiguous(x))); }},
    {"evaluate", [](const Tensor& x) { return evaluate(x); }},
    {"reshape", [](const Tensor& x) { return reshape(x, {-1}); }},
    {"reshape to the same", [](const Tensor& x) { return reshape(x, x.shape()); }},
    {"flatten", [](const Tensor& x) { return flatten(x); }},
    {"cast to the same", [](const Tensor& x) { return cast(x, x.dtype()); }},
    {"cast and back", [](const Tensor& x) { return cast(cast(x, f32), f64); }},
    {"transpose", [](const Tensor& x) { return transpose(x); }},
    {"permute to the same", [](const Tensor& x) { return permute(x, {0, 1}); }},
    {"slice of all", [](const Tensor& x) { return slice(x, 0, 0); }},
    {"flip", [](const Tensor& x) { return flip(x, 0); }},
    {"expand to the same", [](const Tensor& x) { return expand(x, x.shape()); }},
    {"squeeze", [](const Tensor& x) { return squeeze(unsqueeze(x, 0), 0); }},
    {"pad by none", [](const Tensor& x) { return pad(x, 0, 0, 0); }},
    {"concat of one", [](const Tensor& x) { return concat({x}); }},
    {"stack of one", [](const Tensor& x) { return stack({x}); }},
    {"rows, stacked",
     [](const Tensor& x) {
       Tensors rows;
       for (Size i = 0; i < x.size(0); ++i) rows.push_back(x[i]);
       return stack(rows);
     }},
    {"a list's", [](const Tensor& x) { return Tensors{x}[0]; }},
    {"watch", [](const Tensor& x) { return watch(x); }},
    {"pow 1", [](const Tensor& x) { return pow(x, 1.0); }},
    {"+=",
     [](const Tensor& x) {
       Tensor y = x;
       y += 0.0;
       return y;
     }},
    {"sum_to the same", [](const Tensor& x) { return sum(unsqueeze(x, 0), 0); }},
    {"mean over an axis of 1", [](const Tensor& x) { return mean(unsqueeze(x, 0), 0); }},
    {"checkpoint of nothing", [](const Tensor& x) { return checkpoint([](const Tensor& v) { return v; }, x); }},
    {"dropout of 0", [](const Tensor& x) { return nn::dropout(x, 0.0); }},
    {"value of value_and_grad",
     [](const Tensor& x) {
       return value_and_grad([](const Tensor& v) { return sum(v); }, x).value;
     }},
    {"value of vjp", [](const Tensor& x) { return vjp([](const Tensor& v) { return v; }, x).value; }},
};
using Laid = std::pair<const char*, std::function<Tensor(const Tensor& p)>>;
const std::vector<Laid> laid = {
    {"dense", [](const Tensor& p) { return 2 * p; }},
    {"strided", [](const Tensor& p) { return transpose(2 * p); }},
    {"flipped", [](const Tensor& p) { return flip(2 * p, 1); }},
    {"a parameter's view", [](const Tensor& p) { return 2 * transpose(p); }},
    {"evaluated", [](const Tensor& p) { return transpose(evaluate(2 * p)); }},
};

}  // namespace

BOOST_AUTO_TEST_CASE(what_gives_a_tensor_back_keeps_its_history) {
  for (const Size n : {Size{3}, Size{60}})
    for (const auto& [layout, lay] : laid)
      for (const Passing& p : passing)
        BOOST_TEST_CONTEXT(p.name << ", " << layout << ", of " << n) {
          const Parameter w = parameter(reshape(linspace(0.5, 2, n * n, f64), {n, n}));
          const Tensor y = p.f(lay(w));
          BOOST_TEST(y.requires_grad());
          BOOST_TEST(allclose(grad(sum(y) + sum(w), {w})[0], 3 * ones({n, n}, f64)));
        }
  const Parameter w = parameter(2.0);  // one number, repeated
  const Tensor y = contiguous(expand(w, {3, 4}));
  BOOST_TEST(y.requires_grad());
  BOOST_TEST(grad(sum(y), {w})[0].item() == 12);
  BOOST_TEST(grad(sum(contiguous(expand(w, {60, 50})) * 1.0), {w})[0].item() == 3000);
  BOOST_TEST(jvp([](const Tensor& x) { return contiguous(transpose(x * x)); }, at * ones({3, 3}, f64),
                 ones({3, 3}, f64)).tangent[0][1].item() == 2 * at[0].item());
}

// ---- an op's result keeps its history where the slope is 0, too

namespace {

// Every row of the sweep's table leads to each of its operands: grad() gives numbers, not an Error.
void rows_keep_history(const std::vector<sweep::Row>& rows) {
  for (const sweep::Row& row : rows) {
    std::size_t tried = 0;
    for (const sweep::Case& c : cases_of(row)) {
      bool skip = c.large();
      for (const sweep::Layout l : c.layouts) skip |= l != sweep::Layout::dense;
      for (const sweep::Refusal& r : row.refused) skip = skip || r.of(c.shapes[0]);
      if (skip) continue;
      ++tried;
      BOOST_TEST_CONTEXT(c.name()) {
        sweep::Draws draws(c.name());
        Tensors x;
        for (std::size_t k = 0; k < c.shapes.size(); ++k)
          x.push_back(watch(laid_out(sample(row.domains[k], c.shapes[k], c.layouts[k], k, draws), c.shapes[k], f64,
                                     c.layouts[k])));
        const Tensor y = row.f(x);
        BOOST_TEST(y.requires_grad());
        try {
          const Tensors g = grad(sum(y), Wrt(x));
          for (std::size_t k = 0; k < x.size(); ++k) BOOST_TEST((g[k].shape() == x[k].shape()));
        } catch (const Error& e) {
          BOOST_ERROR(e.what());
        }
      }
    }
    BOOST_TEST(tried > 0u, row.name);
  }
}

// What is flat, or folds to a constant: the slope is 0 or not, but x leads there.
const std::vector<Passing> flat = {
    {"dropout of 1", [](const Tensor& x) { return nn::dropout(x, 1.0); }},
    {"dropout of half", [](const Tensor& x) { return nn::dropout(x, 0.5); }},
    {"x * 0", [](const Tensor& x) { return x * 0; }},
    {"0 * x + 1", [](const Tensor& x) { return 0.0 * x + 1; }},
    {"x * zeros", [](const Tensor& x) { return x * zeros(x.shape(), f64); }},
    {"0 / x", [](const Tensor& x) { return 0.0 / (x + 1); }},
    {"x - x", [](const Tensor& x) { return x - x; }},
    {"pow 0", [](const Tensor& x) { return pow(x, 0.0); }},
    {"pow of a tensor 0", [](const Tensor& x) { return pow(x, zeros(x.shape(), f64)); }},
    {"1 to the x", [](const Tensor& x) { return pow(1.0, x); }},
    {"sign", [](const Tensor& x) { return sign(x); }},
    {"step", [](const Tensor& x) { return step(x); }},
    {"floor", [](const Tensor& x) { return floor(x); }},
    {"ceil", [](const Tensor& x) { return ceil(x); }},
    {"round", [](const Tensor& x) { return round(x); }},
    {"half_step", [](const Tensor& x) { return half_step(x, 0.0); }},
    {"clamp from outside", [](const Tensor& x) { return clamp(x, 100.0, 200.0); }},
    {"clamp of low over high", [](const Tensor& x) { return clamp(x, 2.0, 1.0); }},
    {"at_least", [](const Tensor& x) { return at_least(x, 100.0); }},
    {"at_most", [](const Tensor& x) { return at_most(x, -100.0); }},
    {"maximum", [](const Tensor& x) { return maximum(x, 100.0); }},
    {"minimum", [](const Tensor& x) { return minimum(x, -100.0); }},
    {"relu of negative", [](const Tensor& x) { return relu(x - 100); }},
    {"leaky_relu of slope 0", [](const Tensor& x) { return nn::leaky_relu(x - 100, 0.0); }},
    {"leaky_relu of slope 1", [](const Tensor& x) { return nn::leaky_relu(x, 1.0); }},
    {"elu of 0", [](const Tensor& x) { return nn::elu(x - 100, 0.0); }},
    {"sigmoid, saturated", [](const Tensor& x) { return sigmoid(x + 1000); }},
    {"gelu", [](const Tensor& x) { return nn::gelu(x - 1000); }},
    {"silu", [](const Tensor& x) { return nn::silu(x - 1000); }},
    {"where never", [](const Tensor& x) { return where(x > 100.0, x, 0.0); }},
    {"where by one boolean", [](const Tensor& x) { return where(tensor(false), x, 0.0); }},
    {"where of one boolean", [](const Tensor& x) { return where(tensor(true), 0.0, x); }},
    {"log_or_0", [](const Tensor& x) { return log_or_0(x); }},
    {"norm of 0", [](const Tensor& x) { return norm(x * 0); }},
    {"stddev of alike", [](const Tensor& x) { return stddev(x * 0); }},
    {"var of alike", [](const Tensor& x) { return var(x * 0); }},
    {"prod with zeros", [](const Tensor& x) { return prod(x * 0); }},
    {"amax", [](const Tensor& x) { return amax(x * 0); }},
    {"mean", [](const Tensor& x) { return mean(x * 0); }},
    {"sum over no axes", [](const Tensor& x) { return sum(x, std::initializer_list<At>{}); }},
    {"amax over no axes", [](const Tensor& x) { return amax(x, std::initializer_list<At>{}); }},
    {"sum of an empty slice", [](const Tensor& x) { return sum(slice(x, 0, 0, 0)); }},
    {"an empty slice", [](const Tensor& x) { return slice(x, 0, 0, 0); }},
    {"prod of an empty slice", [](const Tensor& x) { return prod(slice(x, 0, 0, 0)); }},
    {"cumsum", [](const Tensor& x) { return cumsum(x, 0); }},
    {"softmax", [](const Tensor& x) { return softmax(x, 0); }},
    {"softmax of one", [](const Tensor& x) { return softmax(unsqueeze(x, 0), 0); }},
    {"log_softmax of one", [](const Tensor& x) { return log_softmax(unsqueeze(x, 0), 0); }},
    {"logsumexp", [](const Tensor& x) { return logsumexp(x, 0); }},
    {"pad", [](const Tensor& x) { return pad(x, 0, 1, 2); }},
    {"index_select of none", [](const Tensor& x) { return index_select(x, 0, zeros({0}, i64)); }},
    {"scatter_add", [](const Tensor& x) { return scatter_add(x, 0, zeros(x.shape(), i64), 3); }},
    {"index_add", [](const Tensor& x) { return index_add(x, 0, zeros({x.size(0)}, i64), 3); }},
    {"matmul by zeros", [](const Tensor& x) { return matmul(x, zeros({x.size(1), 2}, f64)); }},
    {"matmul by nothing", [](const Tensor& x) { return matmul(transpose(slice(x, 0, 0, 0)), zeros({0, 2}, f64)); }},
    {"linear by zeros", [](const Tensor& x) { return linear(x, zeros({2, x.size(1)}, f64), zeros({2}, f64)); }},
    {"mse_loss of itself", [](const Tensor& x) { return nn::mse_loss(x, x.detach()); }},
    {"l1_loss of itself", [](const Tensor& x) { return nn::l1_loss(x, x.detach()); }},
    {"huber_loss of itself", [](const Tensor& x) { return nn::huber_loss(x, x.detach()); }},
    {"smooth_l1_loss of itself", [](const Tensor& x) { return nn::smooth_l1_loss(x, x.detach()); }},
    {"cast to f32", [](const Tensor& x) { return cast(x, f32); }},
    {"expand of an empty one", [](const Tensor& x) { return expand(slice(x, 0, 0, 0), {0, x.size(1)}); }},
    {"stack with constants", [](const Tensor& x) { return stack({x, zeros_like(x)}); }},
};

}  // namespace

BOOST_AUTO_TEST_CASE(results_of_slope_0_keep_their_history) {
  for (const Shape& shape : {Shape{3, 4}, Shape{50, 40}, Shape{0, 4}, Shape{1, 1}})
    for (const Passing& p : flat)
      BOOST_TEST_CONTEXT(p.name << " of " << to_string(shape)) {
        Parameter w = parameter(0.25 + rand(shape, f64));
        Tensor y;
        try {
          y = p.f(w * 2.0);
        } catch (const Error& e) {  // nothing has no mean
          BOOST_TEST(shape.numel() <= 1, e.what());
          continue;
        }
        BOOST_TEST(y.requires_grad());
        try {
          const Tensor g = grad(sum(y), {w})[0];
          BOOST_TEST((g.shape() == shape));
          BOOST_TEST(allclose(g * 0, zeros(shape, f64)));  // finite
          BOOST_TEST((value_and_grad([&](const Tensor& x) { return sum(p.f(x)); }, w * 2.0).grad.shape() == shape));
          sum(y).backward();
          BOOST_TEST((w.grad().defined() && w.grad().shape() == shape));
        } catch (const Error& e) {
          BOOST_ERROR(e.what());
        }
      }
}

BOOST_AUTO_TEST_CASE(every_op_keeps_its_history) {
  rows_keep_history(sweep::elementwise_rows());
  rows_keep_history(sweep::select_rows());
  rows_keep_history(sweep::reduction_rows());
  rows_keep_history(sweep::shape_rows());
  rows_keep_history(sweep::index_rows());
  rows_keep_history(sweep::product_rows());
}
