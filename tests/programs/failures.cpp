// Steps that fail, in the library or in a user's function. They give back what they were given: all goes on as before.
#include <memory>
#include <optional>
#include <stdexcept>

#include "generator.hpp"
#include "run.hpp"

namespace programs {

namespace {

struct Thrown : std::runtime_error {  // a user's own
  using std::runtime_error::runtime_error;
};

// Does f throw, and leave nothing on the record?
template <class F>
void expect_error(const char* what, const F& f) {
  const Counters before = counters();
  bool thrown = false;
  try {
    f();
  } catch (const Error&) {
    thrown = true;
  } catch (const Thrown&) {
    thrown = true;
  }
  const Counters after = counters();
  if (!thrown) throw Mismatch(std::string(what) + ": no Error");
  if (after.pending > before.pending || after.taped > before.taped)
    throw Mismatch(fmt::format("{}: {} pending nodes and {} on the tape were left behind", what,
                               after.pending - before.pending, after.taped - before.taped));
}

Tensor throws(const Tensor& v) {
  const Tensor some = sin(v) * 2 + v;
  if (some.defined()) throw Thrown("a user's function");
  return some;
}
const Function throwing = [](const Tensor& v) { return throws(v); };

// The way down throws, the way up does not.
const CustomOp& bad_rule() {
  static const CustomOp op(
      {.name = "bad_rule",
       .forward = [](const Tensors& in) { return in[0] * 2; },
       .vjp = [](const Tensor& g, const Tensors&, const Tensor&) -> Tensors { return {throws(g)}; }});
  return op;
}
const CustomOp& bad_op() {
  static const CustomOp op({.name = "bad_op",
                            .forward = [](const Tensors& in) { return throws(in[0]); },
                            .vjp = [](const Tensor& g, const Tensors&, const Tensor&) -> Tensors { return {g}; }});
  return op;
}

struct Failure {
  const char* name;
  void (*run)(const Tensor& x);
  bool recording;  // makes sense where derivatives are recorded alone
};
// clang-format off
const std::vector<Failure> failures{
    {"reshape", [](const Tensor& x) { reshape(x * 2, {x.numel() + 1}); }, false},
    {"matmul", [](const Tensor& x) { matmul(reshape(sin(x), {1, x.numel()}), zeros({x.numel() + 1, 2}, x.dtype())); },
     false},
    {"add", [](const Tensor& x) { (void)(stack({reshape(x * 2, {-1}), reshape(x, {-1})}) + zeros({3, 1}, x.dtype())); },
     false},
    {"index", [](const Tensor& x) { index_select(reshape(x + 1, {-1}), 0, full({1}, x.numel(), i64)); }, false},
    {"gather", [](const Tensor& x) { gather(reshape(x + 1, {-1}), 0, argmax(zeros({3})) - 1 + zeros({1}, i64)); }, false},
    {"in scopes", [](const Tensor& x) {
       const NoGrad no_grad;
       const Eager eager;
       concat({reshape(cos(x), {1, x.numel()}), zeros({1, x.numel() + 1}, x.dtype())}, 0);
     }, false},
    {"forward", [](const Tensor& x) { bad_op()(x + 1); }, false},
    {"rule", [](const Tensor& x) {
       const Tensor v = watch(x.detach());
       grad(sum(sin(bad_rule()(v * 3))), {v});
     }, true},
    {"rule, backward", [](const Tensor& x) {
       Parameter p(x.detach());
       sum(bad_rule()(p * 3) + p).backward();
     }, true},
    {"checkpoint", [](const Tensor& x) { checkpoint(throwing, x); }, false},
    {"checkpoint, inside", [](const Tensor& x) {
       checkpoint([](const Tensor& v) { return v + checkpoint(throwing, cos(v)); }, x);
     }, false},
    {"checkpoint, the second time", [](const Tensor& x) {
       const auto first = std::make_shared<bool>(true);
       const Tensor v = watch(x.detach());
       const Tensor y = checkpoint([first](const Tensor& u) {
         if (!std::exchange(*first, false)) throws(u);
         return sin(u) * u;
       }, v * 2);
       grad(sum(y), {v});
     }, true},
    {"value_and_grad", [](const Tensor& x) { value_and_grad(throwing, x); }, true},
    {"vjp", [](const Tensor& x) { vjp(throwing, x); }, true},
    {"jvp", [](const Tensor& x) { jvp(throwing, x, x); }, true},
    {"hvp", [](const Tensor& x) { hvp(throwing, x, x); }, true},
    {"jvp of a bad rule", [](const Tensor& x) {
       jvp([](const Tensor& v) { return bad_rule()(v * 2); }, x, x);
     }, true},
    {"jacobian", [](const Tensor& x) { jacobian([](const Tensor& v) { return bad_rule()(v); }, reshape(x, {-1})); }, true},
    {"grad of nothing", [](const Tensor& x) { grad(sum(x * 2), {watch(x)}); }, true},
    {"backward twice", [](const Tensor& x) {
       Parameter p(x.detach());
       const Tensor y = sum(sin(p * 2) * p);
       y.backward();
       y.backward();
     }, true}};
// clang-format on

}  // namespace

void Generator::fail() {
  const Failure& f = dice_.by_name(failures);
  const int x = some_float();
  if ((no_grad_ && f.recording) || at(x).shape.numel() == 0) return;
  const int slot =
      add(fmt::format("fails: {} of %{}", f.name, x), {x}, at(x).dtype, at(x).shape, bound(x), [f](const Tensors& in) {
        expect_error(f.name, [&] { f.run(in[0]); });
        return in[0];
      });
  Step& s = p_.steps[static_cast<std::size_t>(slot)];  // the same tensor, history and all, under NoGrad too
  s.cut = false;
  s.depends = at(x).depends;
}

}  // namespace programs
