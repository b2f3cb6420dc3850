#include <xgrad/nn/clip.hpp>

#include <fmt/core.h>

#include <cmath>
#include <vector>
#include <xgrad/autodiff/lengths.hpp>
#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::nn {
namespace {

// The numbers of a gradient: of its rows, where it is kept by rows. Null: there is none.
const Tensor* numbers_of(const Parameters::Entry& p) {
  const GradientNumbers g = gradient_numbers(p);
  return g.rows ? g.row_values : g.dense;
}

std::vector<const Parameters::Entry*> with_gradients(const Parameters& parameters) {
  std::vector<const Parameters::Entry*> all;
  for (const Parameters::Entry& p : parameters)
    if (p.variable.get() && numbers_of(p)) all.push_back(&p);
  return all;
}

// All of them, or where that fails none.
template <class F>
void replace(const std::vector<const Parameters::Entry*>& all, Source source, const F& f) {
  Tensors next;
  for (const Parameters::Entry* p : all) next.push_back(f(*numbers_of(*p)));
  evaluate(next, source);
  for (std::size_t i = 0; i < all.size(); ++i) {
    GradientValue g;
    if (const GradientNumbers own = gradient_numbers(*all[i]); own.rows) g = {{}, *own.rows, next[i]};
    else g.dense = next[i];
    swap_gradient(*all[i], g);
  }
}

}  // namespace

double clip_grad_norm(const Parameters& parameters, double max_norm, ClipGradOptions options, Source source) try {
  const Located at(source, "clip_grad_norm");
  const NoGrad constant;
  if (!(max_norm >= 0)) fail(source.named("clip_grad_norm"), "expected a max_norm of 0 or more, got {}", max_norm);
  if (!(options.norm_type > 0))
    fail(source.named("clip_grad_norm"), "expected a norm_type above 0, got {}", options.norm_type);
  const std::vector<const Parameters::Entry*> all = with_gradients(parameters);
  if (all.empty()) return 0;
  Tensors gradients;
  for (const Parameters::Entry* p : all) gradients.push_back(*numbers_of(*p));
  const double total = length_together(lengths_of(gradients, options.norm_type, source), options.norm_type);
  if (!std::isfinite(total) && options.error_if_nonfinite)
    fail(source.named("clip_grad_norm"), "the norm of the gradients is {}; nothing was changed", total);
  const double factor = shortening(total, max_norm);
  if (factor != 1) replace(all, source, [&](const Tensor& g) { return g * factor; });
  return total;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "clip_grad_norm");
}

void clip_grad_value(const Parameters& parameters, double clip_value, Source source) try {
  const Located at(source, "clip_grad_value");
  const NoGrad constant;
  if (!(clip_value >= 0))
    fail(source.named("clip_grad_value"), "expected a clip_value of 0 or more, got {}", clip_value);
  replace(with_gradients(parameters), source, [&](const Tensor& g) { return clamp(g, -clip_value, clip_value); });
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "clip_grad_value");
}

}  // namespace xgrad::nn
