// A step of an optimizer on a small model.
#pragma once

#include "trial.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

namespace failing_memory {

struct Net {
  nn::Linear hidden, output;
  Net(Size in, Size wide, Size out) : hidden(in, wide), output(wide, out) {}
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
  XGRAD_FIELDS(hidden, output)
};

template <class Rule>
struct Step : Trial {
  Net net;
  Rule rule;
  Tensor x, labels;
  Step(Size rows, Size in, Size wide)
      : net(in, wide, 3), rule(nn::parameters(net)), x(evaluate(randn({rows, in}))), labels(randint(0, 3, {rows})) {}
  void act() override {
    rule.zero_grad();
    nn::cross_entropy(net(x), labels).backward();
    rule.step();
  }
  Tensors look() override {
    Tensors all;
    for (const auto& p : nn::parameters(net)) all.push_back(p.value());
    for (const auto& s : rule.state()) all.push_back(s.value);
    return all;
  }
};

template <class Rule>
Make step(Size rows, Size in, Size wide) {
  return [=] {
    manual_seed(5);
    return std::make_unique<Step<Rule>>(rows, in, wide);
  };
}

}  // namespace failing_memory
