#include <array>

#include "trial.hpp"

namespace failing_memory {

std::vector<Kind> derivative_kinds() {
  static const Tensor x = evaluate(randn({6, 5}, f64)), square_x = evaluate(randn({5, 5}, f64));
  static Parameter w = parameter(randn({5, 4}, f64)), v = parameter(randn({5000}, f64));
  static const CustomOp cube(
      {.name = "cube",
       .forward = [](const Tensors& in) { return in[0] * in[0] * in[0]; },
       .vjp = [](const Tensor& g, const Tensors& in, const Tensor&) { return Tensors{3 * g * in[0] * in[0]}; }});
  const auto f = [](const Tensor& t) { return sum(exp(t) * t); };
  // clang-format off
  return {
      {"backward", value([] {
         v.zero_grad();
         const Tensor loss = sum(tanh(v) * v);
         loss.backward();
         return Tensors{v.grad(), loss};
       })},
      {"grad of grad", value([] {
         const Tensor y = sum(sin(w)) * mean(v * v);
         const Tensors first = grad(y, {w, v}, {.create_graph = true});
         return Tensors{grad(sum(first[0]) + sum(first[1]), {w})[0]};
       })},
      {"transforms", value([f] {
         const ValueAndGrad at = value_and_grad(f, x);
         return Tensors{at.value, at.grad, hvp(f, x, x), vjp(f, x).pullback(1.0), jvp(f, x, x).tangent};
       })},
      {"jacobian and hessian", value([f] {
         return Tensors{jacobian([](const Tensor& t) { return matmul(t, square_x); }, x), hessian(f, square_x)};
       })},
      {"vmap", value([f] {
         const Tensors both = vmap([&](const Tensors& in) { return Tensors{hessian(f, in[0]), grad(sum(matmul(in[0], w)), {w})[0]}; },
                                   {stack({x, 2 * x})});
         return Tensors{both[0], both[1], vmap([](const Tensor& t) { return matmul(cube(t), w); }, stack({x, x}))};
       })},
      {"checkpoint", value([] {
         v.zero_grad();
         sum(checkpoint([](const Tensor& t) { return tanh(t) * v; }, v * 2)).backward();
         return Tensors{v.grad()};
       })},
      {"CustomOp", value([] {
         w.zero_grad();
         sum(cube(w)).backward();
         return Tensors{w.grad()};
       })},
      {"a new CustomOp", value([] {
         const CustomOp op({.name = "twice",
                            .forward = [k = std::array<double, 9>{2}](const Tensors& in) { return in[0] * k[0]; },
                            .vjp = {}});
         return Tensors{op(x)};
       })},
  };
  // clang-format on
}

}  // namespace failing_memory
