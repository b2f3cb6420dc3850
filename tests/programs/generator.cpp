#include "generator.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include <xgrad/autodiff/memory.hpp>

namespace programs {

namespace {

constexpr Size most_elements = 200'000;
constexpr double infinite = std::numeric_limits<double>::infinity();

const std::vector<Shape> small_shapes{{},
                                      {1},
                                      {0},
                                      {2},
                                      {7},
                                      {16},
                                      {33},
                                      {1, 1},
                                      {3, 1},
                                      {0, 4},
                                      {3, 0},
                                      {2, 3},
                                      {7, 5},
                                      {4, 17},
                                      {9, 16},
                                      {2, 3, 4},
                                      {5, 1, 7},
                                      {2, 0, 3},
                                      {3, 2, 2, 5},
                                      {2, 1, 3, 1, 2},
                                      {1, 2, 1, 2, 1, 3, 2}};
// around what is done at once, and around blocks
const std::vector<Shape> edge_shapes{{511},     {512},      {513},       {1023},   {1024},
                                     {1025},    {2, 512},   {32, 32},    {7, 147}, {8, 129},
                                     {1025, 1}, {41, 5, 5}, {4, 16, 17}, {73, 7},  {513, 2}};
const std::vector<Shape> middle_shapes{{2000},        {7, 513},    {513, 7},  {129, 33}, {64, 100},
                                       {1000, 5},     {3, 5, 129}, {65, 63},  {2, 1031}, {12, 7, 31},
                                       {16, 8, 4, 5}, {4096},      {5, 1024}, {10, 512}, {3, 4, 2, 3, 5, 7}};
const std::vector<Shape> large_shapes{{100'000},    {300, 333},  {7, 14'285}, {1000, 100},  {10, 100, 101},
                                      {16'385, 6},  {6, 16'385}, {40'000, 2}, {129, 513},   {32'768, 3},
                                      {17, 65, 90}, {65'537},    {200, 512},  {20, 4, 1025}};

}  // namespace

Shape Generator::some_shape() {
  const double u = dice_.uniform();
  return dice_.one_of(u < 0.3                 ? small_shapes
                      : u < 0.55              ? edge_shapes
                      : u < 0.95 || p_.smooth ? middle_shapes
                                              : large_shapes);
}

Shape Generator::like(const Shape& base) {
  Shape s = base;
  while (!s.empty() && dice_.chance(0.2)) s.erase(0);
  for (Size& e : s)
    if (dice_.chance(0.2)) e = 1;
  return s;
}

Tensor Generator::data(DType dtype, const Shape& shape) {
  const auto n = static_cast<std::size_t>(shape.numel());
  if (dtype == boolean) {
    std::vector<bool> bits(n);
    for (std::size_t i = 0; i < n; ++i) bits[i] = dice_.chance(0.5);
    return evaluate(tensor(bits, shape));
  }
  const bool ties = !p_.smooth && dice_.chance(0.3), special = !p_.smooth && dice_.chance(0.04);
  if (dtype == i64) {
    std::vector<Size> numbers(n);
    for (Size& x : numbers) x = special && dice_.chance(0.1) ? INT64_MIN + dice_.below(2) : dice_.between(-9, 9);
    return tensor(numbers, shape);
  }
  const std::vector<double> specials{0, -0.0, infinite, -infinite, std::nan(""), 1e-40, 1e-310, 3e38, -1e300, 9.3e18};
  std::vector<double> numbers(n);
  for (double& x : numbers) {
    x = dice_.normal();
    if (ties) x = std::round(2 * x) / 2;
    if (special && dice_.chance(0.1)) x = dice_.one_of(specials);
  }
  if (dtype == f64) return tensor(numbers, shape);
  return tensor(std::vector<float>(numbers.begin(), numbers.end()), shape);
}

Tensor Generator::contiguous_data(DType dtype, const Shape& shape) { return contiguous(data(dtype, shape)); }

Tensor Generator::stored(DType dtype, const Shape& shape) {
  if (shape.empty() || shape.numel() < 2 || dice_.chance(0.7)) return data(dtype, shape);
  const Size axis = dice_.below(shape.rank());
  Shape other = shape;
  switch (dice_.below(4)) {
    case 0: std::swap(other[0], other[axis]); return evaluate(transpose(data(dtype, other), 0, axis));
    case 1: return evaluate(flip(data(dtype, shape), axis));
    case 2: other[axis] = 2 * shape[axis] + 1; return evaluate(slice(data(dtype, other), axis, 1, other[axis], 2));
    default: other[axis] = 1; return evaluate(expand(data(dtype, other), shape));
  }
}

bool Generator::affordable(const Shape& shape) const {
  double n = 1;
  for (const Size e : shape) n *= static_cast<double>(e);
  return n <= most_elements && n <= budget_;
}

int Generator::add(std::string text, std::vector<int> in, DType dtype, const Shape& shape, double bound, Run run,
                   bool cut) {
  Step s;
  s.text = std::move(text);
  s.dtype = dtype;
  s.shape = shape;
  s.run = std::move(run);
  s.no_grad = no_grad_;
  for (const int k : in) s.depends |= at(k).depends;
  s.cut = s.depends && (cut || no_grad_) && is_float(dtype);
  if (s.cut) s.depends = false;
  s.in = std::move(in);
  budget_ -= static_cast<double>(shape.numel());
  p_.steps.push_back(std::move(s));
  bounds_.push_back(bound);
  return static_cast<int>(p_.steps.size()) - 1;
}

int Generator::leaf(DType dtype, const Shape& shape) {
  if (dtype != boolean && dice_.chance(0.1)) {
    const double x = dtype == i64 ? static_cast<double>(dice_.between(-3, 3)) : std::round(dice_.normal() * 8) / 8;
    return add(fmt::format("full({}, {})", to_string(shape), x), {}, dtype, shape, std::abs(x),
               [=](const Tensors&) { return full(shape, x, dtype); });
  }
  const Tensor value = stored(dtype, shape);
  return add("constant", {}, dtype, shape,
             dtype == boolean ? 1
             : dtype == i64   ? 9
                              : 4,
             [=](const Tensors&) { return value; });
}

int Generator::read_parameter(int parameter) {
  const Tensor& first = p_.parameters[static_cast<std::size_t>(parameter)];
  const int slot = add(fmt::format("parameter {}", parameter), {}, first.dtype(), first.shape(), 4, nullptr);
  p_.steps.back().role = Step::Role::read;
  p_.steps.back().parameter = parameter;
  p_.steps.back().depends = true;
  return slot;
}

DType Generator::some_dtype() {
  if (p_.smooth) return f64;
  const double u = dice_.uniform();
  return u < 0.6 ? f32 : u < 0.85 ? f64 : u < 0.95 ? i64 : boolean;
}

int Generator::some_axis(const Shape& shape) {
  const double u = dice_.uniform();
  return u < 0.35 ? shape.rank() - 1 : u < 0.6 ? 0 : static_cast<int>(dice_.below(shape.rank()));
}

int Generator::some_float() {
  const int x = find([&](int i) { return is_float(at(i).dtype) && (!p_.smooth || at(i).dtype == f64); });
  return x >= 0 ? x : leaf(f64, some_shape());
}

// Numbers that grow without end would be infinite, and then NaN, in all that follows: most programs bring them back.
int Generator::limited(int x) {
  const double b = bound(x);
  if (b <= 16 || !is_float(at(x).dtype) || (!p_.smooth && dice_.chance(0.03))) return x;
  const Shape shape = at(x).shape;
  if (!std::isfinite(b) || dice_.chance(0.2))
    return add(fmt::format("tanh(%{})", x), {x}, at(x).dtype, shape, 1, [](const Tensors& in) { return tanh(in[0]); });
  const double c = 4 / b;
  return add(fmt::format("%{} * {}", x, c), {x}, at(x).dtype, shape, 4, [=](const Tensors& in) { return in[0] * c; });
}

int Generator::within(int x, double low, double high) {
  x = limited(x);
  const Shape shape = at(x).shape;
  const DType dtype = at(x).dtype;
  const double half = (high - low) / 2, middle = (high + low) / 2;
  const int bent =
      dice_.chance(0.5)
          ? add(fmt::format("sin(%{})", x), {x}, dtype, shape, 1, [](const Tensors& in) { return sin(in[0]); })
          : add(fmt::format("tanh(%{})", x), {x}, dtype, shape, 1, [](const Tensors& in) { return tanh(in[0]); });
  return add(fmt::format("%{} * {} + {}", bent, half, middle), {bent}, dtype, shape,
             std::max(std::abs(low), std::abs(high)), [=](const Tensors& in) { return in[0] * half + middle; });
}

Shape united(const Shape& x, const Shape& y) {
  Shape s = x.rank() >= y.rank() ? x : y;
  const Shape& shorter = x.rank() >= y.rank() ? y : x;
  for (int i = 0; i < shorter.rank(); ++i) {
    Size& e = s[s.rank() - shorter.rank() + i];
    if (e == 1) e = shorter[i];
    else if (shorter[i] != 1 && shorter[i] != e) return {-1};
  }
  return s;
}

bool Generator::broadcasts(const Shape& x, const Shape& y) const {
  const Shape s = united(x, y);
  return !(s == Shape{-1}) && affordable(s);
}

int Generator::partner(int x) {
  const DType dtype = at(x).dtype;
  if (dice_.chance(0.75)) {
    const int y = find([&](int i) {
      return at(i).dtype == dtype && (i != x || dice_.chance(0.2)) && broadcasts(at(x).shape, at(i).shape);
    });
    if (y >= 0) return y;
  }
  return leaf(dtype, like(at(x).shape));
}

int Generator::condition(const Shape& shape) {
  const int c = find(
      [&](int i) { return at(i).dtype == boolean && broadcasts(at(i).shape, shape) && !(p_.smooth && at(i).depends); });
  return c >= 0 && dice_.chance(0.8) ? c : leaf(boolean, like(shape));
}

void Generator::loss() {
  int total = -1;
  const DType dtype = p_.smooth || dice_.chance(0.5) ? f64 : f32;
  for (Size terms = dice_.between(1, 3); terms > 0; --terms) {
    int x = find([&](int i) { return is_float(at(i).dtype) && at(i).depends; });
    if (x < 0) return;
    x = limited(x);
    const Shape shape = at(x).shape;
    double b = bound(x);
    if (dice_.chance(0.6) && !shape.empty()) {
      const int weights = leaf(at(x).dtype, dice_.chance(0.5) ? shape : like(shape));
      b *= 4;
      x = add(fmt::format("mul(%{}, %{})", x, weights), {x, weights}, at(x).dtype, shape, b,
              [](const Tensors& in) { return in[0] * in[1]; });
    }
    const double n = static_cast<double>(shape.numel());
    x = n > 0 && dice_.chance(0.4)
            ? add(fmt::format("mean(%{})", x), {x}, at(x).dtype, {}, b, [](const Tensors& in) { return mean(in[0]); })
            : add(fmt::format("sum(%{})", x), {x}, at(x).dtype, {}, b * n,
                  [](const Tensors& in) { return sum(in[0]); });
    if (at(x).dtype != dtype)
      x = add(fmt::format("cast(%{}, {})", x, name(dtype)), {x}, dtype, {}, bound(x),
              [=](const Tensors& in) { return cast(in[0], dtype); });
    total = total < 0 ? x
                      : add(fmt::format("add(%{}, %{})", total, x), {total, x}, dtype, {}, bound(total) + bound(x),
                            [](const Tensors& in) { return in[0] + in[1]; });
  }
  p_.loss = total;
}

void Generator::outputs() {
  const int n = static_cast<int>(p_.steps.size());
  for (Size count = dice_.between(1, 4); count > 0; --count) p_.outputs.push_back(static_cast<int>(dice_.below(n)));
  p_.outputs.push_back(n - 1);
  std::sort(p_.outputs.begin(), p_.outputs.end());
  p_.outputs.erase(std::unique(p_.outputs.begin(), p_.outputs.end()), p_.outputs.end());
}

Program Generator::make() {
  p_.smooth = dice_.chance(0.3);
  const bool large = dice_.chance(p_.smooth ? 0.03 : 0.15);
  budget_ = large ? 4e6 : 4e5;
  for (Size n = dice_.between(1, 3); n > 0; --n) bases_.push_back(some_shape());
  if (large) bases_[0] = dice_.one_of(large_shapes);
  for (int k = 0; k < dice_.between(1, 3); ++k) {
    const DType dtype = p_.smooth || dice_.chance(0.3) ? f64 : f32;
    const Shape base = dice_.one_of(bases_);
    p_.parameters.push_back(contiguous(data(dtype, dice_.chance(0.5) ? base : like(base))));
    assigned_.push_back(false);
    read_parameter(k);
  }

  struct Family {
    const char* name;
    double weight;
    void (Generator::*grow)();
    bool smooth = true;
  };
  using G = Generator;
  static const std::vector<Family> families{{"unary", 18, &G::unary},
                                            {"binary", 20, &G::binary},
                                            {"ternary", 4, &G::ternary},
                                            {"integers", 5, &G::integers, false},
                                            {"compare", 6, &G::compare},
                                            {"logic", 3, &G::logic, false},
                                            {"choose", 5, &G::choose},
                                            {"clip", 2, &G::clip, false},
                                            {"convert", 7, &G::convert, false},
                                            {"reduce_all", 7, &G::reduce_all},
                                            {"reduce_axis", 12, &G::reduce_axis},
                                            {"reduce_axes", 4, &G::reduce_axes},
                                            {"along_axis", 7, &G::along_axis},
                                            {"algebra", 3, &G::algebra},
                                            {"order", 2, &G::order, false},
                                            {"windows", 9, &G::windows},
                                            {"running", 1, &G::running},
                                            {"reduce_some", 3, &G::reduce_some},
                                            {"reshape", 6, &G::reshape_it},
                                            {"turn", 6, &G::turn},
                                            {"repeat", 4, &G::repeat},
                                            {"cut_out", 7, &G::cut_out},
                                            {"join", 6, &G::join},
                                            {"pick", 7, &G::pick},
                                            {"product", 7, &G::product},
                                            {"stop", 3, &G::stop},
                                            {"differentiate", 2, &G::differentiate},
                                            {"assign", 1, &G::assign},
                                            {"backward", 0.7, &G::backward},
                                            {"draw", 3, &G::draw},
                                            {"transform", 3, &G::transform},
                                            {"custom", 1.5, &G::custom},
                                            {"checkpoints", 1.5, &G::checkpoints},
                                            {"scopes", 2, &G::scopes},
                                            {"fail", 4, &G::fail},
                                            {"optimize", 1, &G::optimize},
                                            {"layer", 1.5, &G::layer},
                                            {"hand_over", 1, &G::hand_over},
                                            {"cross", 1, &G::cross}};
  const Size steps = static_cast<Size>(p_.parameters.size()) + (large ? dice_.between(6, 30) : dice_.between(5, 50));
  while (static_cast<Size>(p_.steps.size()) < steps && budget_ > 0) {
    if (dice_.chance(0.02)) no_grad_ = !no_grad_;
    else if (no_grad_ && dice_.chance(0.3)) no_grad_ = false;
    const Family& f = dice_.by_name(families, [](const Family& family) { return family.weight; });
    if (!p_.smooth || f.smooth) (this->*f.grow)();
  }
  no_grad_ = false;
  loss();
  outputs();
  return std::move(p_);
}

Program random_program(std::uint64_t seed) { return Generator(seed).make(); }

}  // namespace programs
