// Formulas run over memory in place, against the same formulas on tensors.
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <limits>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/fused.hpp>
#include <xgrad/autodiff/memory.hpp>
#include "autodiff/engine/machine_code.hpp"
#include "autodiff/engine/pages.hpp"
#include "helpers.hpp"

using namespace xgrad;
using engine::Op;
using helpers::same_bits;
using helpers::says;

namespace {

using Formula = void (*)(Tensors&);
struct Row {
  const char* name;
  Formula f;
};
// Of four operands.
// clang-format off
const Row rows[] = {
    {"nothing", [](Tensors&) {}},
    {"one", [](Tensors& x) { x[0] = x[0] - 0.1 * x[1]; }},
    {"read after it is written", [](Tensors& x) { const Tensor p = x[0]; x[0] = x[0] - 0.1 * x[1]; x[2] = p * x[2] + sqrt(abs(p)); }},
    {"all from each", [](Tensors& x) { x = {x[1] + x[2], x[0] * x[3], x[3] - x[0], x[0] + x[1] + x[2]}; }},
    {"swapped", [](Tensors& x) { x = {x[1], x[0], x[3], x[2]}; }},
    {"a copy", [](Tensors& x) { x[2] = x[1]; }},
    {"two alike", [](Tensors& x) { x[2] = x[3] = x[0] * x[1]; }},
    {"a constant", [](Tensors& x) { x[3] = zeros_like(x[3]) + 0.5; }},
    {"a number", [](Tensors& x) { x[3] = full_like(x[3], 0.25); }},
    {"Adam", [](Tensors& x) {
       x[2] = 0.9 * x[2] + 0.1 * x[1];
       x[3] = 0.999 * x[3] + 0.001 * square(x[1]);
       x[0] = x[0] - 0.01 * x[2] / (sqrt(x[3]) * 1.7 + 1e-8);
     }},
    {"choices", [](Tensors& x) {
       const Tensor turned = x[1] * x[2] < 0;
       x[2] = where(turned, x[2] * 0.5, minimum(x[2] * 1.2, 50.0));
       x[0] = where(turned, x[0], x[0] - sign(x[1]) * x[2]);
     }},
    {"wide", [](Tensors& x) {
       Tensor y = x[0];
       for (int i = 0; i < 40; ++i) y = tanh(y * x[1] + x[2]) * exp(-abs(x[3])) + 0.1 * y;
       x[0] = y;
       x[1] = y * y + log1p(abs(y));
     }},
    {"every op that machine code has", [](Tensors& x) {
       const Tensor a = x[0], b = x[1], c = x[2];
       const Tensor some = (a == b) || (a != c && !(b < c)), more = (a <= b) && (b > 0.25 || c >= a);
       x[0] = where(some, a + b, a - b) + where(more, a * b, a / b) * neg(c);
       x[1] = maximum(a, b) + minimum(b, c) * sign(a) + floor(a) + ceil(b) - round(c * 3);
       x[2] = sqrt(abs(a)) + rsqrt(square(b) + 1) - reciprocal(c) + relu(a) + clamp(b, -0.5, 0.5);
       x[3] = leaky_relu(a, 0.1) + lerp(b, c, x[3]) + 1 / a + (2 - b) + maximum(c, 0.5) - sign(c);
     }},
    {"more values than registers", [](Tensors& x) {
       Tensors kept;
       for (int i = 0; i < 40; ++i) kept.push_back(x[i % 4] * (i + 0.5) + x[(i + 1) % 4]);
       const Tensor first = x[0];
       x[0] = kept[0] * x[1];
       Tensor y = x[0];
       for (int i = 39; i > 0; --i) y = maximum(y * 0.5, kept[i]) - kept[39 - i];
       x[1] = y, x[2] = first + kept[20], x[3] = y + 0.25 * kept[7];
     }},
    {"bounds that are numbers", [](Tensors& x) {
       const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
       const Tensor a = x[0], b = x[1], c = x[2];
       x[0] = maximum(minimum(a, 0.5), -0.25) + maximum(-1.5, minimum(2.0, x[3]));
       x[1] = maximum(b, -0.0);
       x[2] = minimum(c, 0.0);
       x[3] = clamp(a, -inf, 1.0) + maximum(b, nan) * 0.0 + minimum(nan, minimum(c, inf));
     }},
    {"masks of masks", [](Tensors& x) {
       const Tensor a = x[0], b = x[1], c = x[2];
       const Tensor less = a < b, both = a < b && b < c, none = !(b < c);
       x[0] = where(a < c && c < b, a, b) + where(less, b, c);
       x[1] = where(!(a < c), where(both, a * c, b), c);
       x[2] = where(none, maximum(a, b), c) - where(both || none, a, b);
     }},
    {"more masks than registers", [](Tensors& x) {
       Tensors masks;
       for (int i = 0; i < 40; ++i) masks.push_back(x[i % 3] < x[(i + 1) % 3] * (0.1 * i));
       Tensor y = x[0] + x[1];
       for (int i = 40; i-- > 0;) y = where(masks[i], y * 0.9 + x[3], where(masks[39 - i], x[2], y));
       x[1] = y;
     }},
    {"a slope beside its function", [](Tensors& x) { x[0] = tanh(x[1]) * x[0]; x[1] = tanh_slope(x[1]) + x[2]; }},
};
// clang-format on

Tensor copy_of(const Tensor& x) { return from_memory(readable(contiguous(x)), x.shape(), x.dtype()); }

}  // namespace

