// Eager, NoGrad, detach, evaluate: what they do, and that they end when they are left, by an Error too; and that reading
// a value changes no bits.
#include <boost/test/unit_test.hpp>
#include <functional>
#include <vector>

#include <xgrad/autodiff.hpp>
#include "helpers.hpp"

using namespace xgrad;
using namespace helpers;

namespace {

Tensor gelu(const Tensor& x) { return 0.5 * x * (1 + tanh(0.79788 * (x + 0.044715 * x * x * x))); }

}  // namespace

BOOST_AUTO_TEST_CASE(eager_leaves_nothing_waiting) {
  const Tensor x = evaluate(randn({300, 70})), waiting = tanh(x);
  const Eager scope;
  const Tensor results[] = {exp(x),
                            sum(x),
                            sum(x, 0),
                            sum(x, 1),
                            amax(x),
                            matmul(x, transpose(x)),
                            softmax(x, 1),
                            concat({x, x}),
                            contiguous(flip(x, 0)),
                            cast(x, f64),
                            where(x > 0, x, 0),
                            sum(waiting),
                            matmul(transpose(waiting), x),
                            cumsum(x, 0),
                            index_select(x, 0, tensor({1, 0, 2})),
                            pad(x, 0, 1, 1),
                            argmax(x, 1)};
  for (const Tensor& y : results) BOOST_TEST(!y.pending());
  BOOST_TEST(counters().pending == 0u);
}

BOOST_AUTO_TEST_CASE(casts_of_what_is_not_stored) {
  const DType all[] = {f32, f64, i64, boolean};
  for (const DType from : all)
    for (const DType to : all) {
      const Tensor x = evaluate(cast(randn({5000}, f64) * 3.0, from == boolean ? i64 : from));
      const auto program = [&] {
        const Tensor inner = from == boolean ? x > 0 : x * x - x;  // in scratch
        const Tensor y = cast(inner, to);
        return to == boolean ? cast(logical_not(y), i64) : y + y;
      };
      const Tensor fused = program();
      Tensor eager;
      {
        const Eager scope;
        eager = program();
      }
      BOOST_TEST(same_bits(fused, eager), name(from) << " to " << name(to));
    }
}

BOOST_AUTO_TEST_CASE(errors_leave_the_scopes_as_they_were) {
  Parameter w = parameter(2.0);
  const Tensor x = tensor(3.0);
  const Function thrower = [](const Tensor&) -> Tensor { throw Error("no"); };
  const FunctionOfMany many = [](const Tensors&) -> Tensor { throw Error("no"); };
  const std::function<void()> calls[] = {
      [&] { value_and_grad(thrower, x); }, [&] { value_and_grad(many, {x}); },
      [&] { jvp(thrower, x, 1.0); },       [&] { vjp(thrower, x); },
      [&] { hvp(thrower, x, 1.0); },       [&] { hessian(thrower, x); },
      [&] { jacobian(thrower, x); },       [&] { checkpoint(thrower, x); },
      [&] { checkpoint(many, {x}); },
  };
  for (const auto& call : calls) {
    BOOST_CHECK_THROW(call(), Error);
    BOOST_TEST((w * x).requires_grad());
    const NoGrad no_grad;
    BOOST_CHECK_THROW(call(), Error);
    BOOST_TEST(!(w * x).requires_grad());
  }
  BOOST_TEST((w * x).requires_grad());
}

BOOST_AUTO_TEST_CASE(no_grad_acts_where_an_op_is_recorded) {
  Parameter w = parameter(randn({5000}));
  const Tensor outside = sum(tanh(w));
  Tensor inside;
  {
    const NoGrad no_grad;
    inside = tanh(w);
    BOOST_TEST(!inside.requires_grad());
    BOOST_TEST(outside.requires_grad());
    outside.backward();  // recorded before: its derivative is there
    const NoGrad nested;
  }
  BOOST_TEST(w.grad().defined());
  BOOST_TEST(!inside.requires_grad());  // whenever it is evaluated
  BOOST_TEST(tanh(w).requires_grad());
  BOOST_CHECK_EXCEPTION(sum(inside).backward(), Error, says("NoGrad"));
}

BOOST_AUTO_TEST_CASE(detach_cuts) {
  for (const Size n : {Size{3}, Size{5000}}) {
    Parameter w = parameter(randn({n}));
    const Tensor y = tanh(w), cut = y.detach();
    BOOST_TEST(!cut.requires_grad());
    BOOST_TEST(same_bits(cut, y));
    const Tensor g = grad(sum(cut * w), {w})[0];
    BOOST_TEST(same_bits(g, y));
    BOOST_TEST(!w.detach().requires_grad());
  }
  Tensor cut;  // it does not hold the record
  Parameter w = parameter(randn({5000}));
  const Counters c = during([&] { cut = evaluate(tanh(tanh(w))).detach(); });
  BOOST_TEST(c.taped == 0u);
}

BOOST_AUTO_TEST_CASE(eager_runs_each_op_at_once_with_the_same_bits) {
  const Tensor x = evaluate(randn({300, 70}));
  const auto program = [&] {
    const Tensor y = gelu(x) - mean(x, 1, true);
    return sum(y * transpose(transpose(x)), 0) / 3 + amax(y, 0);
  };
  const Tensor fused = program();
  BOOST_TEST(fused.pending());
  Tensor eager;
  {
    const Eager scope;
    BOOST_TEST(!tanh(x).pending());
    eager = program();
    BOOST_TEST(!eager.pending());
  }
  BOOST_TEST(tanh(x).pending());
  BOOST_TEST(same_bits(fused, eager));
}

