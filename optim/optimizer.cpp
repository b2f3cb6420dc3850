#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <unordered_set>

#include "autodiff/engine/variable.hpp"
#include "autodiff/kernels/threads.hpp"
#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/representable.hpp>
#include <xgrad/autodiff/scope.hpp>
#include "optim/state.hpp"

namespace xgrad::optim {
namespace {

constexpr Size alignment = 64;           // a slot begins on a cache line
constexpr Size block = 1 << 12;          // elements of a job
constexpr Size worth_sharing = 1 << 16;  // fewer stay on the calling thread

Size slot_bytes(Size n, DType dtype) { return (n * item_size(dtype) + alignment - 1) / alignment * alignment; }

char* zeroed(const char* name, std::size_t bytes, Source source) {
  if (bytes == 0) return nullptr;
  void* memory = std::aligned_alloc(alignment, bytes);
  if (!memory) fail(source, fmt::format("[{}] no memory for a state of {} bytes", name, bytes));
  return static_cast<char*>(std::memset(memory, 0, bytes));
}

}  // namespace

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
  if (!right) fail(source, fmt::format("[{}] expected {}, got {}", name, expected, got));
}
void Require::not_negative(const char* option, double got) const {
  if (!(got >= 0 && std::isfinite(got)))
    fail(source, fmt::format("[{}] expected a finite {} of 0 or more, got {}", name, option, got));
}

void Require::divisor(const char* option, double got) const {
  not_negative(option, got);
  if (of_f32 && !keeps(f32, got))
    fail(source, fmt::format("[{}] expected the {} to be in the range of f32, got {}; parameters of f64 have a wider one", name, option, got));
}

void Optimizer::add(const Parameters& parameters, double lr, const std::vector<const char*>& slots, Source source) try {
  State& state = state_or_fail(source);
  Require{name_, source}.not_negative("lr", lr);
  if (parameters.empty())
    fail(source,
         fmt::format("[{}] expected at least one parameter, got none; name them in XGRAD_FIELDS, or give {{a, b}}",
                     name_));
  std::unordered_set<const engine::Variable*> known;
  std::unordered_set<std::string> names;
  for (const Item& item : state.items) {
    known.insert(item.entry.variable.get());
    names.insert(item.entry.name);
  }
  bool renamed = false;  // {a} and then {b}: both are called "0"
  for (const Parameters::Entry& entry : parameters) renamed |= names.count(entry.name) != 0;

  std::vector<Item> items;
  Size bytes = 0;
  for (const Parameters::Entry& entry : parameters) {
    if (!entry.variable.get())
      fail(source, fmt::format("[{}] the parameter {} is empty; give it a value", name_, entry.name));
    if (!known.insert(entry.variable.get()).second)
      fail(source, fmt::format("[{}] the parameter {} is there twice; a variable has one state", name_, entry.name));
    const Tensor& value = entry.value();
    if (!is_float(value.dtype(source)))
      fail(source, fmt::format("[{}] expected parameters of f32 or f64, got {} for {}", name_, name(value.dtype()),
                               entry.name));
    Item item{entry,
              value.numel(),
              0,
              nullptr,
              slot_bytes(value.numel(), value.dtype()),
              static_cast<int>(state.groups.size()),
              static_cast<int>(slots.size()),
              value.dtype()};
    if (renamed) item.entry.name = fmt::format("group{}.{}", state.groups.size(), entry.name);
    if (!names.insert(item.entry.name).second)
      fail(source, fmt::format("[{}] two parameters have the name {}; give each its own", name_, entry.name));
    bytes += item.stride * static_cast<Size>(slots.size());
    items.push_back(std::move(item));
  }

  State::Group group{std::unique_ptr<char, State::Free>(zeroed(name_, static_cast<std::size_t>(bytes), source)), slots};
  char* at = group.state.get();
  for (Item& item : items) {
    item.state = at;
    if (at) at += item.stride * static_cast<Size>(slots.size());
  }
  state.items.reserve(state.items.size() + items.size());
  state.groups.reserve(state.groups.size() + 1);
  state.rates->groups.push_back({lr, lr});
  for (Item& item : items) state.items.push_back(std::move(item));
  state.groups.push_back(std::move(group));
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name_);
}

bool Optimizer::drive(void* options, Source source) const { return state_->rates->drive(options, source); }

void Optimizer::zero_grad() noexcept {
  if (!state_) return;
  for (const Item& item : state_->items) item.entry.zero_grad();
}