BOOST_AUTO_TEST_CASE(in_place_as_on_tensors) {
  manual_seed(1);
  for (const DType dtype : {f32, f64})
    for (const Row& row : rows) {
      const Fused fused([&](Tensors& x) { row.f(x); }, 4, dtype, row.name);
      for (const Size n : {1, 7, 511, 512, 513, 2000}) {
        BOOST_TEST_CONTEXT(row.name << " " << name(dtype) << " " << n) {
          Tensors x;
          for (int k = 0; k < 4; ++k) x.push_back(k == 3 ? rand({n}, dtype) : randn({n}, dtype));
          Tensors expected = x;
          row.f(expected);
          Tensors got;
          std::vector<char*> base;
          for (const Tensor& t : x) got.push_back(copy_of(t));
          for (const Tensor& t : got) base.push_back(static_cast<char*>(const_cast<void*>(readable(t))));
          Fused::Worker worker(fused);
          const Size cut = n > 600 ? 512 : n;  // in two runs
          worker(base.data(), 0, cut);
          if (cut < n) worker(base.data(), cut, n);
          for (int k = 0; k < 4; ++k) {
            BOOST_TEST(helpers::same_bits(got[k], expected[k]), "operand " << k);
            BOOST_TEST(fused.changes(k) == (expected[k].node() != x[k].node()));
          }
        }
      }
    }
}

namespace {

// Which NaN is nobody's promise.
bool same_or_nan(const Tensor& a, const Tensor& b) {
  const Tensor no = zeros_like(a);
  return same_bits(where(a != a, no, a), where(b != b, no, b)) && same_bits(a != a, b != b);
}
// f on tensors and in place, from the same numbers.
void check(const Fused& fused, const Callable<void(Tensors&)>& f, const Tensors& x) {
  Tensors expected = x, got;
  f(expected);
  std::vector<char*> base;
  for (const Tensor& t : x) got.push_back(copy_of(t));
  for (const Tensor& t : got) base.push_back(static_cast<char*>(const_cast<void*>(readable(t))));
  Fused::Worker worker(fused);
  worker(base.data(), 0, x[0].numel());
  for (std::size_t k = 0; k < x.size(); ++k) BOOST_TEST(same_or_nan(got[k], expected[k]), "operand " << k);
}

}  // namespace

BOOST_AUTO_TEST_CASE(special_numbers) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const DType dtype : {f32, f64}) {
    const Tensor odd = tensor({0.0, -0.0, 1.0, -1.0, 0.5, -2.5, inf, -inf, nan, 1e-310, 3e-39, 1e38, -1e300});
    const Size n = odd.numel();
    const auto along = [&](int axis) {  // each with each
      Shape one{1, 1, 1};
      one[static_cast<std::size_t>(axis)] = n;
      return cast(reshape(expand(reshape(odd, one), {n, n, n}), {n * n * n}), dtype);
    };
    const Tensors x{along(0), along(1), along(2), flip(along(0), 0)};
    for (const Row& row : rows)
      BOOST_TEST_CONTEXT(row.name << " " << name(dtype))
        check(Fused([&](Tensors& y) { row.f(y); }, 4, dtype, row.name), row.f, x);
  }
}

