// Formulas run over memory in place, against the same formulas on tensors.
#define BOOST_TEST_MODULE fused
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/fused.hpp>
#include <xgrad/autodiff/memory.hpp>
#include "helpers.hpp"

using namespace xgrad;
using helpers::says;

namespace {

using Formula = void (*)(Tensors&);
struct Row {
  const char* name;
  Formula f;
};
// Of four operands.
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
    {"a slope beside its function", [](Tensors& x) { x[0] = tanh(x[1]) * x[0]; x[1] = tanh_slope(x[1]) + x[2]; }},
};

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

BOOST_AUTO_TEST_CASE(what_is_not_elementwise) {
  const auto refused = [](const Callable<void(Tensors&)>& f, const char* part) {
    BOOST_TEST_CONTEXT(part) BOOST_CHECK_EXCEPTION(Fused(f, 2, f32, "Rule"), Error, says(part));
  };
  const int line = __LINE__ + 1;
  const auto norms = [](Tensors& x) { x[0] = x[0] / norm(x[1]); };
  BOOST_TEST(helpers::line_of_error([&] { Fused(norms, 2, f32, "Rule"); }) == line);
  refused(norms, "[Rule] says that it is elementwise, but norm is not");
  refused([](Tensors& x) { x[0] = x[0] - mean(x[1]); }, "but sum is not");
  refused([](Tensors& x) { x[0] = flip(x[0], 0); }, "but slice is not");
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
