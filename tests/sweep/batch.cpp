// Cases of the sweep under vmap: three examples at once, against a loop over them.
#include "sweep/trial.hpp"

namespace sweep {

namespace {

constexpr int examples = 3;
constexpr double tolerance = 1e-11;

// Operands of several examples; of which each example has its own, and which are the first's for all.
struct Examples {
  const Trial& trial;
  std::vector<Tensors> of;  // by example
  Tensors all;              // stacked, or one for all
  VmapOptions options;

  Examples(const Trial& t, const std::vector<bool>& each) : trial(t), of(examples) {
    const Case& c = t.c;
    for (std::size_t e = 0; e < examples; ++e) {
      Draws draws(fmt::format("{} example {}", c.name(), e));
      for (std::size_t k = 0; k < t.operand_count(); ++k) {
        const Vector x = sample(c.row->domains[k], c.shapes[k], c.layouts[k], k, draws);
        of[e].push_back(e > 0 && !each[k] ? of[0][k] : tensor(x, c.shapes[k]));
      }
    }
    for (std::size_t k = 0; k < t.operand_count(); ++k) {
      Tensors parts;
      for (const Tensors& x : of) parts.push_back(x[k]);
      all.push_back(each[k] ? stack(parts) : of[0][k]);
      options.in_axes.push_back(each[k] ? 0 : -1);
    }
  }
};

// The row's derivatives at operands, one after another in one vector: gradients of <g, f>, those of <t, gradient>, and the
// tangent along t of the first operand.
Tensor derivatives(const Trial& trial, const Tensors& operands) {
  Tensors in;
  for (const Tensor& x : operands) in.push_back(watch(x));
  const Tensor y = trial.apply(in), g = trial.cotangent(f64);
  const Tensors first = grad(y, Wrt(in), g, {.create_graph = true, .allow_unused = true});
  Tensor along = zeros({}, f64);
  for (std::size_t k = 0; k < in.size(); ++k) along = along + sum(first[k] * trial.direction(k, f64));
  Tensors parts{reshape(y, {-1})};
  for (const Tensor& d : first) parts.push_back(reshape(d, {-1}));
  for (const Tensor& d : grad(along, Wrt(in), {.allow_unused = true})) parts.push_back(reshape(d, {-1}));
  parts.push_back(reshape(
      jvp([&](const Tensor& x) { return trial.apply_with(operands, 0, x); }, operands[0], trial.direction(0, f64))
          .tangent,
      {-1}));
  return concat(parts).detach();
}

void check_examples(const Trial& trial, const std::vector<bool>& each, const std::string& which) {
  const Examples e(trial, each);
  Tensors loop, inside, gradients;
  for (const Tensors& x : e.of) {
    inside.push_back(derivatives(trial, x));
    loop.push_back(trial.apply(x).detach());
  }
  const Tensor g = trial.cotangent(f64), scale = tensor({1.0, -0.5, 2.0});
  compare("results" + which,
          vmap([&](const Tensors& x) { return trial.apply(x); }, e.all, e.options).to_vector<double>(),
          stack(loop).to_vector<double>(), tolerance);
  compare("derivatives inside" + which,
          vmap([&](const Tensors& x) { return derivatives(trial, x); }, e.all, e.options).to_vector<double>(),
          stack(inside).to_vector<double>(), tolerance);

  // Through vmap, with a cotangent of its own for each example.
  const auto total_of = [&](const Tensors& results) {
    Tensor total = zeros({}, f64);
    for (int i = 0; i < examples; ++i) total = total + scale[i] * sum(g * results[i]);
    return total;
  };
  Tensors watched, apart;
  for (const Tensor& x : e.all) watched.push_back(watch(x));
  const Tensor y = vmap([&](const Tensors& x) { return trial.apply(x); }, watched, e.options);
  const Tensors got = grad(total_of({y[0], y[1], y[2]}), Wrt(watched), {.allow_unused = true});
  for (int i = 0; i < examples; ++i) {
    Tensors own;
    for (std::size_t k = 0; k < watched.size(); ++k) own.push_back(each[k] ? watched[k][i] : watched[k]);
    apart.push_back(trial.apply(own));
  }
  const Tensors expected = grad(total_of(apart), Wrt(watched), {.allow_unused = true});
  compare("gradients through vmap" + which, joined(got), joined(expected), tolerance);
}

}  // namespace

std::string check_batched(const Case& c) {
  for (const Refusal& r : c.row->refused)
    if (r.of(c.shapes[0])) return {};
  for (const Layout layout : c.layouts)
    if (layout != Layout::dense) return {};  // examples lie in a layout of their own
  try {
    const Trial trial(c);
    const std::size_t n = trial.operand_count();
    check_examples(trial, std::vector<bool>(n, true), "");
    for (std::size_t shared = 0; n > 1 && shared < n; ++shared) {
      std::vector<bool> each(n, true), one(n, false);
      each[shared] = false;
      one[shared] = true;
      check_examples(trial, each, fmt::format(", operand {} the same for all", shared));
      if (n > 2) check_examples(trial, one, fmt::format(", operand {} alone for each", shared));
    }
  } catch (const Wrong& wrong) {
    return wrong.what;
  } catch (const Error& e) {
    return fmt::format("an Error: {}", e.what());
  }
  return {};
}

}  // namespace sweep
