#include <xgrad/nn/layers/dropout.hpp>

#include <fmt/format.h>

#include <cmath>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::nn {
namespace {

Tensor checked(const char* op, const In& x, double p, int least, int most, const char* what) {
  if (!(p >= 0 && p <= 1)) fail(line_of(x).named(op), "expected a probability in [0, 1], got {}", p);
  const Tensor t = x;
  if (!t.defined()) fail(line_of(x).named(op), "expected numbers, got an empty tensor; give it a value first");
  if (t.dim() < least || (most > 0 && t.dim() > most))
    fail(line_of(x).named(op), "expected x {}, got the shape {}", what, t.shape());
  return t;
}

// One number for each channel: of the first two axes, or of the first.
Shape of_channels(const Tensor& x, bool batch) {
  Shape shape;
  for (int i = 0; i < x.dim(); ++i) shape.push_back(i == 0 || (i == 1 && batch) ? x.shape()[i] : 1);
  return shape;
}

Tensor dropped(const Tensor& x, double p, const Shape& each) {
  if (p == 0) return x;
  const Tensor kept = rand(each, f32) >= p;
  return where(kept, p == 1 ? x : x * (1 / (1 - p)), 0.0);
}

Tensor alpha_dropped(const Tensor& x, double p, const Shape& each) {
  constexpr double s = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717;
  if (p == 0) return x;
  if (p == 1) return x * 0.0;
  const double a = 1 / std::sqrt((1 - p) * (1 + p * s * s));
  const Tensor kept = rand(each, f32) >= p;
  return where(kept, a * x, a * s) - a * s * p;
}

}  // namespace

Tensor dropout1d(In x, double p) {
  const Located at(x, "dropout1d");
  const Tensor t = checked("dropout1d", x, p, 2, 3, "[batch, channels, length], or one example of that");
  return dropped(t, p, of_channels(t, t.dim() == 3));
}
Tensor dropout2d(In x, double p) {
  const Located at(x, "dropout2d");
  const Tensor t = checked("dropout2d", x, p, 3, 4, "[batch, channels, height, width], or [batch, channels, length]");
  return dropped(t, p, of_channels(t, true));
}
Tensor dropout3d(In x, double p) {
  const Located at(x, "dropout3d");
  const Tensor t = checked("dropout3d", x, p, 4, 5, "[batch, channels, depth, height, width], or one example of that");
  return dropped(t, p, of_channels(t, t.dim() == 5));
}
Tensor alpha_dropout(In x, double p) {
  const Located at(x, "alpha_dropout");
  const Tensor t = checked("alpha_dropout", x, p, 0, 0, "");
  return alpha_dropped(t, p, t.shape());
}
Tensor feature_alpha_dropout(In x, double p) {
  const Located at(x, "feature_alpha_dropout");
  const Tensor t = checked("feature_alpha_dropout", x, p, 2, 0, "[batch, channels, ...]");
  return alpha_dropped(t, p, of_channels(t, true));
}

}  // namespace xgrad::nn