BOOST_AUTO_TEST_CASE(renewed) {
  manual_seed(2);
  const Tensors x{randn({77}), randn({77})};
  double a = 0.5;
  bool other = false;
  const auto f = [&](Tensors& y) {
    y[0] = a * y[0] + (1 - a) * y[1];
    if (other) y[1] = y[0] * y[0];
    else y[1] = y[0] / a;
  };
  Fused fused(f, 2, f32, "Rule");
  for (const double now : {0.5, 0.25, 1.0, 0.0, 0.75, 1e-3}) {  // 1 and 0 fold
    a = now;
    for (const bool changed : {false, true, true, false}) {
      other = changed;
      fused.renew(f, "Rule");
      BOOST_TEST_CONTEXT(a << " " << other) check(fused, f, x);
    }
  }
  // A bound that becomes 0 or NaN, whose code is not that of other numbers.
  double bound = 0.5;
  const auto bounded = [&](Tensors& y) { y[0] = minimum(maximum(y[0], bound), -bound); };
  Fused clamped(bounded, 2, f32, "Rule");
  const Tensors odd{cast(tensor({0.0, -0.0, 2.0, -2.0, std::numeric_limits<double>::quiet_NaN()}), f32), zeros({5})};
  for (const double now : {0.5, 0.0, -0.5, -0.0, std::numeric_limits<double>::quiet_NaN(), 1.0}) {
    bound = now;
    clamped.renew(bounded, "Rule");
    BOOST_TEST_CONTEXT(bound) check(clamped, bounded, odd);
  }
  // What is not elementwise any more is refused, and the formula is as it was.
  other = false;
  BOOST_CHECK_EXCEPTION(fused.renew([](Tensors& y) { y[0] = sum(y[0]); }, "Rule"), Error,
                        says("of the operand's shape"));
  check(fused, f, x);
}

BOOST_AUTO_TEST_CASE(machine_code_has_the_bits_of_kernels) {
  using engine::Formula;
  constexpr int n = Formula::first_number;
  Formula f{f32, 12, {{Op::mul, 2, {-1, n}}, {Op::add, 2, {0, -12}}, {Op::exp, 1, {1}}}, {}, {3}};
  f.results.assign(12, 0);
  for (int k = 0; k < 12; ++k) f.results[k] = -1 - k;
  f.results[5] = 1;
  const auto code = engine::MachineCode::of(f);  // what nobody wants needs no instruction
  BOOST_TEST(bool(code) == (engine::code_when() != engine::CodeWhen::never));
  f.results[6] = 2;
  BOOST_TEST(!engine::MachineCode::of(f));
  if (!code) return;
  float numbers[12][19];
  char* base[12];
  for (int k = 0; k < 12; ++k) {
    base[k] = reinterpret_cast<char*>(numbers[k]);
    for (int i = 0; i < 19; ++i) numbers[k][i] = static_cast<float>(k + 0.1 * i);
  }
  (*code)(base, 1, 18);  // two vectors, and one more
  for (int k = 0; k < 12; ++k)
    for (int i = 0; i < 19; ++i)
      BOOST_TEST(numbers[k][i] ==
                 (k == 5 && i > 0 && i < 18 ? numbers[0][i] * 3.0f + numbers[11][i] : static_cast<float>(k + 0.1 * i)));
}

BOOST_AUTO_TEST_CASE(what_is_not_elementwise) {
  const auto refused = [](const Callable<void(Tensors&)>& f, const char* part) {
    BOOST_TEST_CONTEXT(part) BOOST_CHECK_EXCEPTION(Fused(f, 2, f32, "Rule"), Error, says(part));
  };
  const int line = __LINE__ + 1;
  const auto norms = [](Tensors& x) { x[0] = x[0] / norm(x[1]); };
  BOOST_TEST(helpers::line_of_error([&] { Fused(norms, 2, f32, "Rule"); }) == line);
  refused(norms, "[Rule] says that it is elementwise, but norm is not");
  refused([](Tensors& x) { x[0] = x[0] - mean(x[1]); }, "but mean is not");
  refused([](Tensors& x) { x[0] = flip(x[0], 0); }, "but flip is not");
  refused([](Tensors& x) { x[0] = x[0] * x[1][0].item(); }, "[item] Rule says that it is elementwise");
  refused([](Tensors& x) { x[0] = x[0] * x[1].item(); }, "[item] Rule says that it is elementwise");
  refused([](Tensors& x) { x[0] = x[0] / static_cast<double>(x[0].numel()); }, "depend on the shape of the parameter");
  refused([](Tensors& x) { x[0] = sum(x[0]); }, "what operand 0 becomes is f32 ()");
  refused([](Tensors& x) { x[0] = cast(x[0], f64); }, "what operand 0 becomes is f64 (");
  refused([](Tensors& x) { x[0] = Tensor(); }, "left operand 0 empty");
  refused([](Tensors& x) { x[0] = x[0] + arange(x[0].numel()); }, "of its own");
  refused([](Tensors& x) { x.push_back(x[0]); }, "changed the number of its operands");
  refused([](Tensors& x) { x[0] = x[0] + randn(x[0].shape()); }, "of its own");
}
