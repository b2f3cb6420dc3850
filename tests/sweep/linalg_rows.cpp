// Linear algebra. Operands are made regular by what is added to their diagonals, since a layout may repeat one number.
#include "sweep/row.hpp"

namespace sweep {

namespace {

// x + (n + 1) on the diagonal: of numbers within (-1, 1) it is regular, and its symmetric part is positive definite.
Tensor regular(const Tensor& x) { return x + static_cast<double>(x.size(-1) + 1) * eye(x.size(-1), x.dtype()); }
// x + 0, 3, 6, ... on the diagonal: eigenvalues apart.
Tensor spread(const Tensor& x) { return x + 3.0 * cast(arange(x.size(-1)), x.dtype()) * eye(x.size(-1), x.dtype()); }

const std::vector<Shapes> matrices = {{{3, 3}},    {{1, 1}},    {{2, 2}},       {{0, 0}},
                                      {{2, 3, 3}}, {{0, 2, 2}}, {{2, 1, 2, 2}}, {{18, 18}}};
const std::vector<Shapes> any_matrices = {{{3, 3}}, {{2, 4}},    {{4, 2}},    {{1, 1}},  {{0, 3}},
                                          {{3, 0}}, {{2, 3, 2}}, {{0, 2, 2}}, {{40, 40}}};
const std::vector<Shapes> systems = {
    {{3, 3}, {3, 2}}, {{3, 3}, {3}},    {{1, 1}, {1}},       {{2, 3, 3}, {3, 2}},       {{3, 3}, {2, 3, 2}},
    {{0, 0}, {0, 2}}, {{3, 3}, {3, 0}}, {{0, 2, 2}, {2, 1}}, {{2, 1, 2, 2}, {3, 2, 1}}, {{18, 18}, {18, 3}}};
const Domain small_numbers{-1, 1};

}  // namespace

std::vector<Row> linalg_rows() {
  std::vector<Row> rows;
  const auto of_one = [&](const char* name, Tensor (*f)(const Tensors&), const std::vector<Shapes>& shapes) {
    rows.push_back({name, f, {small_numbers}, shapes});
  };
  const auto of_two = [&](const char* name, Tensor (*f)(const Tensors&)) {
    rows.push_back({name, f, {small_numbers, small_numbers}, systems});
  };
  // clang-format off
  of_one("diagonal", [](const Tensors& in) { return diagonal(in[0]); }, any_matrices);
  of_one("diagonal above", [](const Tensors& in) { return diagonal(in[0], 1); }, any_matrices);
  of_one("diagonal below", [](const Tensors& in) { return diagonal(in[0], -1); }, any_matrices);
  of_one("trace", [](const Tensors& in) { return trace(in[0]); }, any_matrices);
  of_one("tril", [](const Tensors& in) { return tril(in[0]); }, any_matrices);
  of_one("triu above", [](const Tensors& in) { return triu(in[0], 1); }, any_matrices);
  of_one("cholesky", [](const Tensors& in) { return cholesky(regular(in[0])); }, matrices);
  of_one("inv", [](const Tensors& in) { return inv(regular(in[0])); }, matrices);
  of_one("det", [](const Tensors& in) { return det(in[0] * 0.5 + eye(in[0].size(-1), in[0].dtype()) * 2.5); },
         {{{3, 3}}, {{1, 1}}, {{2, 2}}, {{0, 0}}, {{2, 3, 3}}, {{0, 2, 2}}});
  of_one("slogdet", [](const Tensors& in) { return slogdet(regular(in[0]))[1]; }, matrices);
  of_one("slogdet, the sign", [](const Tensors& in) { return slogdet(regular(in[0]))[0] * sum(in[0]); }, matrices);
  of_one("logdet", [](const Tensors& in) { return logdet(regular(in[0])); }, matrices);
  of_one("eigh, values", [](const Tensors& in) { return eigh(spread(in[0]))[0]; }, matrices);
  of_one("eigh, vectors", [](const Tensors& in) { return square(eigh(spread(in[0]))[1]); }, matrices);
  of_one("eigh, a function of the matrix", [](const Tensors& in) {
    const auto [w, v] = eigh(spread(in[0]));
    return matmul(v * unsqueeze(sin(w), -2), transpose(v));
  }, matrices);
  of_two("solve", [](const Tensors& in) { return solve(regular(in[0]), in[1]); });
  of_two("solve_triangular", [](const Tensors& in) { return solve_triangular(regular(in[0]), in[1]); });
  of_two("solve_triangular, upper", [](const Tensors& in) { return solve_triangular(regular(in[0]), in[1], {.lower = false}); });
  of_two("solve_triangular, transposed", [](const Tensors& in) { return solve_triangular(regular(in[0]), in[1], {.transposed = true}); });
  of_two("solve_triangular, upper, transposed",
         [](const Tensors& in) { return solve_triangular(regular(in[0]), in[1], {.lower = false, .transposed = true}); });
  // clang-format on
  return rows;
}

}  // namespace sweep
