#include <xgrad/optim/around/gradients.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::optim {
namespace {

double number(Size n) { return static_cast<double>(n); }

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

std::vector<double> norms_of(const std::vector<Gradient>& all, double norm_type, Source source) {
  constexpr Size few = 1 << 12;  // numbers, for which an op is not worth it
  std::vector<double> norms(all.size());
  Tensors lengths;
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (norm_type != 2 || all[k].g.numel() > few) {
      lengths.push_back(norm(all[k].g, norm_type));
      continue;
    }
    const Tensor g = contiguous(all[k].g, source);
    const void* memory = readable(g, source);
    norms[k] = std::sqrt(g.dtype() == f32 ? sum_of_squares<float>(memory, g.numel())
                                          : sum_of_squares<double>(memory, g.numel()));
  }
  evaluate(lengths, source);
  const Tensor* next = lengths.begin();
  for (std::size_t k = 0; k < all.size(); ++k)
    if (norm_type != 2 || all[k].g.numel() > few) norms[k] = (next++)->item(source);
  return norms;
}

}  // namespace

// ---- clipping

void ClipNormRule::check(const Require& require) const {
  require(max_norm > 0, "a max_norm above 0", max_norm);
  require(norm_type >= 1, "a norm_type of 1 or more", norm_type);
}
void ClipNormRule::before(std::vector<Gradient>& all, Tensors& shared, Size, Source source) const {
  const std::vector<double> of_each = norms_of(all, norm_type, source);
  double total = 0;
  for (const double length : of_each) {
    if (each || std::isinf(norm_type)) total = length <= total ? total : length;  // NaN, too
    else total += std::pow(length, norm_type);
  }
  if (!each && !std::isinf(norm_type)) total = std::pow(total, 1 / norm_type);
  for (std::size_t k = 0; k < all.size(); ++k)
    if (!std::isfinite(of_each[k]))
      fail(source.named(name),
           "the norm of the gradient of {} is {}; lower the learning rate, look for NaN in the data, or leave "
           "such steps out: RequireFinite with skip, before this",
           all[k].name, of_each[k]);
  for (std::size_t k = 0; k < all.size(); ++k) {
    const double factor = max_norm / ((each ? of_each[k] : total) + 1e-6);
    if (factor < 1) all[k].g = all[k].g * factor;
  }
  shared[0] = full({}, total, f64);
}

void ClipValueRule::check(const Require& require) const { require(clip_value > 0, "a clip_value above 0", clip_value); }
void ClipValueRule::before(std::vector<Gradient>& all, Tensors&, Size) const {
  for (Gradient& x : all) x.g = clamp(x.g, -clip_value, clip_value);
}

namespace {

Shape all_but_the_first(const Tensor& x) {
  Shape axes;
  for (int axis = 1; axis < x.dim(); ++axis) axes.push_back(axis);
  return axes;
}
Tensor length_of_outputs(const Tensor& x) {
  return x.dim() < 2 ? sqrt(sum(square(x))) : sqrt(sum(square(x), all_but_the_first(x), true));
}

}  // namespace

void ClipAdaptiveRule::check(const Require& require) const {
  require(clipping > 0, "clipping above 0", clipping);
  require(eps > 0, "an eps above 0", eps);
}
void ClipAdaptiveRule::before(std::vector<Gradient>& all, Tensors&, Size) const {
  for (Gradient& x : all) {
    const Tensor most = clipping * maximum(length_of_outputs(x.p), eps), length = length_of_outputs(x.g);
    x.g = where(length > most, x.g * (most / maximum(length, 1e-6)), x.g);
  }
}

// ---- others

void CentralizeRule::before(std::vector<Gradient>& all, Tensors&, Size) const {
  for (Gradient& x : all)
    if (x.g.dim() > 1) x.g = x.g - mean(x.g, all_but_the_first(x.g), true);
}

