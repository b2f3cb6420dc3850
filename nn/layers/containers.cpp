#include <xgrad/nn/layers/containers.hpp>

#include <fmt/format.h>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::nn {

// Layers inside take x with its line and fail by their own names.
Tensor Residual::operator()(In x) const {
  const Tensor y = main(x), beside = shortcut ? (*shortcut)(x) : Tensor(x);
  const Located at(x, "Residual");
  if (!(y.shape() == beside.shape()))
    fail(line_of(x).named("Residual"),
         "expected a result of the shape {}, to which {} is added, got {}; give it a shortcut of that "
         "shape",
         beside.shape(), shortcut ? "the shortcut" : "x", y.shape());
  return y + beside;
}

Tensor Parallel::operator()(In x) const {
  const Source source = line_of(x);
  if (branches.size() == 0) fail(source.named("Parallel"), "expected layers, got none");
  Tensors parts;
  for (std::size_t i = 0; i < branches.size(); ++i) parts.push_back(branches[i](x));
  const Located at(source, "Parallel");
  if (options.join == Join::concat) return concat(parts, options.axis, source);
  Tensor y = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (!(parts[i].shape() == y.shape()))
      fail(source.named("Parallel"), "expected results of one shape to add, got {} and {}", y.shape(),
           parts[i].shape());
    y = y + parts[i];
  }
  return y;
}

}  // namespace xgrad::nn
