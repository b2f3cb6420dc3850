#include <algorithm>
#include <cmath>

#include "sweep/refusals.hpp"

namespace sweep {

namespace {

using F = Tensor (*)(const Tensor&);

struct Reductions {
  std::vector<Row> rows;
  Domain domain;
  const char* no_repeats = nullptr;

  void add(const char* name, F f, std::vector<Refusal> refused, std::vector<Shapes> more = {}) {
    std::vector<Shapes> shapes;
    for (const Shape& s : standard_shapes()) shapes.push_back({s});
    shapes.insert(shapes.end(), more.begin(), more.end());
    rows.push_back(
        {name, [f](const Tensors& in) { return f(in[0]); }, {domain}, shapes, std::move(refused), no_repeats});
  }
};

const std::vector<Shapes> long_ones = {{{130, 20}}, {{20, 30, 4}}};
// Of more columns than a sink takes; of more numbers than one unit.
const std::vector<Shapes> huge_ones = {{{130, 20}}, {{20, 30, 4}}, {{2, 16400}}, {{1400, 50}}};

// clang-format off
void add_sums(Reductions& r) {
  r.add(
      "sum", [](const Tensor& x) { return sum(x); }, {}, huge_ones);
  r.add(
      "sum 0", [](const Tensor& x) { return sum(x, 0); }, {no_axis(0)}, huge_ones);
  r.add(
      "sum -1", [](const Tensor& x) { return sum(x, -1); }, {no_axis(0)}, long_ones);
  r.add(
      "sum 1", [](const Tensor& x) { return sum(x, 1); }, {no_axis(1)}, long_ones);
  r.add("sum 0, kept", [](const Tensor& x) { return sum(x, 0, true); }, {no_axis(0)});
  r.add("sum 1, kept", [](const Tensor& x) { return sum(x, 1, true); }, {no_axis(1)});
  r.add("sum 0 2", [](const Tensor& x) { return sum(x, {0, 2}); }, {no_axis(2)}, {{{20, 30, 4}}});
  r.add("sum -1 0, kept", [](const Tensor& x) { return sum(x, {-1, 0}, true); }, {no_axis(1)}, {{{20, 30, 4}}});
  r.add("sum 1 2", [](const Tensor& x) { return sum(x, {1, 2}); }, {no_axis(2)}, {{{20, 30, 4}}});
  r.add("sum 0 1 3", [](const Tensor& x) { return sum(x, {0, 1, 3}); }, {no_axis(3)});
  r.add("sum of squares", [](const Tensor& x) { return sum(square(x), -1); }, {no_axis(0)});
  r.add(
      "mean", [](const Tensor& x) { return mean(x); }, {nothing()}, long_ones);
  r.add("mean 0", [](const Tensor& x) { return mean(x, 0); }, {no_axis(0), nothing_along(0)});
  r.add("mean -1, kept", [](const Tensor& x) { return mean(x, -1, true); }, {no_axis(0), nothing_along(-1)});
  r.add("mean 1", [](const Tensor& x) { return mean(x, 1); }, {no_axis(1), nothing_along(1)}, {{{20, 30, 4}}});
  r.add("mean 0 2, kept", [](const Tensor& x) { return mean(x, {0, 2}, true); }, {no_axis(2)});
  r.add("var 0", [](const Tensor& x) { return var(x, 0); }, {no_axis(0), at_most_one(0)});
  r.add("var -1, over n, kept", [](const Tensor& x) { return var(x, -1, 0, true); }, {no_axis(0), nothing_along(-1)});
  r.add("var 1", [](const Tensor& x) { return var(x, 1, 1, true); }, {no_axis(1), at_most_one(1)});
  r.add("var", [](const Tensor& x) { return var(x); }, {one_or_none()}, long_ones);
  r.add("cumsum 0", [](const Tensor& x) { return cumsum(x, 0); }, {no_axis(0)});
  r.add("cumsum -1", [](const Tensor& x) { return cumsum(x, -1); }, {no_axis(0)}, {{{11, 3}}, {{1200, 40}}});
  r.add("cumsum 1", [](const Tensor& x) { return cumsum(square(x), 1); }, {no_axis(1)});
}

// A factor that takes squares out of the range.
double far(const Tensor& x, int power) { return std::ldexp(1, (x.dtype() == f32 ? 1 : 8) * power); }

void add_softmax(Reductions& r) {
  r.add("logsumexp 0", [](const Tensor& x) { return logsumexp(x, 0); }, {no_axis(0), nothing_along(0)});
  r.add("logsumexp -1, kept", [](const Tensor& x) { return logsumexp(x, -1, true); }, {no_axis(0), nothing_along(-1)});
  r.add("logsumexp 1", [](const Tensor& x) { return logsumexp(x, 1); }, {no_axis(1), nothing_along(1)});
  const std::vector<Shapes> rows_side_by_side = {{{3, 40}}, {{2, 5, 9}}, {{2, 19, 300}}};
  r.add("softmax 0", [](const Tensor& x) { return softmax(x, 0); }, {no_axis(0)}, rows_side_by_side);
  r.add("softmax 1", [](const Tensor& x) { return softmax(x, 1); }, {no_axis(1)}, rows_side_by_side);
  r.add("softmax -1", [](const Tensor& x) { return softmax(x, -1); }, {no_axis(0)}, {{{600, 40}}});
  r.add("softmax -2", [](const Tensor& x) { return softmax(x, -2); }, {no_axis(1)});
  r.add("log_softmax 0", [](const Tensor& x) { return log_softmax(x, 0); }, {no_axis(0)}, rows_side_by_side);
  r.add("log_softmax 1", [](const Tensor& x) { return log_softmax(x, 1); }, {no_axis(1)}, rows_side_by_side);
  r.add("log_softmax -1", [](const Tensor& x) { return log_softmax(x, -1); }, {no_axis(0)}, {{{600, 40}}});
}

// Several axes, side by side and apart.
void add_axes(Reductions& r) {
  r.domain = {-2, 2};
  const std::vector<Refusal> some = {no_axis(2)};
  r.add("var 0 2", [](const Tensor& x) { return var(x, {0, 2}); }, {no_axis(2), few(0, 2)}, {{{20, 30, 4}}});
  r.add("var 1 2, by n, kept", [](const Tensor& x) { return var(x, {1, 2}, 0, true); }, {no_axis(2), nothing_along(1), nothing_along(2)});
  r.add("logsumexp", [](const Tensor& x) { return logsumexp(x); }, {nothing()}, {{{130, 20}}});
  r.add("logsumexp 0 2, kept", [](const Tensor& x) { return logsumexp(x, {0, 2}, true); }, {no_axis(2), nothing_along(0), nothing_along(2)});
  r.add("logsumexp 1 0", [](const Tensor& x) { return logsumexp(x, {1, 0}); }, {no_axis(1), nothing_along(0), nothing_along(1)});
  r.add("sum of all, kept", [](const Tensor& x) { return sum(x, Axes::all(), true); }, {});
  r.domain = {-1, 1};
  r.add("prod 0 2", [](const Tensor& x) { return prod(x / 64 + 1, {0, 2}); }, some, {{{20, 30, 4}}});
  r.add("prod 1 2, kept", [](const Tensor& x) { return prod(x / 64 + 1, {1, 2}, true); }, some);
  r.domain = {0.5, 2};
  r.add("norm 0 2", [](const Tensor& x) { return norm(x, 2, {0, 2}); }, some, {{{20, 30, 4}}});
  r.add("norm -1, kept", [](const Tensor& x) { return norm(x, 2, -1, true); }, {no_axis(0)}, {{{130, 20}}});
}

// Norms of other powers.
void add_norms(Reductions& r) {
  r.domain = {0.5, 2};
  const std::vector<Refusal> some = {no_axis(1)};
  r.add("norm of power 3", [](const Tensor& x) { return norm(x, 3); }, {}, {{{130, 20}}});
  r.add("norm of power 1.5 along 1", [](const Tensor& x) { return norm(x, 1.5, 1); }, some, {{{20, 30, 4}}});
  r.add("norm of power 0.5 along -1 0, kept", [](const Tensor& x) { return norm(x, 0.5, {-1, 0}, true) / 64; }, some);
  r.add("norm of power -2", [](const Tensor& x) { return x.numel() == 0 ? sum(x, 1) : norm(x, -2, 1); }, some);  // of nothing: infinite
  r.add("norm of power 1", [](const Tensor& x) { return norm(x, 1, 1); }, some, {{{20, 30, 4}}});
  r.add("norm of power 0", [](const Tensor& x) { return norm(x, 0, 1) * sum(x, 1); }, some);
  r.add("norm of power 3, of huge numbers", [](const Tensor& x) { return norm(x * far(x, 80), 3) / far(x, 80); }, {}, {{{130, 20}}});
  r.add("norm of power 3, of tiny numbers", [](const Tensor& x) { return norm(x * far(x, -90), 3) / far(x, -90); }, {});
}

void add_extremes(Reductions& r) {
  r.domain = {-40, 40, true};
  r.no_repeats = "all elements tie: special_values_test has ties";
  r.add("stddev", [](const Tensor& x) { return stddev(x); }, {one_or_none()}, {{{130, 20}}});
  r.add("stddev 0", [](const Tensor& x) { return stddev(x, 0); }, {no_axis(0), at_most_one(0)});
  r.add("stddev 1, of huge numbers, kept", [](const Tensor& x) { return stddev(x * far(x, 80), 1, 1, true) / far(x, 80); },
        {no_axis(1), at_most_one(1)}, {{{20, 30, 4}}});
  r.add("stddev of tiny numbers", [](const Tensor& x) { return stddev(x * far(x, -90)) / far(x, -90); }, {one_or_none()});
  r.add("amax 0 2", [](const Tensor& x) { return amax(x, {0, 2}); }, {no_axis(2), nothing_along(0), nothing_along(2)}, {{{20, 30, 4}}});
  r.add("amin -1 0, kept", [](const Tensor& x) { return amin(x, {-1, 0}, true); }, {no_axis(1), nothing_along(0), nothing_along(-1)});
  r.add("amax", [](const Tensor& x) { return amax(x); }, {nothing()}, {{{130, 20}}});
  r.add("amax 0", [](const Tensor& x) { return amax(x, 0); }, {no_axis(0), nothing_along(0)}, {{{130, 20}}});
  r.add("amax -1, kept", [](const Tensor& x) { return amax(x, -1, true); }, {no_axis(0), nothing_along(-1)});
  r.add("amax 1", [](const Tensor& x) { return amax(x, 1); }, {no_axis(1), nothing_along(1)}, {{{20, 30, 4}}});
  r.add("amin", [](const Tensor& x) { return amin(x); }, {nothing()}, {{{130, 20}}});
  r.add("amin 0, kept", [](const Tensor& x) { return amin(x, 0, true); }, {no_axis(0), nothing_along(0)});
  r.add("amin -1", [](const Tensor& x) { return amin(x, -1); }, {no_axis(0), nothing_along(-1)});
  r.add("norm of power infinity", [](const Tensor& x) { return norm(x, INFINITY, 1); }, {no_axis(1)});
  r.add("norm of power -infinity, 0 2", [](const Tensor& x) { return norm(x, -INFINITY, {0, 2}); }, {no_axis(2), nothing_along(0), nothing_along(2)});
  r.add("stddev 0 2, kept", [](const Tensor& x) { return stddev(x, {0, 2}, 1, true); }, {no_axis(2), few(0, 2)}, {{{20, 30, 4}}});
  r.add("amin 1, of squares", [](const Tensor& x) { return amin(square(x / 8 + 7), 1); },
        {no_axis(1), nothing_along(1)});
}

}  // namespace

std::vector<Row> reduction_rows() {
  Reductions r;
  add_sums(r);
  add_softmax(r);
  r.domain = {0.5, 2};
  r.add("norm", [](const Tensor& x) { return norm(x); }, {});
  r.add("norm of huge numbers", [](const Tensor& x) { return norm(x * far(x, 80)) / far(x, 80); }, {}, {{{130, 20}}});
  r.add("norm of tiny numbers", [](const Tensor& x) { return norm(x * far(x, -90)) / far(x, -90); }, {}, {{{130, 20}}});
  r.domain = {-1, 1};  // of factors near 1: products of thousands are too, and as smooth as differences need
  r.add("prod", [](const Tensor& x) { return prod(x / 64 + 1); }, {}, {{{130, 20}}});
  r.add("prod 0", [](const Tensor& x) { return prod(x / 64 + 1, 0); }, {no_axis(0)}, {{{130, 20}}});
  r.add("cumprod 0", [](const Tensor& x) { return cumprod(x / 64 + 1, 0); }, {no_axis(0)}, {{{130, 20}}});
  r.add("cumprod -1", [](const Tensor& x) { return cumprod(x / 64 + 1, -1); }, {no_axis(0)});
  r.add("cumprod 1", [](const Tensor& x) { return cumprod(x / 64 + 1, 1); }, {no_axis(1)}, {{{20, 30, 4}}});
  r.add("prod 1, kept", [](const Tensor& x) { return prod(x / 64 + 1, 1, true); }, {no_axis(1)}, {{{20, 30, 4}}});
  add_axes(r);
  add_norms(r);
  add_extremes(r);
  return std::move(r.rows);
}
// clang-format on

}  // namespace sweep
