#include <xgrad/optim/around/gradients.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <xgrad/autodiff/lengths.hpp>
#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::optim {
namespace {

double number(Size n) { return static_cast<double>(n); }

}  // namespace

// ---- clipping

void ClipNormRule::check(const Require& require) const {
  require(max_norm > 0, "a max_norm above 0", max_norm);
  require(norm_type >= 1, "a norm_type of 1 or more", norm_type);
}
void ClipNormRule::before(std::vector<Gradient>& all, Tensors& shared, Size, Source source) const {
  Tensors gradients;
  for (const Gradient& x : all) gradients.push_back(x.g);
  const std::vector<double> of_each = lengths_of(gradients, norm_type, source);
  const double total = length_together(of_each, each ? std::numeric_limits<double>::infinity() : norm_type);
  for (std::size_t k = 0; k < all.size(); ++k)
    if (!std::isfinite(of_each[k]))
      fail(source.named(name),
           "the norm of the gradient of {} is {}; lower the learning rate, look for NaN in the data, or leave "
           "such steps out: RequireFinite with skip, before this",
           all[k].name, of_each[k]);
  for (std::size_t k = 0; k < all.size(); ++k) {
    const double factor = shortening(each ? of_each[k] : total, max_norm);
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
      x.g = parts == 0 ? Tensor() : mean ? sum / calls : sum;
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
    return Verdict::leave_out;
  }
  if (shared[0].item() != 0) shared[0] = zeros({}, f64);
  return Verdict::step;
}

}  // namespace xgrad::optim
