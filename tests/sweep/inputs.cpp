#include "sweep/inputs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <xgrad/autodiff/memory.hpp>

namespace sweep {

Draws::Draws(const std::string& name) : state_(std::hash<std::string>{}(name)) {}

std::uint64_t Draws::next() {
  std::uint64_t z = state_ += 0x9E3779B97F4A7C15ull;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  return z ^ z >> 31;
}

double Draws::factor() {
  const double magnitude = 0.5 + static_cast<double>(below(17)) / 16;
  return next() & 1 ? magnitude : -magnitude;
}

Vector factors(std::size_t n, Draws& draws) {
  Vector v(n);
  for (double& f : v) f = draws.factor();
  return v;
}

Vector sample(const Domain& domain, const Shape& shape, Layout layout, std::size_t operand, Draws& draws) {
  const auto n = static_cast<std::size_t>(shape.numel());
  const double range = domain.high - domain.low, offset = 0.2 + 0.3 * static_cast<double>(operand % 3);
  Vector v(n);
  if (domain.distinct) {  // each in a cell of its own, in any order
    std::vector<std::size_t> cell(n);
    std::iota(cell.begin(), cell.end(), std::size_t{0});
    for (std::size_t i = n; i > 1; --i) std::swap(cell[i - 1], cell[draws.below(i)]);
    for (std::size_t i = 0; i < n; ++i)
      v[i] = domain.low + range * (static_cast<double>(cell[i]) + 0.25 + 0.5 * offset) / static_cast<double>(n);
  } else {
    constexpr double step = 1.0 / 32;  // more than twice what the differences move a number by
    const double first = std::ceil(domain.low / step), last = std::floor(domain.high / step);
    const auto points = static_cast<std::size_t>(last - first);
    for (double& x : v) x = step * (first + static_cast<double>(draws.below(points)) + offset);
  }
  for (double& x : v) x = std::round(x * 65536) / 65536;
  if (layout == Layout::uniform) v.assign(n, n ? v[0] : 0);
  if (layout == Layout::expanded)
    for (std::size_t i = 0, row = n / static_cast<std::size_t>(std::max<Size>(1, shape[0])); i < n; ++i)
      v[i] = v[i % row];
  return v;
}

namespace {

Tensor sliced(const Vector& numbers, const Shape& shape, DType dtype) {
  Vector wide(2 * numbers.size() + 1, std::numeric_limits<double>::quiet_NaN());
  if (shape.rank() == 0) {
    wide[1] = numbers[0];
    return cast(tensor(wide), dtype)[1];
  }
  Shape larger = shape;
  Size& last = larger[larger.rank() - 1];
  last = 2 * last + 1;
  wide.assign(static_cast<std::size_t>(larger.numel()), std::numeric_limits<double>::quiet_NaN());
  const auto row = static_cast<std::size_t>(shape.back());
  for (std::size_t i = 0; i < numbers.size(); ++i) wide[i / row * (2 * row + 1) + 2 * (i % row) + 1] = numbers[i];
  return slice(cast(tensor(wide, larger), dtype), -1, 1, larger.back(), 2);
}

}  // namespace

Tensor laid_out(const Vector& numbers, const Shape& shape, DType dtype, Layout layout) {
  const NoGrad no_grad;
  if (layout == Layout::uniform && !numbers.empty()) return full(shape, numbers[0], dtype);
  if (layout == Layout::sliced) return evaluate(sliced(numbers, shape, dtype));
  const Tensor dense = evaluate(cast(tensor(numbers, shape), dtype));
  if (layout == Layout::expanded) return expand(slice(dense, 0, 0, 1), shape);
  if (layout != Layout::permuted) return dense;
  Shape reversed;
  for (int i = shape.rank(); i-- > 0;) reversed.push_back(i);
  return permute(contiguous(permute(dense, reversed)), reversed);
}

}  // namespace sweep
