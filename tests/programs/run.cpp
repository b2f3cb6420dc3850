#include "run.hpp"

#include <fmt/format.h>

#include <cstring>
#include <optional>

#include <xgrad/autodiff/memory.hpp>
#include "dice.hpp"

namespace programs {

namespace {

template <class T>
std::string first_difference(const Tensor& x, const Tensor& y) {
  const T *a = static_cast<const T*>(readable(x)), *b = static_cast<const T*>(readable(y));
  if (std::memcmp(a, b, static_cast<std::size_t>(x.numel()) * sizeof(T)) == 0) return {};
  for (Size i = 0; i < x.numel(); ++i)
    if (std::memcmp(a + i, b + i, sizeof(T)) != 0 && (a[i] == a[i] || b[i] == b[i]))
      return fmt::format("element {} of {} is {}, not {}", i, x.shape(), a[i], b[i]);
  return {};
}

Tensor number(const Tensor& x) { return contiguous(x.detach()); }  // without a history

// One run: the slots and variables that live while it goes on.
class Running {
 public:
  Running(const Program& p, const Manner& m) : p_(p), m_(m), dice_(p.seed ^ m.actions << 32), slots_(p.steps.size()) {
    for (std::size_t i = 0; i < p.parameters.size(); ++i) variables_.emplace_back(moved(p.parameters[i], i));
    find_last_uses();
  }

  Trace go() {
    for (std::size_t i = 0; i < p_.steps.size(); ++i) {
      slots_[i] = perform(static_cast<int>(i));
      check_type(static_cast<int>(i));
      if (m_.actions) act(static_cast<int>(i));
    }
    return finish();
  }

  // The loss alone, recorded; `replaced` is read as `value`, and not as a variable.
  Tensor loss(int replaced = -1, const Tensor& value = {}) {
    replaced_ = replaced;
    replacement_ = value;
    for (std::size_t i = 0; i < p_.steps.size(); ++i) slots_[i] = perform(static_cast<int>(i));
    return slot(p_.loss);
  }
  Parameters parameters() {
    Parameters list;
    for (Parameter& v : variables_) list.add(std::to_string(list.size()), v);
    return list;
  }

 private:
  Tensor& slot(int i) { return slots_[static_cast<std::size_t>(i)]; }

  Tensor moved(const Tensor& value, std::size_t parameter) const {
    return m_.direction ? evaluate(value + m_.nudge * (*m_.direction)[parameter]) : value;
  }

  void find_last_uses() {
    last_use_.assign(p_.steps.size(), -1);
    const auto use = [&](int s, int at) { last_use_[static_cast<std::size_t>(s)] = at; };
    const int end = static_cast<int>(p_.steps.size());
    for (int i = 0; i < end; ++i) {
      use(i, i);
      for (const int s : p_.at(i).in) use(s, i);
    }
    for (const int s : p_.outputs) use(s, end);
    if (p_.loss >= 0) use(p_.loss, end);
  }

  Tensor perform(int i) {
    const Step& s = p_.at(i);
    if (m_.still && s.cut && s.role != Step::Role::assign && s.role != Step::Role::backward)
      return m_.still->slots[static_cast<std::size_t>(i)];
    std::optional<NoGrad> no_grad;
    if (s.no_grad) no_grad.emplace();
    if (s.role == Step::Role::op) {
      Tensors in;
      for (const int k : s.in) in.push_back(slot(k));
      return s.run(in);
    }
    const auto parameter = static_cast<std::size_t>(s.parameter);
    Parameter& variable = variables_[parameter];
    if (s.role == Step::Role::read) return s.parameter == replaced_ ? replacement_ : variable.value();
    if (s.role == Step::Role::assign) {
      variable = m_.still ? moved(m_.still->slots[static_cast<std::size_t>(i)], parameter) : slot(s.in[0]);
      return variable.value();
    }
    if (s.role == Step::Role::copy) {
      Parameter other = variable;
      other = other.value() * 2;
      return other.value();
    }
    if (s.role == Step::Role::move) {
      Parameter other = std::move(variable);
      variable = std::move(other);
      return s.parameter == replaced_ ? replacement_ : variable.value();
    }
    const Tensor y = sum(slot(s.in[0]));
    for (int k = 0; k < s.times; ++k) {
      total_ += y.item();
      if (m_.gradients && y.requires_grad()) y.backward({.keep_graph = true});
    }
    return m_.still ? m_.still->slots[static_cast<std::size_t>(i)] : gradient_of(variable);
  }

  static Tensor gradient_of(const Parameter& v) { return v.grad().defined() ? v.grad() : zeros(v.shape(), v.dtype()); }

  void check_type(int i) {
    const Step& s = p_.at(i);
    const Tensor& x = slot(i);
    if (x.dtype() != s.dtype || !(x.shape() == s.shape))
      throw Mismatch(
          fmt::format("%{} is {} {}, expected {} {}", i, name(x.dtype()), x.shape(), name(s.dtype), s.shape));
    requires_grad_.push_back(x.requires_grad());
    if (m_.expected && x.requires_grad() != m_.expected->requires_grad[static_cast<std::size_t>(i)])
      throw Mismatch(fmt::format("%{} requires a gradient: {}", i, x.requires_grad()));
  }

  void compare(const Tensor& x, int i, const char* when) const {
    if (!m_.expected) return;
    const std::string d = difference(x, m_.expected->slots[static_cast<std::size_t>(i)]);
    if (!d.empty()) throw Mismatch(fmt::format("%{} {}: {}", i, when, d));
  }

