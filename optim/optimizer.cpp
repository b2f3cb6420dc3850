#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <unordered_set>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/representable.hpp>
#include <xgrad/autodiff/scope.hpp>
#include "optim/place.hpp"

namespace xgrad::optim {
char* Store::zeroed(const char* name, Size bytes, Source source) {
  if (bytes == 0) return nullptr;
  void* memory = std::aligned_alloc(alignment, static_cast<std::size_t>(bytes));
  if (!memory) fail(source.named(name), "no memory for a state of {} bytes", bytes);
  return static_cast<char*>(std::memset(memory, 0, static_cast<std::size_t>(bytes)));
}

void retain(Rates* rates) noexcept { rates->refs.fetch_add(1, std::memory_order_relaxed); }
void release(Rates* rates) noexcept {
  if (rates->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete rates;
}

Optimizer::Optimizer(const char* name) try : name_(name), state_(new State) {
} catch (const std::bad_alloc&) {
  fail_no_memory({}, name);
}
Optimizer::Optimizer(Optimizer&&) noexcept = default;
Optimizer& Optimizer::operator=(Optimizer&&) noexcept = default;
Optimizer::~Optimizer() = default;

void Require::operator()(bool right, const char* expected, double got) const {
  if (!right) fail(source.named(name), "expected {}, got {}", expected, got);
}
void Require::not_negative(const char* option, double got) const {
  if (!(got >= 0 && std::isfinite(got)))
    fail(source.named(name), "expected a finite {} of 0 or more, got {}", option, got);
}

void Require::positive(const char* option, double got) const {
  if (!(got > 0 && std::isfinite(got))) fail(source.named(name), "expected a finite {} above 0, got {}", option, got);
}
void Require::fraction(const char* option, double got) const {
  if (!(got >= 0 && got < 1)) fail(source.named(name), "expected {} in [0, 1), got {}", option, got);
}
void Require::divisor(const char* option, double got) const {
  not_negative(option, got);
  if (of_f32 && !keeps(f32, got))
    fail(source.named(name), "expected the {} to be in the range of f32, got {}; parameters of f64 have a wider one",
         option, got);
}

bool Optimizer::any_of_f32(const Parameters& parameters) {
  for (const Parameters::Entry& entry : parameters)
    if (entry.variable.get() && entry.value().defined() && entry.value().dtype() == f32) return true;
  return false;
}

void Optimizer::add(const Parameters& parameters, double lr, Source source) try {
  State& state = state_or_fail(source);
  Require{name_, source}.not_negative("lr", lr);
  if (state.evaluating) fail(source.named(name_), "add_group() while it is evaluated; call train() first");
  for (const auto& place : state.rates->around)
    if (!place->manner.slots.empty())
      fail(source.named(name_),
           "add_group() while {} stands around it, with a state for each parameter; add groups before",
           place->rule->name());
  if (parameters.empty())
    fail(source.named(name_), "expected at least one parameter, got none; name them in XGRAD_FIELDS, or give {a, b}");
  const int number = static_cast<int>(state.groups.size());
  std::unordered_set<const engine::Variable*> known;
  std::unordered_set<std::string> names;
  for (const Item& item : state.items) {
    known.insert(item.entry.variable.get());
    names.insert(item.entry.name);
  }
  bool renamed = false;  // {a} and then {b}: both are called "0"
  for (const Parameters::Entry& entry : parameters) renamed |= names.count(entry.name) != 0;

  auto group = std::make_unique<State::Group>();
  group->manner = manner(number);
  const Manner& m = group->manner;
  check_names(name_, {m.slots, m.numbers}, source);
  check_names(name_, {m.shared}, source);
  const bool in_memory = m.elementwise || m.compiled;
  const NoGrad constant;
  std::vector<Item> items;
  for (const Parameters::Entry& entry : parameters) {
    if (!entry.variable.get()) fail(source.named(name_), "the parameter {} is empty; give it a value", entry.name);
    if (!known.insert(entry.variable.get()).second)
      fail(source.named(name_), "the parameter {} is there twice; a variable has one state", entry.name);
    const Tensor& value = entry.value();
    if (!is_float(value.dtype(source)))
      fail(source.named(name_), "expected parameters of f32 or f64, got {} for {}", name(value.dtype()), entry.name);
    check_parameter(number, entry, source);
    Store* store = in_memory ? &group->stores[value.dtype() == f64] : nullptr;
    Item item{entry, value.numel(), 0, number, value.dtype(), store ? store->stride : 0, store, {}, {}, {}, {}, {}};
    item.numbers.assign(m.numbers.size(), 0.0);
    if (renamed) item.entry.name = fmt::format("group{}.{}", number, entry.name);
    if (!names.insert(item.entry.name).second)
      fail(source.named(name_), "two parameters have the name {}; give each its own", entry.name);
    if (store) store->stride += padded(item.n * item_size(item.dtype));
    items.push_back(std::move(item));
  }
  for (Store& store : group->stores) store.take(static_cast<Size>(m.slots.size()), name_, source);
  for (Item& item : items)
    for (std::size_t k = 0; k < m.slots.size(); ++k) {
      const Tensor p = item.entry.value().detach(source), start = first(number, k, p);
      if (!item.store) {
        item.slots.push_back(evaluate(start.defined() ? start : zeros_like(p)));
      } else if (start.defined()) {
        if (start.dtype() != item.dtype || start.shape() != p.shape())
          fail(source.named(name_),
               "the first {} of {} is {} {}, but the rule says that it is elementwise: expected {} {}", m.slots[k],
               item.entry.name, name(start.dtype()), start.shape(), name(item.dtype), p.shape());
        item.store_slot(k, start, source);
      }
    }
  for (std::size_t k = 0; k < m.shared.size(); ++k) {
    const Tensor start = first_shared(number, k);
    group->shared.push_back(evaluate(start.defined() ? start : zeros(Shape{}, f64)));
  }
  Rate rate{lr, lr};
  for (const Attached& a : state.rates->attached)
    if (a.option == Attached::lr) rate.set(a.number, a(lr, source));
  state.items.reserve(state.items.size() + items.size());
  state.groups.reserve(state.groups.size() + 1);
  state.rates->groups.push_back(std::move(rate));
  for (Item& item : items) state.items.push_back(std::move(item));
  state.groups.push_back(std::move(group));
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name_);
}

bool Optimizer::drives() const {
  for (const Attached& a : state_->rates->attached)
    if (a.option != Attached::lr) return true;
  return false;
}
void Optimizer::drive(void* options, Source source) const { state_->rates->drive(options, source); }

void Optimizer::zero_grad() noexcept {
  if (!state_) return;
  for (const Item& item : state_->items) item.entry.zero_grad();
  state_->forget_loss();
}

void Optimizer::fail_alone(const Item& item, Source source) const {
  fail(source.named(name_),
       "nothing but this optimizer holds the parameter {} any more: another variable was "
       "moved into its place; store a value there (a = tensor(2.0)), or build the optimizer "
       "afterwards",
       item.entry.name);
}

void Optimizer::fail_no_gradient(Source source) const {
  const std::size_t n = state_->items.size();
  fail(source.named(name_),
       "expected a gradient, but none of the {} parameters ({}{}) has one, so nothing would change; call "
       "backward() after zero_grad() and before step(), on a loss of this very model: a copy of it (a lambda "
       "that captures it by value, a function that takes it by value) has parameters of its own",
       n, state_->items[0].entry.name, n > 1 ? ", ..." : "");
}

Optimizer::State& Optimizer::state_or_fail(Source source) const {
  if (!state_) fail(source.named(name_), "this optimizer was moved from; use the one it was moved to");
  return *state_;
}

Parameters Optimizer::parameters(Source source) const {
  Parameters list;
  for (const Item& item : state_or_fail(source).items) list.add(item.entry);
  return list;
}

Parameters Optimizer::parameters(Size group, Source source) const {
  const State& state = state_or_fail(source);
  check_group(group, source);
  Parameters list;
  for (const Item& item : state.items)
    if (item.group == group) list.add(item.entry);
  return list;
}

Size Optimizer::groups() const { return state_ ? static_cast<Size>(state_->groups.size()) : 0; }

bool Optimizer::maximizes(Source source) const {
  (void)state_or_fail(source);
  bool any = false;
  for (Size group = 0; group < groups(); ++group) any |= maximizes(group, source);
  return any;
}
void Optimizer::require_descent(const char* op, Source source) const {
  if (maximizes(source))
    fail(source.named(op),
         "expected an optimizer that goes down, got one with {.maximize = true}; leave that out, and give the negative "
         "of what is to be greatest");
}
bool Optimizer::maximizes(Size group, Source source) const {
  (void)state_or_fail(source);
  check_group(group, source);
  return manner(static_cast<int>(group)).maximizes;
}

void Optimizer::check_group(Size group, Source source) const {
  if (group < 0 || group >= groups())
    fail(source.named(name_), "expected a group's number, 0 ... {}, got {}", groups() - 1, group);
}

void Optimizer::options_may_have_changed(Size group, Source source) {
  State& state = state_or_fail(source);
  check_group(group, source);
  state.options_may_have_changed = true;
}

void Optimizer::check_changed_options(Source source) {
  State& state = *state_;
  for (std::size_t g = 0; g < state.groups.size(); ++g) {
    const int group = static_cast<int>(g);
    bool any_of_f32 = false;
    for (const Item& item : state.items) any_of_f32 |= item.group == group && item.dtype == f32;
    check_options(group, any_of_f32, source);
    Manner &before = state.groups[g]->manner, now = manner(group);
    const auto same = [](const char* x, const char* y) { return std::strcmp(x, y) == 0; };
    if (!std::equal(before.slots.begin(), before.slots.end(), now.slots.begin(), now.slots.end(), same))
      fail(source.named(name_),
           "the options of group {} were changed to some that need other state ({}) than it has ({}); build the "
           "optimizer with them",
           g, fmt::format("{}", fmt::join(now.slots, ", ")), fmt::format("{}", fmt::join(before.slots, ", ")));
    before = std::move(now);
  }
  state.options_may_have_changed = false;
}

double Optimizer::lr(Size group, Source source) const {
  const Rates& rates = *state_or_fail(source).rates;
  check_group(group, source);
  return rates.groups[static_cast<std::size_t>(group)].lr;
}

void Optimizer::eval(Source source) { switch_to(true, source); }
void Optimizer::train(Source source) { switch_to(false, source); }

// All values are there before the first is stored.
void Optimizer::best_is_back() noexcept {
  if (!state_) return;
  state_->best_is_back = true;
  state_->evaluating = false;  // the weights are neither those that are trained nor an average now
  for (Item& item : state_->items) item.trained = Tensor();
}

bool Optimizer::holds_best() const noexcept { return state_ && state_->best_is_back; }

Size Optimizer::steps(Source source) const { return state_or_fail(source).steps; }

bool Optimizer::refuses_nonfinite(Source source) const {
  const auto& around = state_or_fail(source).rates->around;
  return std::any_of(around.begin(), around.end(), [](const auto& place) { return place->manner.refuses_nonfinite; });
}

void Optimizer::switch_to(bool evaluating, Source source) try {
  State& state = state_or_fail(source);
  if (state.evaluating == evaluating || (evaluating && state.best_is_back)) return;
  bool any = !evaluating;  // an average that has left since eval() has left its weights in place of the trained ones
  for (const auto& group : state.groups) any |= group->manner.evaluates;
  for (const auto& place : state.rates->around) any |= place->manner.evaluates;
  if (!any) return;
  const NoGrad constant;
  Parameters stored;
  std::vector<Tensor> values;
  for (std::size_t i = 0; i < state.items.size(); ++i) {
    Item& item = state.items[i];
    if (!evaluating) {
      if (!item.trained.defined()) continue;
      stored.add(item.entry);
      values.push_back(item.trained);
      continue;
    }
    item.trained = item.entry.value().detach(source);
    const auto& group = *state.groups[static_cast<std::size_t>(item.group)];
    Tensor value = item.trained;
    if (group.manner.evaluates && item.t > 0) {
      Tensors slots;
      for (std::size_t k = 0; k < group.manner.slots.size(); ++k) slots.push_back(slot_of(item, k, source));
      value =
          evaluated(item.group, value, slots,
                    {state.rates->groups[static_cast<std::size_t>(item.group)].lr, item.t, item.numbers.data(), 0, {}});
    }
    for (const auto& place : state.rates->around)
      if (place->manner.evaluates && place->t > 0 && item.n > 0 && place->has_state(i))
        value = like(place->rule->name(), "the weights to be judged by", item.entry.name,
                     place->rule->evaluated(value, place->slots_of(item, i, source), place->t), item.trained, source);
    if (value.node() == item.trained.node()) {  // nothing else to be judged by
      item.trained = Tensor();
      continue;
    }
    stored.add(item.entry);
    values.push_back(value);
  }
  assign_all(stored, values, source);
  state.evaluating = evaluating;
  if (!evaluating)
    for (Item& item : state.items) item.trained = Tensor();
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name_);
}

