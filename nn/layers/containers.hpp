// Layers around layers. (Sequential: nn/sequential.hpp)
#pragma once

#include <optional>

#include <xgrad/nn/sequential.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

// y = main(x) + x, or + shortcut(x) where x has another shape than main's result   (He et al. 2016)
struct Residual {
  Layer main;
  std::optional<Layer> shortcut;

  explicit Residual(Layer layer) : main(std::move(layer)) {}
  Residual(Layer layer, Layer beside) : main(std::move(layer)), shortcut(std::move(beside)) {}
  Tensor operator()(In x) const;
  XGRAD_FIELDS(main, shortcut)
};

enum class Join { concat, sum };
struct ParallelOptions {
  Join join = Join::concat;
  Size axis = 1;  // that results are joined along
};
// What several layers make of the same x, side by side along an axis, or added: nn::Parallel({a, b}, {.join = nn::Join::sum}).
struct Parallel {
  Sequential branches;
  ParallelOptions options;

  explicit Parallel(std::vector<Layer> layers, ParallelOptions o = {}) : branches(std::move(layers)), options(o) {}
  Tensor operator()(In x) const;
  XGRAD_FIELDS(branches)
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
