#include <xgrad/optim/rules/muon.hpp>

#include <fmt/core.h>

#include "optim/rules/orthogonal.hpp"

namespace xgrad::optim {

void MuonRule::check(const Require& require) const {
  require.fraction("momentum", momentum);
  const auto finite = [&](double x, const char* expected) { require(x - x == 0, expected, x); };
  finite(a, "a finite a"), finite(b, "a finite b"), finite(c, "a finite c");
  require(steps >= 0, "steps of 0 or more", steps);
  require.divisor("eps", eps);
  require.not_negative("weight_decay", weight_decay);
}

void MuonRule::check_parameter(const Require& require, const Parameters::Entry& p) const {
  if (const Shape& shape = p.value().shape(); shape.size() != 2)
    fail(require.source.named("Muon"),
         "expected matrices, got {} for {}; give what is no matrix to another optimizer, as AdamW: "
         "Parameters::where chooses",
         shape, p.name);
}

void MuonRule::update(Tensor& p, const Tensor& g, Tensor& buffer, const Step& step) const {
  buffer = momentum * buffer + (1 - momentum) * g;
  const Tensor u = nesterov ? momentum * buffer + (1 - momentum) * g : buffer;
  const auto rows = static_cast<double>(p.size(0)), columns = static_cast<double>(p.size(1));
  const bool tall = rows > columns;
  const Tensor x = nearly_orthogonal(u, steps, a, b, c, eps);
  const double scale = match_rms_adamw ? 0.2 * sqrt(tall ? rows : columns) : sqrt(tall ? rows / columns : 1);
  p = (1 - step.lr * weight_decay) * p - step.lr * scale * x;
}

}  // namespace xgrad::optim