void Optimizer::Item::store_slot(std::size_t k, const Tensor& numbers, Source source) {
  if (!store) slots.begin()[k] = evaluate(numbers);
  else if (n > 0)
    std::memcpy(slot(k), readable(contiguous(numbers, source), source), static_cast<std::size_t>(n * item_size(dtype)));
}

// Before a parameter's first step: its weights may be others than when the optimizer was made.
void Optimizer::take_first(Item& item, Source source) const {
  const std::size_t slots = state_->groups[static_cast<std::size_t>(item.group)]->manner.slots.size();
  const NoGrad constant;
  for (std::size_t k = 0; k < slots; ++k)
    if (const Tensor start = first(item.group, k, item.entry.value().detach(source)); start.defined())
      item.store_slot(k, start, source);
}

Tensor Optimizer::slot_of(const Item& item, std::size_t k, Source source) const {
  if (!item.store) return item.slots[static_cast<Size>(k)];
  return from_memory(item.slot(k), item.entry.value().shape(), item.dtype, source);
}

void Optimizer::set_lr(double lr, Source source) {
  (void)state_or_fail(source);
  for (Size group = 0; group < groups(); ++group) set_lr(lr, group, source);
}

void Optimizer::set_lr(double lr, Size group, Source source) {
  Rates& rates = *state_or_fail(source).rates;
  Require{name_, source}.not_negative("lr", lr);
  check_group(group, source);
  Rate& rate = rates.groups[static_cast<std::size_t>(group)];
  const double product = rate.product();
  rate.lr = lr;
  rate.base = product > 0 ? lr / product : lr;
}

}  // namespace xgrad::optim
