// Elementwise steps: every op of elementwise.def, and where, cast, the logical ones.
#include <limits>

#include "generator.hpp"

namespace programs {

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

struct Unary {
  const char* name;
  Tensor (*op)(const In& x);
  double low, high;
};
const std::vector<Unary> unaries{
#define UNARY(op, lane, slope, low, high) {#op, &xgrad::op, low, high},
#include "autodiff/elementwise.def"
};

struct Binary {
  const char* name;
  Tensor (*op)(const In& x, const In& y);
  double x_low, x_high, y_low, y_high;
};
const std::vector<Binary> binaries{
#define BINARY(op, lane, slope_x, slope_y, x_low, x_high, y_low, y_high) \
  {#op, &xgrad::op, x_low, x_high, y_low, y_high},
#include "autodiff/elementwise.def"
};

struct Ternary {
  const char* name;
  Tensor (*op)(const In& x, const In& y, const In& z);
  double z_low, z_high;
};
const std::vector<Ternary> ternaries{
#define TERNARY(op, lane, slope_x, slope_y, slope_z, x_low, x_high, y_low, y_high, z_low, z_high) \
  {#op, &xgrad::op, z_low, z_high},
#include "autodiff/elementwise.def"
};

struct Comparison {
  const char* name;
  Tensor (*op)(const In& x, const In& y);
};
const std::vector<Comparison> comparisons{
    {"equal", [](const In& x, const In& y) { return x == y; }},
    {"not_equal", [](const In& x, const In& y) { return x != y; }},
    {"less", [](const In& x, const In& y) { return x < y; }},
    {"less_equal", [](const In& x, const In& y) { return x <= y; }},
    {"greater", [](const In& x, const In& y) { return x > y; }},
    {"greater_equal", [](const In& x, const In& y) { return x >= y; }},
};

bool whole_line(double low, double high) { return low <= -2 && high >= 2; }  // is the op defined and smooth everywhere?

bool is_any(const std::string& name, std::initializer_list<const char*> list) {
  for (const char* other : list)
    if (name == other) return true;
  return false;
}

}  // namespace

void Generator::unary() {
  const Unary& u = dice_.by_name(unaries);
  int x = limited(some_float());
  double b = 8;
  if (!p_.smooth && dice_.chance(0.2)) b = infinite;
  else if (whole_line(u.low, u.high) && bound(x) <= 4) b = 60;
  else x = within(x, u.low, u.high);
  add(fmt::format("{}(%{})", u.name, x), {x}, at(x).dtype, at(x).shape, b,
      [op = u.op](const Tensors& in) { return op(in[0]); });
}

void Generator::binary() {
  const Binary& u = dice_.chance(0.6) ? binaries[static_cast<std::size_t>(dice_.below(3))] : dice_.by_name(binaries);
  const bool extreme = is_any(u.name, {"maximum", "minimum", "at_least", "at_most"});
  if (p_.smooth && extreme) return;
  const bool raw = !p_.smooth && dice_.chance(0.2);
  int x = limited(some_float());
  if (!raw && !(whole_line(u.x_low, u.x_high) && bound(x) <= 16)) x = within(x, u.x_low, u.x_high);
  const DType dtype = at(x).dtype;
  if (dice_.chance(0.2)) {  // a number beside it
    const double number = std::round(dice_.uniform(u.y_low, u.y_high) * 64) / 64;
    if (number == 0) return;
    const double b = is_any(u.name, {"add", "sub"}) ? bound(x) + 2
                     : std::string(u.name) == "mul" ? 2 * bound(x)
                     : raw                          ? infinite
                                                    : 16;
    add(fmt::format("{}(%{}, {})", u.name, x, number), {x}, dtype, at(x).shape, b,
        [=, op = u.op](const Tensors& in) { return op(in[0], number); });
    return;
  }
  int y = limited(partner(x));
  if (!raw && !(whole_line(u.y_low, u.y_high) && bound(y) <= 16)) y = within(y, u.y_low, u.y_high);
  double b = raw ? infinite : 16;
  if (is_any(u.name, {"add", "sub"})) b = bound(x) + bound(y);
  if (is_any(u.name, {"mul"})) b = bound(x) * bound(y);
  if (extreme) b = std::max(bound(x), bound(y));
  if (dice_.chance(0.3) && whole_line(u.x_low, u.x_high) && whole_line(u.y_low, u.y_high)) std::swap(x, y);
  add(fmt::format("{}(%{}, %{})", u.name, x, y), {x, y}, dtype, together(x, y), b,
      [op = u.op](const Tensors& in) { return op(in[0], in[1]); });
}

void Generator::ternary() {
  const Ternary& u = dice_.by_name(ternaries);
  const int x = limited(some_float()), y = limited(partner(x));
  const DType dtype = at(x).dtype;
  const double b = 2 * (bound(x) + bound(y));
  if (dice_.chance(0.4)) {
    const double number = std::round(dice_.uniform(u.z_low, u.z_high) * 64) / 64;
    add(fmt::format("{}(%{}, %{}, {})", u.name, x, y, number), {x, y}, dtype, together(x, y), b,
        [=, op = u.op](const Tensors& in) { return op(in[0], in[1], number); });
    return;
  }
  const int beside = find([&](int i) { return at(i).dtype == dtype && broadcasts(at(i).shape, together(x, y)); });
  if (beside < 0) return;
  const Shape shape = united(at(beside).shape, together(x, y));
  if (!affordable(shape)) return;
  const int z = within(beside, u.z_low, u.z_high);
  add(fmt::format("{}(%{}, %{}, %{})", u.name, x, y, z), {x, y, z}, dtype, shape, b,
      [op = u.op](const Tensors& in) { return op(in[0], in[1], in[2]); });
}

void Generator::integers() {
  int x = find([&](int i) { return at(i).dtype == i64; });
  if (x < 0) x = leaf(i64, dice_.one_of(bases_));
  static const std::vector<Unary> of_one{
      {"neg", &neg, 0, 0}, {"abs", &abs, 0, 0}, {"sign", &sign, 0, 0}, {"square", &square, 0, 0}};
  if (dice_.chance(0.3)) {
    const Unary& u = dice_.by_name(of_one);
    add(fmt::format("{}(%{})", u.name, x), {x}, i64, at(x).shape, infinite,
        [op = u.op](const Tensors& in) { return op(in[0]); });
    return;
  }
  static const std::vector<Binary> of_two{{"add", &xgrad::add, 0, 0, 0, 0},  {"sub", &sub, 0, 0, 0, 0},
                                          {"mul", &mul, 0, 0, 0, 0},         {"maximum", &maximum, 0, 0, 0, 0},
                                          {"minimum", &minimum, 0, 0, 0, 0}, {"at_least", &at_least, 0, 0, 0, 0},
                                          {"at_most", &at_most, 0, 0, 0, 0}};
  if (dice_.chance(0.2)) {
    const Size number = dice_.between(-5, 5);
    if (number == 0) return;
    add(fmt::format("floor_divide(%{}, {})", x, number), {x}, i64, at(x).shape, infinite,
        [=](const Tensors& in) { return floor_divide(in[0], number); });
    return;
  }
  const int y = partner(x);
  if (dice_.chance(0.2)) {
    add(fmt::format("remainder(%{}, maximum(abs(%{}), 1))", x, y), {x, y}, i64, together(x, y), infinite,
        [](const Tensors& in) { return remainder(in[0], maximum(abs(in[1]), 1)); });
    return;
  }
  const Binary& u = dice_.by_name(of_two);
  add(fmt::format("{}(%{}, %{})", u.name, x, y), {x, y}, i64, together(x, y), infinite,
      [op = u.op](const Tensors& in) { return op(in[0], in[1]); });
}

void Generator::compare() {
  const Comparison& c = dice_.by_name(comparisons);
  const int x = find([&](int) { return true; });
  if (at(x).dtype != boolean && dice_.chance(0.3)) {
    const Size number = dice_.between(-1, 1);
    add(fmt::format("{}(%{}, {})", c.name, x, number), {x}, boolean, at(x).shape, 1,
        [=, op = c.op](const Tensors& in) { return op(in[0], number); });
    return;
  }
  const int y = partner(x);
  add(fmt::format("{}(%{}, %{})", c.name, x, y), {x, y}, boolean, together(x, y), 1,
      [op = c.op](const Tensors& in) { return op(in[0], in[1]); });
}

void Generator::logic() {
  const int x = find([&](int i) { return at(i).dtype == boolean || dice_.chance(0.1); });
  if (x < 0) return compare();
  if (dice_.chance(0.3)) {
    add(fmt::format("logical_not(%{})", x), {x}, boolean, at(x).shape, 1,
        [](const Tensors& in) { return logical_not(in[0]); });
    return;
  }
  const int y = partner(x);
  const bool both = dice_.chance(0.5);
  add(fmt::format("logical_{}(%{}, %{})", both ? "and" : "or", x, y), {x, y}, boolean, together(x, y), 1,
      [=](const Tensors& in) { return both ? logical_and(in[0], in[1]) : logical_or(in[0], in[1]); });
}

void Generator::choose() {
  const int x = p_.smooth || dice_.chance(0.8) ? some_float() : find([&](int) { return true; });
  const DType dtype = at(x).dtype;
  if (dice_.chance(0.25) && dtype != boolean) {
    const int c = condition(at(x).shape);
    const Size number = dice_.between(-1, 1);
    const bool first = dice_.chance(0.5);
    add(first ? fmt::format("where(%{}, {}, %{})", c, number, x) : fmt::format("where(%{}, %{}, {})", c, x, number),
        {c, x}, dtype, together(c, x), std::max(bound(x), 1.0),
        [=](const Tensors& in) { return first ? where(in[0], number, in[1]) : where(in[0], in[1], number); });
    return;
  }
  const int y = partner(x), c = condition(together(x, y));
  const Shape shape = united(at(c).shape, together(x, y));
  add(fmt::format("where(%{}, %{}, %{})", c, x, y), {c, x, y}, dtype, shape, std::max(bound(x), bound(y)),
      [](const Tensors& in) { return where(in[0], in[1], in[2]); });
}

void Generator::clip() {
  const int x = find([&](int i) { return at(i).dtype != boolean; });
  const Size low = dice_.between(-2, 0), high = dice_.between(0, 2);
  add(fmt::format("clamp(%{}, {}, {})", x, low, high), {x}, at(x).dtype, at(x).shape, 2,
      [=](const Tensors& in) { return clamp(in[0], low, high); });
}

void Generator::convert() {
  const int x = find([&](int) { return true; });
  const DType dtype = some_dtype();
  if (dtype == at(x).dtype) return;
  add(fmt::format("cast(%{}, {})", x, name(dtype)), {x}, dtype, at(x).shape, dtype == boolean ? 1 : bound(x),
      [=](const Tensors& in) { return cast(in[0], dtype); });
}

}  // namespace programs
