// Rows of elementwise.def, from the table itself; and the elementwise ops that are not in it.
#include <algorithm>
#include <cmath>

#include "sweep/row.hpp"

namespace sweep {

namespace {

std::vector<Shapes> one_of(const std::vector<Shape>& shapes) {
  std::vector<Shapes> list;
  for (const Shape& s : shapes) list.push_back({s});
  return list;
}
std::vector<Shapes> pairs() {
  std::vector<Shapes> list = broadcast_pairs();
  for (const Shape& s : standard_shapes()) list.push_back({s, s});
  return list;
}

using Binary = Tensor (*)(const In&, const In&);

// Of two tensors, of a tensor and a number on either side, and of one tensor twice.
void add_binary(std::vector<Row>& rows, const std::string& name, Binary op, Domain x, Domain y) {
  const auto inside = [](const Domain& d) { return std::round(16 * (0.53 * d.low + 0.47 * d.high)) / 16; };
  const double a = inside(x), b = inside(y);  // no points of the lattice
  const Domain both{std::max(x.low, y.low), std::min(x.high, y.high)};
  const std::vector<Shapes> single = one_of(standard_shapes());
  rows.push_back({name, [=](const Tensors& in) { return op(in[0], in[1]); }, {x, y}, pairs()});
  rows.push_back({name + " with a number", [=](const Tensors& in) { return op(in[0], b); }, {x}, single});
  rows.push_back({name + " of a number", [=](const Tensors& in) { return op(a, in[0]); }, {y}, single});
  rows.push_back({name + " with itself", [=](const Tensors& in) { return op(in[0], in[0]); }, {both}, single});
}

using Ternary = Tensor (*)(const In&, const In&, const In&);

// Of three tensors that broadcast, with a number in each place, and of one tensor thrice.
void add_ternary(std::vector<Row>& rows, const std::string& name, Ternary op, Domain x, Domain y, Domain z) {
  // clang-format off
  const std::vector<Shapes> shapes = {{{}, {}, {}}, {{3}, {3}, {3}}, {{2, 3}, {3}, {}}, {{3}, {2, 1}, {4, 1, 1}}, {{}, {2, 3}, {2, 1}}, {{0}, {1}, {0}},
                                      {{1}, {2, 3, 2}, {2}}, {{37, 45}, {37, 45}, {37, 45}}, {{45}, {37, 45}, {37, 1}}};
  // clang-format on
  const auto middle = [](const Domain& d) { return std::round(16 * (0.53 * d.low + 0.47 * d.high)) / 16; };
  const double a = middle(x), b = middle(y), c = middle(z);
  rows.push_back({name, [=](const Tensors& in) { return op(in[0], in[1], in[2]); }, {x, y, z}, shapes});
  rows.push_back({name + " by a number", [=](const Tensors& in) { return op(in[0], in[1], c); }, {x, y}, pairs()});
  rows.push_back({name + " to a number", [=](const Tensors& in) { return op(in[0], b, in[1]); }, {x, z}, pairs()});
  rows.push_back({name + " from a number", [=](const Tensors& in) { return op(a, in[0], in[1]); }, {y, z}, pairs()});
  rows.push_back({name + " of one tensor",
                  [=](const Tensors& in) { return op(in[0], square(in[0]), in[0]); },
                  {{0.25, 0.75}},
                  one_of(standard_shapes())});
}

}  // namespace

std::vector<Row> elementwise_rows() {
  std::vector<Row> rows;
  const std::vector<Shapes> single = one_of(standard_shapes());
#define UNARY(op, lane, slope, low, high) \
  rows.push_back({#op, [](const Tensors& in) { return xgrad::op(in[0]); }, {{low, high}}, single});
#define BINARY(op, lane, slope_x, slope_y, x_low, x_high, y_low, y_high) \
  add_binary(rows, #op, xgrad::op, {x_low, x_high}, {y_low, y_high});
#define TERNARY(op, lane, slope_x, slope_y, slope_z, x_low, x_high, y_low, y_high, z_low, z_high) \
  add_ternary(rows, #op, xgrad::op, {x_low, x_high}, {y_low, y_high}, {z_low, z_high});
#include "autodiff/elementwise.def"
  return rows;
}

namespace {

// True at two elements of three.
Tensor pattern(const Shape& shape) {
  std::vector<Size> marks(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < marks.size(); ++i) marks[i] = i % 3 != 1;
  return cast(tensor(marks, shape), boolean);
}

DType other(DType dtype) { return dtype == f64 ? f32 : f64; }

}  // namespace

std::vector<Row> select_rows() {
  std::vector<Row> rows;
  const std::vector<Shapes> single = one_of(standard_shapes());
  const auto two = [&](const char* name, Tensor (*f)(const Tensors&)) { rows.push_back({name, f, {{}, {}}, pairs()}); };
  const auto one = [&](const char* name, Tensor (*f)(const Tensors&)) { rows.push_back({name, f, {{}}, single}); };
  two("where", [](const Tensors& in) { return where(pattern((in[0] + in[1]).shape()), in[0], in[1]); });
  two("where one condition holds for all", [](const Tensors& in) { return where(pattern({}), in[0], in[1]); });
  two("where x is more", [](const Tensors& in) { return where(in[0] > in[1], in[0] * in[1], square(in[1])); });
  one("where the condition is larger", [](const Tensors& in) { return where(pattern({2, 1, 1, 1, 1}), in[0], 0.5); });
  one("where else", [](const Tensors& in) { return where(pattern(in[0].shape()), 0.25, in[0]); });
  one("where, of one tensor twice", [](const Tensors& in) { return where(pattern(in[0].shape()), in[0], in[0]); });
  one("cast and back", [](const Tensors& in) { return cast(cast(in[0], other(in[0].dtype())), in[0].dtype()); });
  one("cast, squared between",
      [](const Tensors& in) { return cast(cast(square(cast(in[0], f64)), f64), in[0].dtype()) * in[0]; });
  one("a whole tensor beside", [](const Tensors& in) { return in[0] * tensor({3}) + cast(in[0], i64); });
  one("a boolean beside", [](const Tensors& in) { return in[0] * (in[0] > 0.5) - in[0] * logical_not(in[0] > 0); });
  one("clamp to numbers", [](const Tensors& in) { return clamp(in[0], -0.5, 1.25); });
  rows.push_back({"clamp to tensors",
                  [](const Tensors& in) { return clamp(in[0], in[1], in[2]); },
                  {{-3, 3}, {-2, -0.5}, {0.5, 2}},
                  {{{}, {}, {}},
                   {{5}, {}, {5}},
                   {{3, 4}, {4}, {3, 1}},
                   {{0}, {1}, {}},
                   {{1531}, {1531}, {}},
                   {{37, 45}, {37, 1}, {45}}}});
  two("logaddexp", [](const Tensors& in) { return logaddexp(in[0], in[1]); });
  one("logaddexp with a number", [](const Tensors& in) { return logaddexp(in[0], 0.25); });
  one("logaddexp of a number", [](const Tensors& in) { return logaddexp(-0.5, in[0]); });
  one("logaddexp with itself", [](const Tensors& in) { return logaddexp(in[0], in[0]); });
  two("operators", [](const Tensors& in) { return (in[0] + in[1]) * (2 - in[0]) - -in[1] / 4 + +in[0]; });
  two("compound assignment", [](const Tensors& in) {
    Tensor z = in[0] * in[1];
    z += in[0];
    z *= in[1];
    z -= 0.5;
    return z /= 3;
  });
  one("pow to 0.5, 2, -1, 1", [](const Tensors& in) {
    const Tensor x = square(in[0]) + 1;
    return pow(x, 0.5) + pow(x, 2) + pow(x, -1) * pow(x, 1);
  });
  return rows;
}

}  // namespace sweep
