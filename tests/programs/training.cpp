// Optimizers and layers as steps; parameters that are copied and moved while a record leads to them; other threads.
#include <thread>

#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

#include "generator.hpp"

namespace programs {

namespace {

// f() on another thread; what it throws is thrown here.
template <class F>
void elsewhere(const F& f) {
  std::exception_ptr thrown;
  std::thread([&] {
    try {
      f();
    } catch (...) {
      thrown = std::current_exception();
    }
  }).join();
  if (thrown) std::rethrow_exception(thrown);
}

// Three steps towards the least mean of (w a - 1)^2.
template <class Optimizer>
Tensor trained(const Tensor& start, const Tensor& a, typename Optimizer::Options options) {
  Parameter w(start.detach());
  const Tensor constant = a.detach();
  Optimizer optimizer({w}, options);
  for (int step = 0; step < 3; ++step) {
    optimizer.zero_grad();
    mean(square(w * constant - 1)).backward();
    optimizer.step();
  }
  return w.value().detach();
}

}  // namespace

void Generator::optimize() {
  if (no_grad_) return;
  const auto [w, a] = two_alike();
  if (at(w).shape.numel() == 0) return;
  struct Way {
    const char* name;
    Tensor (*run)(const Tensor& w, const Tensor& a);
  };
  static const std::vector<Way> ways{
      {"SGD", [](const Tensor& w, const Tensor& a) { return trained<optim::SGD>(w, a, {.lr = 0.1}); }},
      {"SGD, nesterov",
       [](const Tensor& w, const Tensor& a) {
         return trained<optim::SGD>(w, a, {.lr = 0.05, .momentum = 0.9, .nesterov = true});
       }},
      {"Adam", [](const Tensor& w, const Tensor& a) { return trained<optim::Adam>(w, a, {.lr = 0.1}); }},
      {"Adam, amsgrad",
       [](const Tensor& w, const Tensor& a) { return trained<optim::Adam>(w, a, {.lr = 0.1, .amsgrad = true}); }},
      {"AdamW", [](const Tensor& w, const Tensor& a) { return trained<optim::AdamW>(w, a, {.lr = 0.1}); }}};
  const Way& way = dice_.by_name(ways);
  add(
      fmt::format("optimize({}; w = %{}, a = %{})", way.name, w, a), {w, a}, at(w).dtype, at(w).shape, HUGE_VAL,
      [run = way.run](const Tensors& in) { return run(in[0], in[1]); }, true);
}

void Generator::layer() {
  const int x = limited(some_float());
  const Shape shape = at(x).shape;
  const DType dtype = at(x).dtype;
  if (shape.empty() || shape.numel() == 0 || shape.back() > 200) return;
  const Size inputs = shape.back(), hidden = dice_.between(1, 9), outputs = dice_.between(1, 5);
  Shape to = shape;
  to[shape.rank() - 1] = outputs;
  if (!affordable(to) || shape.numel() * hidden > 1'000'000) return;
  const auto linear = [&](Size in, Size out) {
    nn::Linear l(in, out, {.dtype = dtype});
    l.weight = contiguous_data(dtype, {out, in}) * 0.5;
    l.bias = contiguous_data(dtype, {out});
    return l;
  };
  if (dice_.chance(0.4)) {
    add(fmt::format("Linear({}, {})(%{})", inputs, outputs, x), {x}, dtype, to, HUGE_VAL,
        [l = linear(inputs, outputs)](const Tensors& in) { return l(in[0]); });
    return;
  }
  add(fmt::format("Sequential(Linear({}, {}), Tanh, Linear({}, {}))(%{})", inputs, hidden, hidden, outputs, x), {x},
      dtype, to, HUGE_VAL,
      [net = nn::Sequential(linear(inputs, hidden), nn::Tanh(), linear(hidden, outputs))](const Tensors& in) {
        return net(in[0]);
      });
}

// A copy of a parameter is a variable of its own: what is stored in it changes nothing else. Moving one moves the variable.
void Generator::hand_over() {
  const auto parameter = static_cast<int>(dice_.below(static_cast<Size>(p_.parameters.size())));
  const Tensor& first = p_.parameters[static_cast<std::size_t>(parameter)];
  const bool copy = dice_.chance(0.5);
  const int slot = add(copy ? fmt::format("a copy of parameter {}, times 2", parameter)
                            : fmt::format("parameter {}, moved there and back", parameter),
                       {}, first.dtype(), first.shape(), copy ? HUGE_VAL : 16, nullptr);
  Step& s = p_.steps[static_cast<std::size_t>(slot)];
  s.role = copy ? Step::Role::copy : Step::Role::move;
  s.parameter = parameter;
  s.no_grad = false;
  s.cut = copy;
  s.depends = !copy;
}

void Generator::cross() {
  const int x = limited(some_float());
  const DType dtype = at(x).dtype;
  const Shape shape = at(x).shape;
  switch (dice_.below(3)) {
    case 0:
      add(
          fmt::format("on another thread: sin(%{}) * 2", x), {x}, dtype, shape, 2,
          [](const Tensors& in) {
            const Tensor value = evaluate(in[0].detach());
            Tensor y;
            elsewhere([&] { y = evaluate(sin(value) * 2); });
            return y;
          },
          true);
      return;
    case 1:
      add(fmt::format("a handle of %{} let go of on another thread", x), {x}, dtype, shape, bound(x),
          [](const Tensors& in) {
            Tensor handle = in[0] * 2;  // pending, with a history
            const Tensor y = handle * 0.5;
            std::thread([h = std::move(handle)] {}).join();
            return y;
          });
      return;
    default:
      add(fmt::format("a weight of another thread: %{} * w", x), {x}, dtype, shape, 4 * bound(x),
          [](const Tensors& in) {
            Parameter w;
            const DType dtype = in[0].dtype();
            elsewhere([&] { w = Parameter(evaluate(full({}, 1.5, dtype) + 0.25)); });
            return in[0] * w;
          });
  }
}

}  // namespace programs