void GradientNoiseRule::check(const Require& require) const {
  require.not_negative("eta", eta);
  require.not_negative("gamma", gamma);
}
void GradientNoiseRule::before(std::vector<Gradient>& all, Tensors&, Size t) const {
  const double deviation = std::sqrt(eta / std::pow(number(t), gamma));
  for (std::size_t k = 0; k < all.size(); ++k) {
    Gradient& x = all[k];
    if (!x.g.defined()) continue;
    const Tensor normal = filled(x.p.shape(), x.p.dtype(), [&](void* memory) {
      fill_normal(x.p.dtype(), memory, x.p.numel(), seed, static_cast<std::uint64_t>(t) << 32 | k);
    });
    x.g = x.g + deviation * normal;
  }
}

void AccumulateRule::check(const Require& require) const {
  require(steps > 0, "steps to be given, 1 or more", number(steps));
}
Tensor AccumulateRule::first(std::size_t slot, const Tensor&) const {
  return slot == 1 ? zeros(Shape{}, f64) : Tensor();
}
Verdict AccumulateRule::before(std::vector<Gradient>& all, Tensors& shared, Size) const {
  const double calls = shared[0].item() + 1;
  const bool last = calls >= number(steps);
  shared[0] = full({}, last ? 0 : calls, f64);
  for (Gradient& x : all) {
    Tensor sum = x.slots[0];
    double parts = x.slots[1].item();
    if (x.g.defined()) sum = parts++ == 0 ? x.g : sum + x.g;
    if (last) {
      x.g = parts == 0 ? Tensor() : mean ? sum / number(steps) : sum;
      sum = zeros_like(x.p);
      parts = 0;
    }
    x.slots[0] = sum;
    x.slots[1] = full({}, parts, f64);
  }
  return last ? Verdict::step : Verdict::wait;
}

namespace {

// Are all numbers finite? Their exponents are looked at, so many at once.
template <class T, class Bits>
bool finite(const void* memory, Size n, Bits exponent) {
  const char* x = static_cast<const char*>(memory);
  constexpr Size together = 4096;
  for (Size from = 0; from < n; from += together) {
    const Size to = std::min(n, from + together);
    Bits odd = 0;
    for (Size i = from; i < to; ++i) {
      Bits bits;
      std::memcpy(&bits, x + i * static_cast<Size>(sizeof(T)), sizeof(T));
      odd |= static_cast<Bits>((bits & exponent) == exponent);
    }
    if (odd) return false;
  }
  return true;
}

}  // namespace

void RequireFiniteRule::check(const Require& require) const { require(most >= 0, "most of 0 or more", number(most)); }
Verdict RequireFiniteRule::before(std::vector<Gradient>& all, Tensors& shared, Size, Source source) const {
  for (const Gradient& x : all) {
    const Tensor g = contiguous(x.g, source);
    const void* memory = readable(g, source);
    if (g.dtype() == f32 ? finite<float, std::uint32_t>(memory, g.numel(), 0x7F800000u)
                         : finite<double, std::uint64_t>(memory, g.numel(), 0x7FF0000000000000u))
      continue;
    const double in_a_row = shared[0].item() + 1;
    if (!skip)
      fail(source.named(name),
           "the gradient of {} has a NaN or an infinity, so no step was taken; lower the learning rate, look for "
           "NaN in the data, or leave such steps out: {{.skip = true}}",
           x.name);
    if (most > 0 && in_a_row > number(most))
      fail(source.named(name),
           "the gradient of {} has a NaN or an infinity, and {} steps before this have been left out for such; "
           "lower the learning rate, or look for NaN in the data",
           x.name, most);
    shared[0] = full({}, in_a_row, f64);
    shared[1] = shared[1] + 1;
    return Verdict::wait;
  }
  if (shared[0].item() != 0) shared[0] = zeros({}, f64);
  return Verdict::step;
}

}  // namespace xgrad::optim