BOOST_AUTO_TEST_CASE(evaluate_forces_and_returns_its_argument) {
  const Tensor x = evaluate(randn({5000}));
  const Tensor a = tanh(x), b = exp(x), c = a * b;
  const Tensor same = evaluate(a);
  BOOST_TEST(same.node() == a.node());
  BOOST_TEST(!a.pending());
  BOOST_TEST(b.pending());
  evaluate(b, c);
  BOOST_TEST(!b.pending());
  BOOST_TEST(!c.pending());
  evaluate(Tensors{});
  BOOST_TEST(evaluate(2.5).item() == 2.5);
}

// ---- reading changes nothing

BOOST_AUTO_TEST_CASE(reading_intermediates_changes_no_bits) {
  const Tensor start = evaluate(randn({37, 129}));
  const auto program = [&](unsigned reads) {
    std::vector<Tensor> steps;
    const auto note = [&](const Tensor& t) {
      if (reads >> steps.size() & 1) sum(t).item();
      steps.push_back(t);
      return t;
    };
    Parameter x = parameter(start);
    const Tensor a = note(tanh(x * 1.7f)), b = note(exp(a) * a + x), c = note(b - mean(b, 1, true));
    const Tensor d = note(c * sum(c, 0)), e = note(sum(d / (1 + square(b))));
    e.backward({.keep_graph = (reads & 1) != 0});
    return Tensors{e, x.grad()};
  };
  const Tensors expected = program(0);
  for (unsigned reads = 1; reads < 32; ++reads) {
    const Tensors got = program(reads);
    BOOST_TEST(same_bits(got[0], expected[0]));
    BOOST_TEST(same_bits(got[1], expected[1]));
  }
}

BOOST_AUTO_TEST_CASE(random_ops_draw_their_counters_when_recorded) {
  manual_seed(7);
  const Tensor a1 = rand({5000}), b1 = rand({5000});
  manual_seed(7);
  const Tensor a2 = rand({5000}), b2 = rand({5000});
  evaluate(b2);  // in the other order
  BOOST_TEST(same_bits(b1, b2));
  BOOST_TEST(same_bits(a1, a2));
  BOOST_TEST(!same_bits(a1, b1));
  Parameter w = parameter(ones({5000}));
  const Tensor masked = w * cast(rand({5000}) < 0.5f, f32);  // the same mask forward and backward, and again
  const Tensor value = masked.detach();
  BOOST_TEST(same_bits(grad(sum(masked), {w})[0], value));
  BOOST_TEST(same_bits(grad(sum(masked), {w})[0], value));
}

// ---- what errors inside of a function of ops are called

BOOST_AUTO_TEST_CASE(errors_go_by_the_outermost_name_that_is_given) {
  const Tensor x = ones({3}), none;
  const auto wrong = [&] { x + ones({4}); };
  const auto check = [&](const char* own, const char* composite) {
    norm(x);  // one that went well leaves no name behind
    BOOST_CHECK_EXCEPTION(wrong(), Error, says(own));
    BOOST_CHECK_EXCEPTION(norm(none), Error, says(composite));
    BOOST_CHECK_EXCEPTION(wrong(), Error, says(own));  // nor one that failed
    const Function f = [&](const Tensor&) -> Tensor {  // the user's own ops again
      BOOST_CHECK_EXCEPTION(wrong(), Error, says("[add]"));
      BOOST_CHECK_EXCEPTION(norm(none), Error, says("[norm]"));
      return x;
    };
    vjp(f, x);
    BOOST_CHECK_EXCEPTION(wrong(), Error, says(own));
  };
  const Source line = Source::here();
  check("[add]", "[norm]");
  {
    const Located unnamed(line);
    check("[add]", "[norm]");
    const Located named(line, "mine");
    check("[mine]", "[mine]");
    const Located later(line, "not mine");
    check("[mine]", "[mine]");
  }
  check("[add]", "[norm]");
}

// An op that has nothing to do gives back its operand, but under NoGrad without its history: as if it had been recorded.
BOOST_AUTO_TEST_CASE(no_grad_acts_on_ops_that_change_nothing) {
  struct Unchanging {
    const char* name;
    Tensor (*op)(const Tensor& x);  // of a matrix of one row
  };
  // clang-format off
  const std::vector<Unchanging> ops{
      {"reshape", [](const Tensor& x) { return reshape(x, {1, -1}); }},
      {"flatten", [](const Tensor& x) { return flatten(x[0]); }},
      {"permute", [](const Tensor& x) { return permute(x, {0, 1}); }},
      {"transpose", [](const Tensor& x) { return transpose(x, 1, 1); }},
      {"transpose of a vector", [](const Tensor& x) { return transpose(x[0]); }},
      {"expand", [](const Tensor& x) { return expand(x, x.shape()); }},
      {"slice", [](const Tensor& x) { return slice(x, 1, 0); }},
      {"cast", [](const Tensor& x) { return cast(x, x.dtype()); }},
      {"pow", [](const Tensor& x) { return pow(x, 1); }},
      {"sum of a number", [](const Tensor& x) { return sum(x[0][0]); }},
      {"sum over no axes", [](const Tensor& x) { return sum(x, {}); }},
      {"amax of a number", [](const Tensor& x) { return amax(x[0][0]); }}};
  // clang-format on
  for (const Size n : {3, 3000})
    for (const Unchanging& each : ops) {
      const Tensor x = watch(ones({1, n})) * 2;
      BOOST_TEST(each.op(x).requires_grad(), each.name);
      const Tensor inside = [&] {
        const NoGrad no_grad;
        return each.op(x);
      }();
      BOOST_TEST(!inside.requires_grad(), each.name << " of " << n);
    }
}
