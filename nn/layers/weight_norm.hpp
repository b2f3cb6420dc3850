// Layers whose weight is made of other parameters: wrappers around any layer that has a Parameter `weight` and a function
// with_weight(x, w), as Linear and the convolutions here. Names as torch.nn.utils has them: weight_g, weight_v, weight_orig, weight_u.
#pragma once

#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

namespace fields {

// The layer's fields, by names as if they were the wrapper's own; its mode is seen, itself is not, for its weight is not there.
template <class L>
void walk_wrapped(L& layer, const Path& path, Walker& to) {
  bool* training = nullptr;
  if constexpr (HasMode<L>) training = &layer.training;
  to.enter(path, Visit{nullptr, &typeid(L), training});
  std::string_view names = L::xgrad_field_names();
  layer.xgrad_fields()([&](auto&... each) { (walk(each, Path{&path, next_name(names)}, to), ...); });
  to.leave();
}
template <class L>
concept Weighted = requires(const L& layer, In x, const Tensor& w) {
  { layer.with_weight(x, w) } -> std::same_as<Tensor>;
};
// The layer with that weight for its own, without the wrapper: for a model that is trained.
template <class L>
L with_own_weight(const L& layer, const Tensor& weight, Source source) {
  L made = layer;
  made.weight = Parameter(weight.detach(source), source);
  return made;
}
// The axis of a weight that counts the outputs: 1 of transposed convolutions.
template <class L>
constexpr int output_axis() {
  if constexpr (requires { L::output_axis; }) return L::output_axis;
  else return 0;
}

}  // namespace fields

// g v / |v|, where |v| is the norm over all axes but this one; -1: over all
Tensor weight_norm(const Tensor& g, const Tensor& v, int axis, Source source);
Tensor weight_lengths(const Tensor& v, int axis, Source source);  // |v|, with extents of 1

// w = weight_g weight_v / |weight_v|, the norm over each row (axis 0)   (Salimans & Kingma 2016)
// Starts as the layer's own weight: nn::WeightNorm layer(nn::Linear(3, 4)).
template <class L>
struct WeightNorm {
  static_assert(
      fields::Weighted<L>,
      "WeightNorm is for a layer with a Parameter `weight` and Tensor with_weight(In x, const Tensor& w) const");
  Parameter weight_g, weight_v;  // [out, 1, ...], the weight's shape
  L layer;                       // its own weight is empty
  int axis = 0;

  WeightNorm() = default;  // empty, until one of a layer is assigned
  explicit WeightNorm(L of, int along = 0, Source source = Source::here()) : layer(std::move(of)), axis(along) {
    weight_g = Parameter(weight_lengths(layer.weight, axis, source), source);
    weight_v = std::move(layer.weight);
    layer.weight = Parameter();
  }
  Tensor weight(Source source = Source::here()) const { return weight_norm(weight_g, weight_v, axis, source); }
  Tensor operator()(In x) const { return layer.with_weight(x, weight(line_of(x))); }
  L folded(Source source = Source::here()) const { return fields::with_own_weight(layer, weight(source), source); }

  void xgrad_walk(const Path& path, Walker& to) {
    fields::walk_wrapped(layer, path, to);
    walk(weight_g, Path{&path, "weight_g"}, to);
    walk(weight_v, Path{&path, "weight_v"}, to);
  }
};

struct SpectralNormOptions {
  int n_power_iterations = 1;  // a call, while it trains
  double eps = 1e-12;          // the least length that is divided by
};

// The state of a spectral norm: u and v, unit vectors that go to those of the greatest singular value.
struct SingularVectors {
  Tensor u, v;
};
// Drawn; of a weight as a matrix whose rows are this axis. The next ones; and the weight over its singular value u^T W v, to which u and v
// are constants.
SingularVectors drawn_vectors(const Tensor& weight, int axis, const SpectralNormOptions& options, Source source);
SingularVectors next_vectors(const Tensor& weight, int axis, const SingularVectors& from,
                             const SpectralNormOptions& options, Source source);
Tensor spectral_norm(const Tensor& weight, int axis, const SingularVectors& vectors, Source source);

// w = weight_orig / sigma, its greatest singular value, by power iteration   (Miyato et al. 2018)
//   v <- W^T u / |W^T u|     u <- W v / |W v|     sigma = u^T W v
template <class L>
struct SpectralNorm {
  static_assert(
      fields::Weighted<L>,
      "SpectralNorm is for a layer with a Parameter `weight` and Tensor with_weight(In x, const Tensor& w) const");
  Parameter weight_orig;
  mutable Tensor weight_u, weight_v;  // changed in training
  L layer;                            // its own weight is empty
  SpectralNormOptions options;
  bool training = true;

  SpectralNorm() = default;
  explicit SpectralNorm(L of, SpectralNormOptions o = {}, Source source = Source::here())
      : layer(std::move(of)), options(o) {
    const SingularVectors first = drawn_vectors(layer.weight, axis, options, source);
    weight_u = first.u, weight_v = first.v;
    weight_orig = std::move(layer.weight);
    layer.weight = Parameter();
  }
  Tensor weight(Source source = Source::here()) const {
    return spectral_norm(weight_orig, axis, {weight_u, weight_v}, source);
  }
  Tensor operator()(In x) const {
    const Source source = line_of(x);
    SingularVectors now{weight_u, weight_v};
    if (training) now = next_vectors(weight_orig, axis, now, options, source);
    Tensor y = layer.with_weight(x, spectral_norm(weight_orig, axis, now, source));
    if (training) weight_u = now.u, weight_v = now.v;
    return y;
  }
  L folded(Source source = Source::here()) const { return fields::with_own_weight(layer, weight(source), source); }

  void xgrad_walk(const Path& path, Walker& to) {
    fields::walk_wrapped(layer, path, to);
    walk(weight_orig, Path{&path, "weight_orig"}, to);
    walk(weight_u, Path{&path, "weight_u"}, to);
    walk(weight_v, Path{&path, "weight_v"}, to);
  }

 private:
  static constexpr int axis = fields::output_axis<L>();
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
