// The numbers behind a case: differences, and what they are compared with.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sweep/trial.hpp"

namespace sweep {

namespace {

constexpr double numeric_tolerance = 2e-8;    // against differences of the fourth order
constexpr double exact_tolerance = 1e-11;     // two ways to the same derivative
constexpr double f32_tolerance = 1e-5;        // f32 against f64
constexpr double f32_tolerance_large = 1e-4;  // of sums of many

Tensors dense_operands(const Trial& trial, const Point& x) {
  Tensors list;
  for (std::size_t k = 0; k < x.size(); ++k) list.push_back(tensor(x[k], trial.c.shapes[k]));
  return list;
}
Vector value_at(const Trial& trial, const Point& x) {
  const NoGrad no_grad;
  return trial.apply(dense_operands(trial, x)).to_vector<double>();
}

// All gradients of <g, f> at watched operands.
struct Reverse {
  Tensors in;
  Tensor g, y;
  Tensors gradients;
};
Reverse reverse(const Trial& trial, const Tensors& operands, DType dtype, bool create_graph) {
  Reverse r;
  for (const Tensor& x : operands) r.in.push_back(watch(x));
  r.g = watch(trial.cotangent(dtype));
  r.y = trial.apply(r.in);
  r.gradients = grad(r.y, Wrt(r.in), r.g, {.create_graph = create_graph, .allow_unused = true});
  return r;
}
Vector gradient_at(const Trial& trial, const Point& x) {
  return joined(reverse(trial, dense_operands(trial, x), f64, false).gradients);
}

// Every derivative of a case, by every way.
struct Derivatives {
  Vector y;
  Vector gradient, unrecorded;                               // g^T J, recorded and not
  Vector tangent, transposed;                                // J t, forward; and by the transpose of the vjp
  Vector reverse_reverse, forward_reverse, reverse_forward;  // H t, of <g, f>
  double forward_forward = 0;                                // t^T H t
};

Tensor pushed(const Trial& trial, const Tensors& in, const Function& of, std::size_t k, DType dtype) {
  return jvp(of, in[k], trial.direction(k, dtype)).tangent;
}

// J t of operands that may be watched: the sum over the operands, each with the others fixed.
Tensor tangent_of(const Trial& trial, const Tensors& in, DType dtype) {
  Tensor sum;
  for (std::size_t k = 0; k < in.size(); ++k) {
    const Tensor part = pushed(
        trial, in, [&](const Tensor& v) { return trial.apply_with(in, k, v); }, k, dtype);
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

Derivatives derivatives(const Trial& trial, DType dtype) {
  const Tensors operands = trial.operands(dtype);
  Derivatives d;
  {
    const Reverse r = reverse(trial, operands, dtype, false);
    d.unrecorded = joined(r.gradients);
  }
  const Reverse r = reverse(trial, operands, dtype, true);
  d.y = r.y.to_vector<double>();
  if (r.y.dtype() != dtype) throw Wrong{fmt::format("the result is {}", xgrad::name(r.y.dtype()))};
  d.gradient = joined(r.gradients);
  d.tangent = tangent_of(trial, operands, dtype).to_vector<double>();

  Tensor along = zeros({}, dtype);  // <t, g^T J>
  for (std::size_t k = 0; k < operands.size(); ++k) {
    if (r.gradients[k].shape() != r.in[k].shape() || r.gradients[k].dtype() != dtype)
      throw Wrong{fmt::format("the gradient of operand {} is {} {}", k, xgrad::name(r.gradients[k].dtype()),
                              r.gradients[k].shape())};
    along = along + sum(r.gradients[k] * trial.direction(k, dtype));
  }
  Tensors wrt = r.in;
  wrt.push_back(r.g);
  Tensors second = grad(along, Wrt(wrt), {.allow_unused = true});
  d.transposed = second[operands.size()].to_vector<double>();
  for (std::size_t k = 0; k < operands.size(); ++k) append(d.reverse_reverse, second[k]);

  const Tensor g = trial.cotangent(dtype);
  Tensor quadratic = zeros({}, dtype);
  for (std::size_t j = 0; j < operands.size(); ++j) {
    Tensor row;  // (H t)_j
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const Function gradient = [&](const Tensor& v) {
        Tensors in = operands;
        in[k] = v;
        return vjp([&](const Tensor& w) { return trial.apply_with(in, j, w); }, in[j]).pullback(g);
      };
      const Tensor part = pushed(trial, operands, gradient, k, dtype);
      row = row.defined() ? row + part : part;
      const Function forward = [&](const Tensor& v) {
        Tensors in = operands;
        in[k] = v;
        return pushed(
            trial, in, [&](const Tensor& w) { return trial.apply_with(in, j, w); }, j, dtype);
      };
      quadratic = quadratic + sum(g * pushed(trial, operands, forward, k, dtype));
    }
    append(d.forward_reverse, row);
  }
  d.forward_forward = quadratic.item();

  Tensors watched;
  for (const Tensor& x : operands) watched.push_back(watch(x));
  const Tensor forward = sum(g * tangent_of(trial, watched, dtype));
  d.reverse_forward = forward.requires_grad() ? joined(grad(forward, Wrt(watched), {.allow_unused = true}))
                                              : Vector(d.gradient.size(), 0.0);
  return d;
}

// Directions that the gradient is compared along: each element where they are few, else some of them and two dense
// ones.
std::vector<Point> directions(const Trial& trial) {
  constexpr std::size_t few = 80;
  Point none;
  std::vector<std::pair<std::size_t, std::size_t>> all;
  for (std::size_t k = 0; k < trial.operand_count(); ++k) {
    none.emplace_back(trial.x[k].size(), 0.0);
    for (std::size_t i = 0; i < trial.x[k].size(); ++i) all.emplace_back(k, i);
  }
  std::vector<Point> list;
  const auto one = [&](std::size_t which) {
    list.push_back(none);
    list.back()[all[which].first][all[which].second] = 1;
  };
  Draws draws(trial.c.name() + "directions");
  if (all.size() <= few) {
    for (std::size_t i = 0; i < all.size(); ++i) one(i);
    return list;
  }
  for (int i = 0; i < 2; ++i) {
    list.emplace_back();
    for (const Vector& x : trial.x) list.back().push_back(factors(x.size(), draws));
  }
  one(0);
  one(all.size() - 1);
  one(draws.below(all.size()));
  return list;
}

Vector flat(const Point& p) {
  Vector v;
  for (const Vector& part : p) v.insert(v.end(), part.begin(), part.end());
  return v;
}

void compare_with_differences(const Trial& trial, const Derivatives& d) {
  const auto value = [&](const Point& x) { return value_at(trial, x); };
  for (const Point& along : directions(trial)) {
    const Vector exact{dot(d.gradient, flat(along))}, numeric{dot(trial.g, differences(value, trial.x, along))};
    compare("gradient against differences", exact, numeric, numeric_tolerance);
  }
  compare("tangent against differences", d.tangent, differences(value, trial.x, trial.t), numeric_tolerance);
  const auto gradient = [&](const Point& x) { return gradient_at(trial, x); };
  compare("second derivative against differences", d.reverse_reverse, differences(gradient, trial.x, trial.t),
          numeric_tolerance);
}

// The same derivative by several ways.
void compare_ways(const Trial& trial, const Derivatives& d, double tolerance) {
  const Vector t = flat(trial.t);
  compare("gradient, recorded", d.gradient, d.unrecorded, tolerance);
  compare("tangent by the transposed vjp", d.transposed, d.tangent, tolerance);
  compare("<g, J t> against <J^T g, t>", {dot(trial.g, d.tangent)}, {dot(d.gradient, t)}, tolerance);
  compare("forward over reverse", d.forward_reverse, d.reverse_reverse, tolerance);
  compare("reverse over forward", d.reverse_forward, d.reverse_reverse, tolerance);
  compare("forward over forward", {d.forward_forward}, {dot(d.reverse_reverse, t)}, tolerance);
}

void compare_dtypes(const Derivatives& narrow, const Derivatives& wide, double f32_tolerance) {
  compare("f32 result", narrow.y, wide.y, f32_tolerance);
  compare("f32 gradient", narrow.gradient, wide.gradient, f32_tolerance);
  compare("f32 tangent", narrow.tangent, wide.tangent, f32_tolerance);
  compare("f32 second derivative", narrow.reverse_reverse, wide.reverse_reverse, f32_tolerance);
  compare("f32 second derivative, forward", narrow.forward_reverse, wide.forward_reverse, f32_tolerance);
}

std::string check_refused(const Case& c, const Refusal& refusal) {
  try {
    const Trial trial(c);
  } catch (const Error& e) {
    return std::string(e.what()).find('[') == std::string::npos ? fmt::format("an Error without its op: {}", e.what())
                                                                : std::string();
  }
  return fmt::format("expected an Error: {}", refusal.reason);
}

}  // namespace

std::string check(const Case& c) {
  for (const Refusal& r : c.row->refused)
    if (r.of(c.shapes[0])) return check_refused(c, r);
  try {
    const Trial trial(c);
    const Derivatives wide = derivatives(trial, f64);
    compare("result, against dense operands", wide.y, value_at(trial, trial.x), exact_tolerance);
    compare_with_differences(trial, wide);
    compare_ways(trial, wide, exact_tolerance);
    const Derivatives narrow = derivatives(trial, f32);
    const double tolerance = c.large() ? f32_tolerance_large : f32_tolerance;
    compare_dtypes(narrow, wide, tolerance);
    compare_ways(trial, narrow, tolerance);
  } catch (const Wrong& wrong) {
    return wrong.what;
  } catch (const Error& e) {
    return fmt::format("an Error: {}", e.what());
  }
  return {};
}

bool curved(const Case& c) {
  for (const Refusal& r : c.row->refused)
    if (r.of(c.shapes[0])) return false;
  const Trial trial(c);
  const auto gradient = [&](const Point& x) { return gradient_at(trial, x); };
  const Vector second = differences(gradient, trial.x, trial.t);
  return std::any_of(second.begin(), second.end(), [](double d) { return std::abs(d) > 1e-6; });
}

}  // namespace sweep
