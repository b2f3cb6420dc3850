// A program as a function of one example, under vmap, against a loop over the examples.
#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "check.hpp"
#include "run.hpp"

namespace programs {

namespace {

constexpr double tolerance = 1e-7;  // of what is largest: sums go another way round

// Its outputs of floats, and the gradients of its loss, one after another.
Tensor outcome(const Program& p, const Tensors& parameters) {
  Tensors variables, slots;
  for (const Tensor& x : parameters) variables.push_back(watch(x));
  for (const Step& s : p.steps) {
    if (s.role == Step::Role::read) {
      slots.push_back(variables[s.parameter]);
      continue;
    }
    Tensors in;
    for (const int k : s.in) in.push_back(slots[k]);
    std::optional<NoGrad> no_grad;
    if (s.no_grad) no_grad.emplace();
    slots.push_back(s.run(in));
  }
  Tensors parts;
  const auto add = [&](const Tensor& x) {
    if (is_float(x.dtype())) parts.push_back(reshape(cast(x, f64), {-1}));
  };
  for (const int k : p.outputs) add(slots[k]);
  for (const Tensor& g : gradients_or_zeros(slots[p.loss], variables)) add(g);
  return concat(parts).detach();
}

}  // namespace

std::string check_batched(const Program& p, Tally& tally) {
  for (const Step& s : p.steps)
    if ((s.role != Step::Role::op && s.role != Step::Role::read) || s.text.find("the second time") != s.text.npos)
      return {};  // no second time: what a checkpoint holds is recorded at once
  if (p.parameters.empty()) return {};
  std::vector<Tensors> examples(3);
  Tensors all;
  for (const Tensor& x : p.parameters) {
    examples[0].push_back(x);
    examples[1].push_back(x.shape().empty() ? x : flip(x, 0));
    examples[2].push_back(x.shape().empty() ? x : flip(x, -1));
    all.push_back(stack({examples[0][all.size()], examples[1][all.size()], examples[2][all.size()]}));
  }
  Tensors loop;
  for (const Tensors& x : examples) {
    manual_seed(p.seed);
    loop.push_back(outcome(p, x));
  }
  const Tensor expected = stack(loop);
  manual_seed(p.seed);
  Tensor got;
  try {
    const FunctionOfMany f = [&](const Tensors& x) { return outcome(p, x); };
    got = evaluate(vmap(f, all, {.randomness = Randomness::same}));
  } catch (const Error& e) {
    const std::string what = e.what();
    if (what.find("is of one example") == what.npos && what.find("[backward] inside of vmap") == what.npos) return what;
    ++tally.read;  // of an example's numbers
    return {};
  }
  ++tally.batched;
  for (int i = 0; i < 3; ++i) {
    const std::vector<double> x = got[i].to_vector<double>(), y = expected[i].to_vector<double>();
    double scale = 1;
    for (const double v : y) scale = std::isfinite(v) ? std::max(scale, std::abs(v)) : scale;
    for (std::size_t k = 0; k < y.size(); ++k)
      if (!(std::abs(x[k] - y[k]) <= tolerance * scale) && std::isfinite(y[k]))
        return fmt::format("example {}: number {} is {}, not {}", i, k, x[k], y[k]);
  }
  return {};
}

}  // namespace programs
