#include <xgrad/optim/rules/dog.hpp>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {
namespace {

void check_all(const Require& require, double reps_rel, double eps) {
  require.positive("reps_rel", reps_rel);
  require.positive("eps", eps);
  require.divisor("eps", eps);
}
template <class F>
Tensor squares_of(const std::vector<Member>& all, const F& f) {
  Tensor total = zeros({}, f64);
  for (const Member& x : all) total = total + sum(square(f(x)));
  return total;
}
Tensor gradient(const Member& x) { return x.g; }
Tensor way(const Member& x) { return x.p - x.slots[0]; }

}  // namespace

// r is 0 until the first step, which knows the weights.
Tensor DoGRule::first_shared(std::size_t slot) const { return full({}, slot == 0 ? 0.0 : eps, f64); }
void DoGRule::check(const Require& require) const { check_all(require, reps_rel, eps); }

void DoGRule::update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const {
  const Tensor start = reps_rel * (1 + sqrt(squares_of(all, [](const Member& x) { return x.slots[0]; })));
  const Tensor r = maximum(where(shared[0] > 0, shared[0], start), sqrt(squares_of(all, way)));
  const Tensor squares = shared[1] + squares_of(all, gradient);
  for (Member& x : all) x.p = x.p - step.lr * r / sqrt(squares) * x.g;
  shared = {r, squares};
}

Tensor LDoGRule::first(std::size_t slot, const Tensor& p) const {
  return slot == 0 ? p : slot == 1 ? cast(reps_rel * (1 + norm(p)), p.dtype()) : full({}, eps, p.dtype());
}
void LDoGRule::check(const Require& require) const { check_all(require, reps_rel, eps); }

void LDoGRule::update(Tensor& p, const Tensor& g, Tensor& x, Tensor& r, Tensor& squares, const Step& step) const {
  r = maximum(r, norm(p - x));
  squares = squares + sum(square(g));
  p = p - step.lr * r / sqrt(squares) * g;
}

Tensor DoWGRule::first_shared(std::size_t slot) const { return full({}, slot == 0 ? eps : 0.0, f64); }
void DoWGRule::check(const Require& require) const {
  require.positive("eps", eps);
  require.divisor("eps", eps);
}

void DoWGRule::update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const {
  const Tensor r = maximum(shared[0], squares_of(all, way)), v = shared[1] + r * squares_of(all, gradient);
  for (Member& x : all) x.p = x.p - step.lr * r / (sqrt(v) + eps) * x.g;
  shared = {r, v};
}

Tensor WNGradRule::first_shared(std::size_t) const { return ones({}, f64); }

void WNGradRule::update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const {
  const Tensor b = shared[0] + step.lr * step.lr * squares_of(all, gradient) / shared[0];
  for (Member& x : all) x.p = x.p - step.lr / b * x.g;
  shared[0] = b;
}

}  // namespace xgrad::optim
