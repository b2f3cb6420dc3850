// Functions as steps: transforms, checkpoints inside checkpoints, CustomOps with rules of their own, scopes inside scopes.
#include <memory>
#include <optional>

#include "generator.hpp"

namespace programs {

namespace {

// z = x sin y:   gx = g sin y    gy = g x cos y
const CustomOp& x_sin_y() {
  static const CustomOp op({.name = "x_sin_y",
                            .forward = [](const Tensors& in) { return in[0] * sin(in[1]); },
                            .vjp = [](const Tensor& g, const Tensors& in, const Tensor&) -> Tensors {
                              return {g * sin(in[1]), g * in[0] * cos(in[1])};
                            }});
  return op;
}
// y = tanh x, by its result:   gx = g (1 - y^2)
const CustomOp& own_tanh() {
  static const CustomOp op(
      {.name = "own_tanh",
       .forward = [](const Tensors& in) { return tanh(in[0]); },
       .vjp = [](const Tensor& g, const Tensors&, const Tensor& out) -> Tensors { return {g * (1 - out * out)}; }});
  return op;
}

// Smooth functions of two tensors of one shape, bounded where those are.
struct Formula {
  const char* name;
  Tensor (*of)(const Tensor& v, const Tensor& w);
};
const std::vector<Formula> formulas{
    {"v sin w", [](const Tensor& v, const Tensor& w) { return v * sin(w); }},
    {"tanh(v) w", [](const Tensor& v, const Tensor& w) { return tanh(v) * w; }},
    {"v^2 / (1 + w^2)", [](const Tensor& v, const Tensor& w) { return square(v) / (1 + square(w)); }},
    {"exp(-v^2) + w", [](const Tensor& v, const Tensor& w) { return exp(-square(v)) + w; }},
    {"cumsum(v) w",
     [](const Tensor& v, const Tensor& w) { return v.shape().rank() ? cumsum(v, -1) * w * 0.125 : v * w; }},
    {"v flip(w)", [](const Tensor& v, const Tensor& w) { return v.shape().rank() ? v * flip(w, 0) : v * w; }},
    {"x_sin_y(v, w)", [](const Tensor& v, const Tensor& w) { return x_sin_y()(v, w); }},
    {"own_tanh(v) w", [](const Tensor& v, const Tensor& w) { return own_tanh()(v) * w; }},
    {"checkpoint(sin(v) w)",
     [](const Tensor& v, const Tensor& w) { return checkpoint([w](const Tensor& u) { return sin(u) * w; }, v); }}};

}  // namespace

// A float and another of its shape, at times itself.
std::pair<int, int> Generator::two_alike() {
  const int x = limited(some_float());
  const DType dtype = at(x).dtype;
  const Shape shape = at(x).shape;
  int y = find([&](int i) { return at(i).dtype == dtype && at(i).shape == shape; });
  if (dice_.chance(0.3)) y = leaf(dtype, shape);
  return {x, limited(y)};
}

// Of x, where it has more.
int Generator::first_numbers(int x, Size most) {
  if (at(x).shape.numel() <= most) return x;
  return add(fmt::format("slice(flatten(%{}), 0, 0, {})", x, most), {x}, at(x).dtype, {most}, bound(x),
             [most](const Tensors& in) { return slice(flatten(in[0]), 0, 0, most); });
}

void Generator::transform() {
  if (no_grad_) return;
  auto [x, w] = two_alike();
  const Size way = dice_.below(6);
  if (way >= 4) x = first_numbers(x, 6), w = first_numbers(w, 6);
  const DType dtype = at(x).dtype;
  const Shape shape = at(x).shape;
  const Formula& f = dice_.by_name(formulas);
  const auto text = [&, x = x, w = w](const char* transform) {
    return fmt::format("{}({}; v = %{}, w = %{})", transform, f.name, x, w);
  };
  switch (way) {
    case 0:
      add(text("value_and_grad"), {x, w}, dtype, shape, HUGE_VAL, [of = f.of](const Tensors& in) {
        const ValueAndGrad r = value_and_grad([&](const Tensor& v) { return sum(of(v, in[1])); }, in[0]);
        return r.grad * tanh(r.value);
      });
      return;
    case 1:
      add(text("vjp"), {x, w}, dtype, shape, HUGE_VAL, [of = f.of](const Tensors& in) {
        const Vjp r = vjp([&](const Tensor& v) { return of(v, in[1]); }, in[0]);
        return r.pullback(cos(r.value));
      });
      return;
    case 2:
      add(text("jvp"), {x, w}, dtype, shape, HUGE_VAL, [of = f.of](const Tensors& in) {
        const Jvp r = jvp([&](const Tensor& v) { return of(v, in[1]); }, in[0], in[1]);
        return r.tangent + r.value;
      });
      return;
    case 3:
      add(text("hvp"), {x, w}, dtype, shape, HUGE_VAL, [of = f.of](const Tensors& in) {
        return hvp([&](const Tensor& v) { return sum(of(v, in[1])); }, in[0], in[1]);
      });
      return;
    default: {
      const bool second = way == 5;
      if (shape.numel() == 0) return;
      Shape both = shape;
      for (const Size e : shape) both.push_back(e);
      add(text(second ? "hessian" : "jacobian"), {x, w}, dtype, both, HUGE_VAL, [of = f.of, second](const Tensors& in) {
        const auto f = [&](const Tensor& v) { return of(v, in[1]); };
        return second ? hessian([&](const Tensor& v) { return sum(f(v)); }, in[0]) : jacobian(f, in[0]);
      });
    }
  }
}

void Generator::custom() {
  const auto [x, y] = two_alike();
  if (dice_.chance(0.5))
    add(fmt::format("x_sin_y(%{}, %{})", x, y), {x, y}, at(x).dtype, at(x).shape, bound(x),
        [](const Tensors& in) { return x_sin_y()(in[0], in[1]); });
  else
    add(fmt::format("own_tanh(%{})", x), {x}, at(x).dtype, at(x).shape, 1,
        [](const Tensors& in) { return own_tanh()(in[0]); });
}

void Generator::checkpoints() {
  if (no_grad_) return;
  const auto [x, w] = two_alike();
  const double b = bound(x) + bound(w) + 1;
  const DType dtype = at(x).dtype;
  const Shape shape = at(x).shape;
  switch (dice_.below(3)) {
    case 0:
      add(fmt::format("checkpoint(checkpoint(sin(v / 2) %{1}) + v; v = %{0})", x, w), {x, w}, dtype, shape, b,
          [](const Tensors& in) {
            return checkpoint(
                [w = in[1]](const Tensor& v) {
                  return checkpoint([w](const Tensor& u) { return sin(u) * w; }, v * 0.5) + v;
                },
                in[0]);
          });
      return;
    case 1:
      add(fmt::format("checkpoint(v own_tanh(rand()); v = %{})", x), {x}, dtype, shape, b, [](const Tensors& in) {
        return checkpoint([](const Tensor& v) { return v * own_tanh()(rand(v.shape(), v.dtype())); }, in[0]);
      });
      return;
    default:
      add(fmt::format("checkpoint(tanh(v), x_sin_y(v, w); v = %{}, w = %{})", x, w), {x, w}, dtype, shape, b,
          [](const Tensors& in) {
            return checkpoint(
                [](const Tensors& v) {
                  const Tensor a = tanh(v[0]);
                  return a + x_sin_y()(v[0], v[1]) * a;
                },
                in);
          });
  }
}

void Generator::scopes() {
  const int x = limited(some_float());
  const DType dtype = at(x).dtype;
  const Shape shape = at(x).shape;
  switch (dice_.below(3)) {
    case 0:
      add(fmt::format("Eager: sin(%{}) * 2", x), {x}, dtype, shape, 2, [](const Tensors& in) {
        const Eager eager;
        return sin(in[0]) * 2;
      });
      return;
    case 1:
      add(
          fmt::format("NoGrad: (Eager: sin(%{}) * 2) + 1", x), {x}, dtype, shape, 3,
          [](const Tensors& in) {
            const NoGrad no_grad;
            Tensor y;
            {
              const Eager eager;
              const NoGrad again;
              y = sin(in[0]) * 2;
            }
            return y + 1;
          },
          true);
      return;
    default:
      if (no_grad_) return;
      add(fmt::format("Eager: checkpoint(cos(v) * 2) + (NoGrad: v); v = %{}", x), {x}, dtype, shape, 2 + bound(x),
          [](const Tensors& in) {
            const Eager eager;
            const Tensor y = checkpoint([](const Tensor& v) { return cos(v) * 2; }, in[0]);
            const NoGrad no_grad;
            return y;
          });
  }
}

}  // namespace programs
