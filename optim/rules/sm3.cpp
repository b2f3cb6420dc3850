#include <xgrad/optim/rules/sm3.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

// mu: of all axes, one after the other; a number alone has one axis.
Tensor SM3Rule::first(std::size_t slot, const Tensor& p) const {
  if (slot == 0) return {};
  Size places = p.dim() == 0 ? 1 : 0;
  for (const Size n : p.shape()) places += n;
  return zeros({places}, p.dtype());
}

void SM3Rule::check(const Require& require) const {
  require.fraction("momentum", momentum);
  require.divisor("eps", eps);
}

void SM3Rule::update(Tensor& p, const Tensor& g, Tensor& m, Tensor& mu, const Step& step) const {
  const Size axes = p.dim() == 0 ? 1 : p.dim();
  const Shape shape = p.dim() == 0 ? Shape{1} : p.shape();
  Tensor v, gradient = reshape(g, shape);
  Size from = 0;
  for (Size k = 0; k < axes; ++k) {
    Shape along(std::vector<Size>(static_cast<std::size_t>(axes), 1));
    along[k] = shape[k];
    const Tensor own = reshape(slice(mu, 0, from, from + shape[k]), along);
    v = v.defined() ? minimum(v, own) : own;
    from += shape[k];
  }
  v = v + square(gradient);
  Tensors greatest;
  for (Size k = 0; k < axes; ++k) {
    Tensor most = v;
    for (Size other = 0; other < axes; ++other)
      if (other != k) most = amax(most, other, true);
    greatest.push_back(reshape(most, {shape[k]}));
  }
  mu = concat(greatest);
  const Tensor u = where(v > 0, gradient / sqrt(v + eps), 0.0);
  m = momentum * m + (1 - momentum) * reshape(u, p.shape());
  p = p - step.lr * m;
}

}  // namespace xgrad::optim