void Optimizer::evaluate_gradients(Source source) const try {
  Tensors pending;
  for (const Item& item : state_->items)
    if (const Tensor& g = item.entry.grad(); g.pending()) pending.push_back(g);
  evaluate(pending, source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name_);
}

// The numbers of a gradient that is pending, or not row-major; held until the step is done.
const char* Optimizer::dense_gradient(const Item& item, Source source) {
  if (item.entry.grad().pending()) evaluate_gradients(source);
  const Tensor& g = item.entry.grad();
  if (g.numel() != item.n || g.dtype() != item.dtype)
    fail(source, fmt::format("[{}] expected a gradient of {} {} for {}, got {} {}", name_, name(item.dtype),
                             item.entry.value().shape(), item.entry.name, name(g.dtype()), g.shape()));
  state_->held.push_back(contiguous(g, source));
  return static_cast<const char*>(readable(state_->held.back(), source));
}

// Everything that can fail comes before the first number changes.
void Optimizer::step(Source source) try {
  State& state = state_or_fail(source);
  begin();
  state.work.clear();
  state.stepped.clear();
  state.held.clear();
  int group = -1, prepared = -1;
  Size t = -1, total = 0;
  for (Item& item : state.items) {
    const engine::Variable* v = item.entry.variable.get();
    if (v->strong.load(std::memory_order_relaxed) == 1) [[unlikely]] fail_alone(item, source);
    const engine::Node* g = v->grad.node();
    if (!g) continue;
    const bool ready = g->data && g->row_major() && g->count == item.n && g->dtype == item.dtype;
    const char* numbers = ready ? g->data : dense_gradient(item, source);
    if (item.group != group || item.t != t) {
      group = item.group;
      t = item.t;
      prepared = prepare(group, state.rates->groups[static_cast<std::size_t>(group)].lr, t + 1, source);
    }
    state.work.push_back({static_cast<char*>(writable(item.entry)), numbers, item.state, item.stride, item.n,
                          item.slots, prepared, item.dtype});
    state.stepped.push_back(&item);
    total += item.n;
  }
  if (state.stepped.empty()) [[unlikely]] fail_no_gradient(source);

  if (total < worth_sharing) {
    update(state.work.data(), state.work.data() + state.work.size());
  } else {
    state.blocks.clear();
    for (const Work& w : state.work)
      for (Size from = 0; from < w.n; from += block) {
        const Size bytes = from * item_size(w.dtype);
        state.blocks.push_back({w.p + bytes, w.g + bytes, w.slots ? w.state + bytes : nullptr, w.stride,
                                std::min(block, w.n - from), w.slots, w.step, w.dtype});
      }
    kernels::parallel(static_cast<Size>(state.blocks.size()),
                      [&](Size job) { update(state.blocks.data() + job, state.blocks.data() + job + 1); });
  }
  for (Item* item : state.stepped) ++item->t;
  state.held.clear();
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name_);
}

void Optimizer::fail_alone(const Item& item, Source source) const {
  fail(source, fmt::format("[{}] nothing but this optimizer holds the parameter {} any more: another variable was "
                           "moved into its place; store a value there (a = tensor(2.0)), or build the optimizer "
                           "afterwards",
                           name_, item.entry.name));
}

void Optimizer::fail_no_gradient(Source source) const {
  const std::size_t n = state_->items.size();
  fail(source,
       fmt::format("[{}] expected a gradient, but none of the {} parameters ({}{}) has one, so nothing would change; call "
                   "backward() after zero_grad() and before step(), on a loss of this very model: a copy of it (a lambda "
                   "that captures it by value, a function that takes it by value) has parameters of its own",
                   name_, n, state_->items[0].entry.name, n > 1 ? ", ..." : ""));
}

Optimizer::State& Optimizer::state_or_fail(Source source) const {
  if (!state_) fail(source, fmt::format("[{}] this optimizer was moved from; use the one it was moved to", name_));
  return *state_;
}

Parameters Optimizer::parameters(Source source) const {
  Parameters list;
  for (const Item& item : state_or_fail(source).items) list.add(item.entry);
  return list;
}

Size Optimizer::groups() const { return state_ ? static_cast<Size>(state_->groups.size()) : 0; }

void Optimizer::check_group(Size group, Source source) const {
  if (group < 0 || group >= groups())
    fail(source, fmt::format("[{}] expected a group's number, 0 ... {}, got {}", name_, groups() - 1, group));
}

double Optimizer::lr(Size group, Source source) const {
  const Rates& rates = *state_or_fail(source).rates;
  check_group(group, source);
  return rates.groups[static_cast<std::size_t>(group)].lr;
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
