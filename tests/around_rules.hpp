// What the tests of what stands around an optimizer share.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <xgrad/optim.hpp>

namespace around_rules {

using Held = std::vector<std::shared_ptr<void>>;
template <class... Rule>
std::function<Held(xgrad::optim::Optimizer&)> around(Rule... rules) {
  return [=](xgrad::optim::Optimizer& o) { return Held{std::make_shared<xgrad::optim::Around<Rule>>(o, rules)...}; };
}

// p <- p - lr g, elementwise
struct Elementwise {
  double lr = 0.1;
  static constexpr bool elementwise = true;
  void update(xgrad::Tensor& p, const xgrad::Tensor& g, const xgrad::optim::Step& step) const { p = p - step.lr * g; }
};

}  // namespace around_rules
