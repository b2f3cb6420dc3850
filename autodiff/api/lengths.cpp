#include <xgrad/autodiff/lengths.hpp>

#include <algorithm>
#include <cmath>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad {
namespace {

// sum x^2, in f64, in an order of its own that is always the same
template <class T>
double sum_of_squares(const void* memory, Size n) {
  const T* x = static_cast<const T*>(memory);
  double sums[8] = {};
  Size i = 0;
  for (; i + 8 <= n; i += 8)
    for (int k = 0; k < 8; ++k) sums[k] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
  for (int k = 0; i < n; ++i, ++k) sums[k] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

}  // namespace

std::vector<double> lengths_of(const Tensors& x, double p, Source source) {
  constexpr Size few = 1 << 12;  // numbers, for which an op is not worth it
  // Nor are they where squares leave the range of f64, which `norm` minds.
  const auto by_hand = [&](const Tensor& one, double& length) {
    if (p != 2 || one.numel() > few) return false;
    const Tensor dense = contiguous(one, source);
    const void* memory = readable(dense, source);
    const double squares =
        one.dtype() == f32 ? sum_of_squares<float>(memory, one.numel()) : sum_of_squares<double>(memory, one.numel());
    length = std::sqrt(squares);
    return one.dtype() == f32 || (squares > 1e-280 && squares < 1e280);
  };
  std::vector<double> lengths(x.size());
  std::vector<std::size_t> which;
  Tensors others;
  for (std::size_t k = 0; k < x.size(); ++k)
    if (const Tensor& one = x.begin()[k]; !by_hand(one, lengths[k])) {
      which.push_back(k);
      others.push_back(norm(one, p));
    }
  evaluate(others, source);
  for (std::size_t k = 0; k < which.size(); ++k) lengths[which[k]] = others.begin()[k].item(source);
  return lengths;
}

double length_together(const std::vector<double>& lengths, double p) {
  double most = 0, sum = 0;
  for (const double length : lengths) most = length <= most ? most : length;  // NaN, too
  if (std::isinf(p) || most == 0 || !std::isfinite(most)) return most;
  for (const double length : lengths) sum += p == 2 ? (length / most) * (length / most) : std::pow(length / most, p);
  return most * (p == 2 ? std::sqrt(sum) : std::pow(sum, 1 / p));
}

double shortening(double length, double most) {
  const double factor = most / (length + 1e-6);
  return factor >= 1 ? 1 : factor;
}

}  // namespace xgrad
