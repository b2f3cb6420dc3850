// The first library alone: a derivative of a derivative.
#include <cmath>

#include <fmt/core.h>

#include <xgrad/autodiff.hpp>

using namespace xgrad;

int main() {
  const Tensor x = tensor({0.5, 1.0});
  const Tensor second = hvp([](const Tensor& v) { return sum(v * v * v); }, x, ones_like(x));  // 6 x
  fmt::print("{}\n", second);
  return amax(abs(second - 6.0 * x)).item() < 1e-12 ? 0 : 1;
}
