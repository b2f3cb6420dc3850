// Sums of millions of f32 numbers keep their digits: reductions, softmax and products do not add in one running total.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string>

#include <xgrad/autodiff.hpp>

#include "helpers.hpp"

using namespace xgrad;

namespace {

constexpr Size n = (Size{1} << 24) + 4321;
constexpr double tenth = static_cast<double>(0.1f), of_products = 3e-6;  // libraries add 2,048 numbers in f32
constexpr double of_columns = 4e-6;                                      // 128 rows are added in a running total

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
      {"matmul of columns", matmul(transpose(columns), columns)[0][1].item(),
       static_cast<double>(n / 2) * tenth * tenth, of_products},
      {"linear", linear(matrix, matrix).item(), count * tenth * tenth, of_products},
      {"logsumexp", logsumexp(x, 0).item(), tenth + std::log(count)},
      {"softmax", softmax(x, 0)[5].item(), 1 / count},
      {"softmax of rows", softmax(zero, 1)[1][7].item(), 1 / count},
      {"log_softmax", log_softmax(x, 0)[5].item(), -std::log(count)},
  };
  for (const Row& r : rows)
    BOOST_CHECK_MESSAGE(std::abs(r.got - r.exact) <= r.tolerance * std::abs(r.exact),
                        r.name << ": " << r.got << ", off by " << std::abs(r.got / r.exact - 1));
}

// Of columns: as a region computes them, from what is stored, along a middle axis, and where indices say.
BOOST_AUTO_TEST_CASE(of_columns_and_by_index) {
  constexpr Size few = (Size{1} << 23) + 4321;
  const NoGrad constant;
  const Tensor x = evaluate(full({2 * few}, 0.1f) + zeros({2 * few})), part = evaluate(slice(x, 0, 0, few));
  const auto check = [](const std::string& name, const Tensor& got, double exact) {
    const double off = std::max(std::abs(amax(got).item() / exact - 1), std::abs(amin(got).item() / exact - 1));
    BOOST_CHECK_MESSAGE(off <= of_columns, name << ": " << amax(got).item() << ", off by " << off);
  };
  for (const Size columns : {2, 3, 32, 65, 257, 1024}) {
    const Size rows = 2 * few / columns / 2 * 2;
    const Tensor matrix = reshape(slice(x, 0, 0, rows * columns), {rows, columns});
    const std::string of = " over rows of " + std::to_string(columns);
    check("sum" + of, sum(matrix, 0), static_cast<double>(rows) * tenth);
    check("mean of what waits" + of, mean(0.5f * matrix, 0), 0.5 * tenth);
    check("middle sum" + of, sum(reshape(matrix, {2, rows / 2, columns}), 1), static_cast<double>(rows / 2) * tenth);
  }
  const Tensor same = full({few}, 1), pairs = reshape(x, {few, 2});
  check("index_add", index_add(part, 0, same, 3)[1], static_cast<double>(few) * tenth);
  check("index_add of rows", index_add(pairs, 0, same, 3)[1], static_cast<double>(few) * tenth);
  check("scatter_add", scatter_add(part, 0, same, 3)[1], static_cast<double>(few) * tenth);
  const Tensor turns = evaluate(remainder(arange(few), 3));
  check("index_add in turn", index_add(part, 0, turns, 3), static_cast<double>(few) * tenth / 3);
  check("scatter_add in turn", scatter_add(part, 0, turns, 3), static_cast<double>(few) * tenth / 3);
  const EnableGrad on;
  const auto picked = [&](const Tensor& table) { return sum(0.1f * index_select(table, 0, same)); };
  check("gradient of index_select", value_and_grad(picked, zeros({3})).grad[1], static_cast<double>(few) * tenth);
}

// One order, whatever path adds the columns: a region, alone or beside the sum of all; what is stored, densely or not; at
// once; one thread.
BOOST_AUTO_TEST_CASE(of_columns_have_the_same_bits) {
  const NoGrad constant;
  manual_seed(12);
  for (const Size columns : {2, 3, 7, 32, 33, 65, 257, 1024, 1500, 16384})
    for (const Size rows : {2, 128, 129, 1000, 4097, 70001}) {
      if (rows * columns > Size{1} << 22) continue;
      const Tensor x = rand({rows, columns}), flipped = evaluate(flip(x, 0)), stored = sum(evaluate(0.5f * x), 0);
      const auto check = [&](const char* path, const Tensor& got) {
        BOOST_CHECK_MESSAGE(helpers::same_bits(got, stored), path << " of " << rows << " x " << columns);
      };
      check("a region", sum(0.5f * x, 0));
      const Tensor y = 0.5f * x, all = sum(y), beside = sum(y, 0);
      evaluate(all, beside);
      check("beside a sum of all", beside);
      check("a flipped view", sum(flip(evaluate(0.5f * flipped), 0), 0));
      check("a batch of matrices", sum(evaluate(stack({y, y})), 1)[1]);
      const int many = threads();
      set_threads(1);
      check("one thread", sum(0.5f * x, 0));
      set_threads(many);
      const Eager at_once;
      check("Eager", sum(0.5f * x, 0));
    }
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
