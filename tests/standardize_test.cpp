// Rows less their mean and divided by their spread: the fused pass against the formula in f64, and what it keeps of numbers
// that are far from 0. Derivatives are in the gradient sweep, and layers against PyTorch's numbers in nn_layers_test.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "helpers.hpp"
#include <xgrad/autodiff.hpp>

using namespace xgrad;

namespace {

// The formula of ops.
Tensor formula(const Tensor& x, bool centred, double eps, const Tensor& w, const Tensor& b) {
  const Tensor d = centred ? x - mean(x, -1, true) : x;
  Tensor y = d * rsqrt(mean(square(d), -1, true) + eps);
  if (w.defined()) y = y * w;
  return b.defined() ? y + b : y;
}
Tensor fused(const Tensor& x, bool centred, double eps, const Tensor& w, const Tensor& b) {
  return centred ? standardize(x, 1, eps, w, b) : divide_by_rms(x, 1, eps, w);
}

double furthest(const Tensor& x, const Tensor& y) {
  return x.numel() == 0 ? 0 : amax(abs(cast(x, f64) - cast(y, f64))).item();
}

}  // namespace

// Rows shorter than a vector, of whole vectors and of parts of one, of several chunks; one job and many.
BOOST_AUTO_TEST_CASE(one_pass_is_the_formula) {
  manual_seed(3);
  for (const DType dtype : {f32, f64})
    for (const Shape& shape : {Shape{3, 1}, Shape{5, 3}, Shape{9, 16}, Shape{4, 31}, Shape{70, 33}, Shape{40, 600},
                               Shape{3, 5000}, Shape{1200, 20}})
      for (int operands = 0; operands < 4; ++operands)
        for (const bool centred : {true, false}) {
          if (!centred && operands > 1) continue;
          const bool weighted = operands & 1, biased = operands & 2;
          const Tensor x = randn(shape, dtype) + 0.5, g = randn(shape, dtype);
          const Tensor w = weighted ? rand({shape.back()}, dtype) + 0.5 : Tensor(),
                       b = biased ? randn({shape.back()}, dtype) : Tensor();
          const auto results = [&](const auto& f, DType as) {
            Tensors in{watch(cast(x, as))};
            for (const Tensor& t : {w, b})
              if (t.defined()) in.push_back(watch(cast(t, as)));
            std::size_t next = 1;
            const Tensor own_w = weighted ? in[next++] : Tensor(), own_b = biased ? in[next++] : Tensor();
            const Tensor y = f(in[0], centred, 1e-5, own_w, own_b);
            Tensors all = grad(y, Wrt(in), cast(g, as));
            all.push_back(y);
            return all;
          };
          const Tensors got = results(fused, dtype), wanted = results(formula, f64);
          for (std::size_t i = 0; i < got.size(); ++i) {
            const double size = 1 + amax(abs(wanted[i])).item(), bound = dtype == f32 ? 2e-6 : 4e-15;
            BOOST_CHECK_MESSAGE(
                furthest(got[i], wanted[i]) <= bound * size,
                fmt::format("{} {}, weight {}, bias {}, centred {}, result {}: off by {:.2g} of {:.2g}", name(dtype),
                            shape, weighted, biased, centred, i, furthest(got[i], wanted[i]), size));
          }
        }
}

// The mean is rounded, and what is left of it is taken from the numbers too: of f32 far from 0 no digits are lost.
BOOST_AUTO_TEST_CASE(numbers_far_from_0_keep_their_digits) {
  manual_seed(5);
  const Tensor x = round(randn({6, 700}) * 64) / 64 + 10'000.0f;  // exact in f32
  const Tensor y = standardize(x, 1, 1e-5), exact = formula(cast(x, f64), true, 1e-5, {}, {});
  BOOST_CHECK_LE(furthest(y, exact), 1e-6);
  const Tensor g = randn({6, 700});
  const Tensor gx = vjp([](const Tensor& t) { return standardize(t, 1, 1e-5); }, x).pullback(g);
  const Tensor gx_exact =
      vjp([](const Tensor& t) { return formula(t, true, 1e-5, {}, {}); }, cast(x, f64)).pullback(cast(g, f64));
  BOOST_CHECK_LE(furthest(gx, gx_exact), 1e-5);
  const Tensor alike = full({3, 100}, 12345.678f);  // no spread at all
  BOOST_CHECK_EQUAL(amax(abs(standardize(alike, 1, 1e-5))).item(), 0);
}

BOOST_AUTO_TEST_CASE(what_is_not_finite_spoils_its_row_alone) {
  Tensor x = randn({3, 40});
  const Tensor spoilt = where(arange(120) == 50, INFINITY, reshape(x, {120}));
  const Tensor y = standardize(reshape(spoilt, {3, 40}), 1, 1e-5), finite = isfinite(y);
  BOOST_CHECK(all(finite[0]).item() && all(finite[2]).item() && !any(finite[1]).item());
}

// One rule for derivatives of every order: a gradient's bits do not depend on whether it will be differentiated.
BOOST_AUTO_TEST_CASE(a_gradient_that_can_be_differentiated_has_the_same_bits) {
  manual_seed(7);
  for (const DType dtype : {f32, f64})
    for (const Shape& shape : {Shape{5, 3}, Shape{70, 33}, Shape{1200, 20}}) {
      const Tensor x = watch(randn(shape, dtype)), w = watch(rand({shape.back()}, dtype) + 0.5),
                   b = watch(randn({shape.back()}, dtype)), g = randn(shape, dtype);
      const auto gradients = [&](bool create_graph) {
        return grad(standardize(x, 1, 1e-5, w, b), {x, w, b}, g, {.create_graph = create_graph});
      };
      const Tensors once = gradients(false), again = gradients(true);
      for (std::size_t i = 0; i < once.size(); ++i) BOOST_CHECK(all(once[i] == again[i]).item());
    }
}

BOOST_AUTO_TEST_CASE(integers_and_dtypes_meet) {
  BOOST_CHECK(standardize(tensor({{1, 2}, {3, 5}})).dtype() == f32);
  BOOST_CHECK(standardize(ones({2, 3}), 1, 1, ones({3}, f64)).dtype() == f64);
}