  // Between two steps: reads, evaluations, handles that go.
  void act(int now) {
    if (dice_.chance(0.12)) read(alive(now), now);
    if (dice_.chance(0.05)) {
      Tensors some;
      for (Size n = dice_.between(1, 4); n > 0; --n) some.push_back(slot(alive(now)));
      evaluate(some);
    }
    const bool at_once = dice_.chance(0.7);
    for (int k = 0; k <= now; ++k)
      if (last_use_[static_cast<std::size_t>(k)] <= now && (at_once ? k >= now - 3 : dice_.chance(0.3)))
        slot(k) = Tensor();
  }
  int alive(int now) {
    for (;;) {
      const int k = static_cast<int>(dice_.below(now + 1));
      if (slot(k).defined()) return k;
      if (slot(now).defined()) return now;
    }
  }
  void read(int k, int now) {
    const Tensor& x = slot(k);
    switch (dice_.below(5)) {
      case 0: compare(x, k, fmt::format("read after %{}", now).c_str()); break;
      case 1: to_string(x); break;
      case 2: tape(x); break;
      case 3:
        if (x.numel() > 0) reshape(x, {-1})[dice_.below(x.numel())].item();
        break;
      default: evaluate(x);
    }
  }

  void take_gradients(Trace& trace, bool first) {
    if (p_.loss < 0 || !m_.gradients) return;
    const Tensor& y = slot(p_.loss);
    const Parameters list = parameters();
    const Size way = p_.has(Step::Role::backward) ? 0 : m_.actions ? dice_.below(5) : 1;
    if (way == 0) {
      if (y.requires_grad()) y.backward({.keep_graph = dice_.chance(0.5)});
      for (const Parameter& v : variables_) trace.grads.push_back(number(gradient_of(v)));
    } else if (way == 1 || way == 2) {
      const Tensors all = gradients_or_zeros(y, list, way == 2);
      for (const Tensor& g : all) trace.grads.push_back(number(g));
    } else {
      for (const Parameter& v : variables_) {
        const Tensor g = gradients_or_zeros(y, Tensors{v}, way == 3)[0];
        trace.grads.push_back(way == 3 ? number(g) : g);
      }
      if (!first)  // nothing but the gradients holds the record from here on
        for (Tensor& x : slots_) x = Tensor();
      for (Tensor& g : trace.grads) g = number(g);
    }
  }

  Trace finish() {
    Trace trace;
    trace.requires_grad = requires_grad_;
    if (m_.direction) {  // a difference needs no more
      trace.total = total_ + slot(p_.loss).item();
      take_gradients(trace, true);
      return trace;
    }
    const bool gradients_first = m_.actions && dice_.chance(0.5);
    if (gradients_first) take_gradients(trace, true);
    if (m_.eager) {
      for (const Tensor& x : slots_) trace.slots.push_back(number(x));
    } else {
      if (dice_.chance(0.5)) {
        Tensors outputs;
        for (const int k : p_.outputs) outputs.push_back(slot(k));
        evaluate(outputs);
      }
      for (const int k : p_.outputs) trace.slots.push_back(number(slot(k)));
    }
    if (p_.loss >= 0) trace.total = total_ + slot(p_.loss).item();
    if (!gradients_first) take_gradients(trace, false);
    for (std::size_t i = 0; m_.expected && i < p_.outputs.size(); ++i)
      compare(trace.slots[m_.eager ? static_cast<std::size_t>(p_.outputs[i]) : i], p_.outputs[i], "at the end");
    for (std::size_t i = 0; m_.expected && i < trace.grads.size(); ++i)
      if (const std::string d = difference(trace.grads[i], m_.expected->grads[i]); !d.empty())
        throw Mismatch(fmt::format("gradient of parameter {}: {}", i, d));
    return trace;
  }

  const Program& p_;
  const Manner& m_;
  Dice dice_;
  std::vector<Tensor> slots_;
  std::vector<Parameter> variables_;
  std::vector<int> last_use_;
  double total_ = 0;
  std::vector<bool> requires_grad_;
  int replaced_ = -1;
  Tensor replacement_;
};

}  // namespace

Trace run(const Program& p, const Manner& m) {
  const Counters before = counters();
  set_threads(m.threads);
  manual_seed(p.seed);
  Trace trace;
  {
    std::optional<Eager> eager;
    if (m.eager) eager.emplace();
    trace = Running(p, m).go();
  }
  const Counters after = counters();
  if (after.pending != before.pending || after.taped != before.taped)
    throw Mismatch(fmt::format("nodes were left behind: {} pending, {} on the tape", after.pending - before.pending,
                               after.taped - before.taped));
  return trace;
}

Tensor loss_at(const Program& p, int parameter, const Tensor& value) {
  manual_seed(p.seed);
  const Manner plain;
  return Running(p, plain).loss(parameter, value);
}

Tensors second_gradients(const Program& p, const std::vector<Tensor>& direction) {
  manual_seed(p.seed);
  const Manner plain;
  Running running(p, plain);
  const Parameters list = running.parameters();
  const Tensors first = gradients_or_zeros(running.loss(), list, true);
  Tensor along = zeros({}, f64);
  for (std::size_t i = 0; i < first.size(); ++i) along = along + sum(first[i] * direction[i]);
  const Tensors second = gradients_or_zeros(along, list);
  evaluate(second);
  return second;
}

std::string difference(const Tensor& x, const Tensor& y) {
  if (x.dtype() != y.dtype() || !(x.shape() == y.shape()))
    return fmt::format("{} {} instead of {} {}", name(x.dtype()), x.shape(), name(y.dtype()), y.shape());
  const Tensor a = contiguous(x), b = contiguous(y);
  switch (x.dtype()) {
    case f32: return first_difference<float>(a, b);
    case f64: return first_difference<double>(a, b);
    case i64: return first_difference<Size>(a, b);
    default: return first_difference<unsigned char>(a, b);
  }
}

}  // namespace programs
