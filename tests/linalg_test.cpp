// Linear algebra: what results are held to, by the library's sizes and by the own loops'; and what has none.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>

using namespace xgrad;

namespace {

const std::vector<Size> orders = {0, 1, 2, 3, 7, 16, 17, 40, 130};  // own loops up to 16, then LAPACK

double worst(const Tensor& x) { return x.numel() == 0 ? 0 : static_cast<double>(amax(abs(cast(x, f64))).item()); }
double bound(DType dtype, Size n) { return (dtype == f32 ? 1e-6 : 2e-15) * 8 * static_cast<double>(n + 1); }
Tensor id(Size n, DType dtype) { return eye(n, dtype); }
// Well-conditioned, and not symmetric.
Tensor matrix(Size n, DType dtype) {
  return randn({2, n, n}, dtype) / std::sqrt(static_cast<double>(n + 1)) + 3.0 * id(n, dtype);
}
Tensor symmetric(const Tensor& x) { return 0.5 * (x + transpose(x)); }

template <class F>
void for_all(const F& f) {
  manual_seed(5);
  for (const DType dtype : {f32, f64})
    for (const Size n : orders)
      BOOST_TEST_CONTEXT(name(dtype) << ", order " << n) f(n, dtype);
}

std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no Error";
}
void says(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) BOOST_TEST(text.find(part) != text.npos, text << " lacks: " << part);
}

}  // namespace

BOOST_AUTO_TEST_CASE(cholesky_is_a_root) {
  for_all([](Size n, DType dtype) {
    const Tensor x = matrix(n, dtype), y = cholesky(x);
    BOOST_TEST(worst(matmul(y, transpose(y)) - symmetric(x)) <= bound(dtype, n));
    BOOST_TEST(worst(triu(y, 1)) == 0);
  });
}

BOOST_AUTO_TEST_CASE(solutions_solve) {
  for_all([](Size n, DType dtype) {
    const Tensor a = matrix(n, dtype), b = randn({n, 3}, dtype), v = randn({n}, dtype);
    BOOST_TEST(worst(matmul(a, solve(a, b)) - b) <= bound(dtype, n));
    BOOST_TEST(worst(matmul(a, unsqueeze(solve(a, v), -1)) - unsqueeze(v, -1)) <= bound(dtype, n));
    BOOST_TEST(worst(matmul(a, inv(a)) - id(n, dtype)) <= bound(dtype, n));
    for (const bool lower : {true, false})
      for (const bool transposed : {true, false}) {
        const Tensor t = lower ? tril(a) : triu(a), y = solve_triangular(a, b, {lower, transposed});
        BOOST_TEST(worst(matmul(transposed ? transpose(t) : t, y) - b) <= bound(dtype, n));
      }
  });
}

BOOST_AUTO_TEST_CASE(determinants_agree) {
  for_all([](Size n, DType dtype) {
    const Tensor a = matrix(n, dtype), factor = cholesky(matrix(n, dtype));
    const auto [sign, log_size] = slogdet(a);
    BOOST_TEST(worst(slogdet(matmul(factor, transpose(factor)))[1] - 2 * sum(log(diagonal(factor)), -1)) <=
               20 * bound(dtype, n));
    if (n <= 40) BOOST_TEST(worst(det(a) / (sign * exp(log_size)) - 1) <= 20 * bound(dtype, n));
    BOOST_TEST(
        worst(slogdet(concat({-slice(a, -2, 0, std::min<Size>(n, 1)), slice(a, -2, std::min<Size>(n, 1))}, -2))[0] +
              (n == 0 ? -1.0 : 1.0) * sign) == 0);
  });
  const Tensor exact = tensor({{2.0, 1.0, 0.0}, {1.0, 3.0, 1.0}, {0.0, 1.0, 4.0}});
  BOOST_TEST(std::abs(det(exact).item() - 18) < 1e-14);
  BOOST_TEST(det(tensor({{1.0, 2.0}, {2.0, 4.0}})).item() == 0);
  BOOST_TEST(slogdet(tensor({{1.0, 2.0}, {2.0, 4.0}}))[0].item() == 0);
  BOOST_TEST(std::isinf(logdet(tensor({{1.0, 2.0}, {2.0, 4.0}})).item()));
  BOOST_TEST(std::isnan(logdet(tensor({{0.0, 1.0}, {1.0, 0.0}})).item()));
}

