#include "trial.hpp"
#include <xgrad/autodiff/memory.hpp>

namespace failing_memory {

std::vector<Kind> op_kinds() {
  static const Tensor x = evaluate(randn({6, 5}, f64)), large = evaluate(randn({5000})),
                      square_x = evaluate(randn({5, 5}, f64));
  // clang-format off
  return {
      {"a region", value([] { return Tensors{tanh(large) * 2 + large, sum(large * 3), mean(exp(large))}; })},
      {"many results", value([] {
         Tensors all;
         for (int i = 0; i < 70; ++i) all.push_back(large * i + 1);
         return all;
       })},
      {"many waiting", value([] {
         Tensor total = large;
         for (int i = 0; i < 4200; ++i) total = total * 0.5f + large;
         return Tensors{total};
       })},
      {"views", value([] {
         return Tensors{contiguous(flip(transpose(x), 0)), reshape(transpose(x), {10, 3}), concat({x, x}), stack({x, x})};
       })},
      {"many axes", value([] {
         const Tensor deep = reshape(x, {1, 1, 1, 6, 1, 5, 1, 1, 1});
         return Tensors{transpose(deep, 3, 5) * 2, sum(deep, 5), flip(deep, 3)};
       })},
      {"indices", value([] {
         manual_seed(2);
         return Tensors{index_select(x, 0, arange(3)), gather(x, 1, zeros({6, 2}, i64)), cumsum(x, 0), randperm(40)};
       })},
      {"linear algebra", value([] {
         const Tensor wide = eye(20, f64) * 3.0 + 0.1, batch = expand(wide, {3, 20, 20});
         return Tensors{cholesky(square_x * 0.1 + 3.0 * eye(5, f64)), solve(batch, wide), inv(wide), det(wide), slogdet(wide)[1],
                        eigh(wide)[0],  eigh(square_x)[0], solve_triangular(wide, wide)};
       })},
      {"order", value([] { return Tensors{sort(large)[0], argsort(x, 0), topk(x, 2)[1]}; })},
      {"convolutions and pools", value([] {
         const Tensor image = watch(reshape(arange(0.0, 2 * 3 * 9 * 8), {2, 3, 9, 8}) * 0.01), kernel = watch(full({4, 3, 3, 2}, 0.5));
         const Tensor y = max_pool2d(conv2d(image, kernel, full({4}, 0.1), {.stride = 2, .padding = 1}), 2, {.ceil_mode = true});
         const Tensors g = grad(sum(square(avg_pool2d(y, 2, {.ceil_mode = true}))), {image, kernel});
         return Tensors{y, g[0], g[1], conv_transpose2d(y, kernel, {.dilation = 2})};
       })},
      {"running products, axes and norms", value([] {
         const Tensor x = watch(reshape(arange(1.0, 121.0), {4, 5, 6}) * 0.01);
         return Tensors{grad(sum(cumprod(x, 1)), {x})[0], var(x, {0, 2}), norm(x, 3, {0, 2}), argmax(x, {0, 2}), prod(x, {0, 2}), lerp(x, 2 * x, 0.25)};
       })},
      {"numbers and text", value([] {
         const Parameter p = parameter({{1.0, 2.0}, {3.0, 4.0}});
         const std::string numbers_shown = to_string(p * 2.0), record_shown = tape(sum(p * 2.0));
         const std::vector<double> numbers = p.value().to_vector<double>();
         return Tensors{p.value(), tensor(numbers)};
       })},
  };
  // clang-format on
}

}  // namespace failing_memory
