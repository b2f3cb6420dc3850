// Sums of millions of f32 numbers keep their digits: reductions, softmax and products do not add in one running total.
#define BOOST_TEST_MODULE long_sums
#include <boost/test/unit_test.hpp>
#include <cmath>

#include <xgrad/autodiff.hpp>

using namespace xgrad;

namespace {

constexpr Size n = (Size{1} << 24) + 4321;
constexpr double tenth = static_cast<double>(0.1f), of_products = 3e-6;  // libraries add 16,384 numbers in f32

struct Row {
  const char* name;
  double got, exact, tolerance = 3e-7;
};

}  // namespace

BOOST_AUTO_TEST_CASE(of_numbers_that_are_alike) {
  const NoGrad constant;
  const Tensor x = evaluate(full({n}, 0.1f) + zeros({n}));
  const double count = static_cast<double>(n);
  const Tensor matrix = reshape(x, {1, n}), columns = reshape(slice(x, 0, 0, n / 2 * 2), {n / 2, 2});
  const Tensor zero = evaluate(zeros({2, n}) + 0.0f * x);
  const Row rows[] = {
      {"sum", sum(x).item(), count * tenth},
      {"mean", mean(x).item(), tenth},
      {"cumsum", cumsum(x, 0)[-1].item(), count * tenth},
      {"norm", norm(x).item(), std::sqrt(count) * tenth},
      {"dot", dot(x, x).item(), count * tenth * tenth},
      {"matmul of vectors", matmul(x, x).item(), count * tenth * tenth, of_products},
      {"matmul of a row", matmul(matrix, transpose(matrix)).item(), count * tenth * tenth, of_products},
      {"matmul of columns", matmul(transpose(columns), columns)[0][1].item(), static_cast<double>(n / 2) * tenth * tenth, of_products},
      {"linear", linear(matrix, matrix).item(), count * tenth * tenth, of_products},
      {"logsumexp", logsumexp(x, 0).item(), tenth + std::log(count)},
      {"softmax", softmax(x, 0)[5].item(), 1 / count},
      {"softmax of rows", softmax(zero, 1)[1][7].item(), 1 / count},
      {"log_softmax", log_softmax(x, 0)[5].item(), -std::log(count)},
  };
  for (const Row& r : rows)
    BOOST_CHECK_MESSAGE(std::abs(r.got - r.exact) <= r.tolerance * std::abs(r.exact), r.name << ": " << r.got << ", off by " << std::abs(r.got / r.exact - 1));
}

// Of numbers that are not, against the same in f64.
BOOST_AUTO_TEST_CASE(of_random_numbers) {
  manual_seed(11);
  const Tensor x = rand({n}), wide = cast(x, f64);
  const auto near = [](const char* name, const Tensor& a, const Tensor& b) {
    const double got = a.item(), exact = b.item();
    BOOST_CHECK_MESSAGE(std::abs(got - exact) <= 3e-7 * std::abs(exact), name << ": " << got << ", not " << exact);
  };
  near("sum", sum(x), sum(wide));
  near("softmax", softmax(x, 0)[3], softmax(wide, 0)[3]);
  near("matmul", matmul(x, x), matmul(wide, wide));
  const auto gradient = [](const Tensor& of) {
    const Tensor w = watch(of);
    return grad(sum(log_softmax(w, 0) * square(of)), w)[0][3];
  };
  const double scale = std::abs(sum(square(wide)).item() * softmax(wide, 0)[3].item());
  BOOST_TEST(std::abs(gradient(x).item() - gradient(wide).item()) < 1e-6 * (1 + scale));
}