BOOST_AUTO_TEST_CASE(eigenvectors_diagonalise) {
  for_all([](Size n, DType dtype) {
    const Tensor x = matrix(n, dtype);
    const auto [w, v] = eigh(x);
    BOOST_TEST(worst(matmul(symmetric(x), v) - v * unsqueeze(w, -2)) <= bound(dtype, n));
    BOOST_TEST(worst(matmul(transpose(v), v) - id(n, dtype)) <= bound(dtype, n));
    if (n > 1) BOOST_TEST(amin(slice(w, -1, 1) - slice(w, -1, 0, n - 1)).item() >= 0);
  });
  // singular, repeated, of every scale
  for (const double scale : {1e-300, 1e-20, 1.0, 1e20, 1e300}) {
    const auto [w, v] = eigh(scale * tensor({{1.0, 1.0, 0.0}, {1.0, 1.0, 0.0}, {0.0, 0.0, 2.0}}));
    BOOST_TEST(worst(w / scale - tensor({0.0, 2.0, 2.0})) < 1e-14);
  }
}

// The slopes of repeated eigenvalues' sums are right, though those of their vectors do not exist.
BOOST_AUTO_TEST_CASE(equal_eigenvalues) {
  const Tensor x = watch(2.0 * eye(3, f64));
  BOOST_TEST(worst(grad(sum(square(eigh(x)[0])), {x})[0] - 4.0 * eye(3, f64)) < 1e-14);
}

BOOST_AUTO_TEST_CASE(a_diagonal_and_its_sum) {
  const Tensor x = reshape(arange(0.0, 12.0), {3, 4});
  BOOST_TEST(allclose(diagonal(x), tensor({0.0, 5.0, 10.0})));
  BOOST_TEST(allclose(diagonal(x, 1), tensor({1.0, 6.0, 11.0})));
  BOOST_TEST(allclose(diagonal(x, 3), tensor({3.0})));
  BOOST_TEST(allclose(diagonal(x, -2), tensor({8.0})));
  BOOST_TEST(diagonal(x, 4).numel() == 0);
  BOOST_TEST(diagonal(x, -9).numel() == 0);
  BOOST_TEST(trace(x).item() == 15);
  BOOST_TEST(allclose(tril(x) + triu(x, 1), x));
  BOOST_TEST(trace(eye(3, i64)).dtype() == i64);
}

BOOST_AUTO_TEST_CASE(bits_do_not_depend_on_the_batch) {
  const Tensor x = matrix(20, f64);
  const Tensor many = concat({x, x, x, x, x, x, x, x});
  BOOST_TEST(all(slice(cholesky(many), 0, 0, 2) == cholesky(x)).item() == 1);
  BOOST_TEST(all(slice(solve(many, many), 0, 14) == solve(x, x)).item() == 1);
}

// An Error where it is written, which changes nothing.
BOOST_AUTO_TEST_CASE(what_has_no_result) {
  const Tensor indefinite = tensor({{1.0, 2.0}, {2.0, 1.0}}), singular = tensor({{1.0, 2.0}, {2.0, 4.0}});
  says(message([&] { cholesky(indefinite); }), {"linalg_test.cpp", "[cholesky]", "not positive definite", "eye(n)"});
  says(message([&] { cholesky(stack({eye(2, f64), indefinite})); }), {"matrix 1 of the batch"});
  says(message([&] { solve(singular, tensor({1.0, 2.0})); }), {"linalg_test.cpp", "[solve]", "singular"});
  says(message([&] { inv(singular); }), {"singular"});
  says(message([&] {
         solve_triangular(tensor({{1.0, 0.0}, {1.0, 0.0}}), tensor({1.0, 2.0}));
       }),
       {"[solve_triangular]", "0 on its diagonal"});
  says(message([&] { eigh(tensor({{NAN, 0.0}, {0.0, 1.0}})); }), {"[eigh]", "NaN"});
  says(message([&] { cholesky(ones({3, 4})); }), {"[cholesky]", "square matrices", "(3, 4)"});
  says(message([&] { det(ones({3})); }), {"[det]", "expected a matrix", "(3,)"});
  says(message([&] { inv(eye(3, i64)); }), {"[inv]", "floats", "cast"});
  says(message([&] { solve(eye(3), ones({4})); }), {"[solve]", "as many rows", "(3, 3)", "(4,)"});
  says(message([&] { solve(ones({2, 3, 3}), ones({4, 3, 1})); }), {"[solve]", "do not broadcast"});
  for (const Size n : {2, 20}) {  // NaN in what is factored
    BOOST_TEST(message([&] { cholesky(full({n, n}, NAN)); }) != "no Error");
    BOOST_TEST(message([&] { inv(full({n, n}, NAN)); }) != "no Error");
    BOOST_TEST(message([&] { eigh(full({n, n}, NAN)); }) != "no Error");
    BOOST_TEST(std::isnan(det(full({n, n}, NAN)).item()));
  }
  const Tensor x = watch(singular);
  says(message([&] { grad(det(x), {x}); }), {"singular"});
}
