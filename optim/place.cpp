// The part that what stands around an optimizer has in a step. All that can fail comes before the first number changes.
#include "optim/place.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

Tensors Place::slots_of(const Optimizer::Item& item, std::size_t i, Source source) const {
  if (!manner.after) return slots.empty() ? Tensors() : slots[i];
  Tensors values;
  for (std::size_t k = 0; k < manner.slots.size(); ++k)
    values.push_back(from_memory(slot(k, i, item.dtype), item.entry.value().shape(), item.dtype, source));
  return values;
}

void Place::take_first(const Optimizer::Item& item, std::size_t i, Source source) {
  const NoGrad constant;
  const Tensor p = item.entry.value().detach(source);
  for (std::size_t k = 0; k < manner.slots.size(); ++k) {
    const Tensor start = rule->first(k, p);
    if (!manner.after) {
      slots[i].begin()[k] = evaluate(start.defined() ? start : zeros_like(p));
    } else if (start.defined() && item.n > 0) {
      const Tensor numbers = contiguous(like(rule->name(), manner.slots[k], item.entry.name, start, p, source), source);
      std::memcpy(slot(k, i, item.dtype), readable(numbers, source),
                  static_cast<std::size_t>(item.n * item_size(item.dtype)));
    }
  }
}

Optimizer::Ahead::Lent::~Lent() {
  for (Entry& entry : list) entry.swap();
}

// A gradient, on its way past the rules.
struct Optimizer::Ahead::Now {
  Tensor g;      // empty: none
  Tensor index;  // of the rows that g holds; empty: all
  bool changed = false;
};

Optimizer::Ahead::Ahead(Optimizer& of, Source at) : optimizer(of), state(*of.state_), source(at) {
  bool before = false;
  for (const auto& place : state.rates->around) {
    place->rule->check(source);
    before |= place->manner.before;
  }
  const NoGrad constant;
  if (before) verdict = gradients();
  if (verdict != Verdict::step) return;
  begin_after();
  prepare_passes();
}

// State that is made of weights is made of those before the first step that it sees, which may have been stored since it stood there.
void Optimizer::Ahead::begin(Place& place, std::size_t i) {
  if (place.has_state(i)) return;
  place.take_first(state.items[i], i, source);
  begun.emplace_back(&place, i);
}
void Optimizer::Ahead::begin_after() {
  for (const auto& place : state.rates->around)
    if (place->manner.after)
      for (std::size_t i = 0; i < place->begun.size(); ++i)
        if (place->manner.sees_all || gradient_numbers(state.items[i].entry).any) begin(*place, i);
}

Verdict Optimizer::Ahead::gradients() {
  std::vector<Now> now(state.items.size());
  Tensors pending;
  bool any = false;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const GradientNumbers own = gradient_numbers(state.items[i].entry);
    if (own.rows) now[i] = {*own.row_values, *own.rows};
    else if (own.dense) now[i] = {own.dense->requires_grad() ? own.dense->detach(source) : *own.dense, {}};
    else continue;
    any = true;
    if (now[i].g.pending()) pending.push_back(now[i].g);
  }
  if (!any) optimizer.fail_no_gradient(source);
  evaluate(pending, source);
  Verdict all = Verdict::step;
  for (const auto& place : state.rates->around) {
    if (!place->manner.before) continue;
    all = before(*place, now);
    if (all == Verdict::skip) kept.clear(), begun.clear();
    if (all != Verdict::step) break;
  }
  Tensors made;
  for (auto& [to, value] : kept) made.push_back(value);
  if (all == Verdict::step) {
    std::size_t changed = 0;
    for (const Now& x : now)
      if (x.changed) {
        ++changed;
        if (x.g.defined()) made.push_back(x.g);
      }
    lent.list.reserve(changed);
  }
  evaluate(made, source);
  if (all != Verdict::step) return all;
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (!now[i].changed) continue;
    Lent::Entry entry{&state.items[i].entry, {}};
    if (now[i].index.defined()) entry.gradient = {{}, std::move(now[i].index), std::move(now[i].g)};
    else entry.gradient.dense = std::move(now[i].g);
    lent.list.push_back(std::move(entry));
    lent.list.back().swap();
  }
  return all;
}

Verdict Optimizer::Ahead::before(Place& place, std::vector<Now>& now) {
  const Surround::Manner& m = place.manner;
  const char* name = place.rule->name();
  std::vector<Gradient> all;
  std::vector<std::size_t> which;
  all.reserve(now.size());
  which.reserve(now.size());
  for (std::size_t i = 0; i < now.size(); ++i) {
    const Item& item = state.items[i];
    if (item.n == 0 || !(now[i].g.defined() || m.sees_all)) continue;
    if (now[i].index.defined() && !m.of_rows)
      now[i] = {evaluate(index_add(now[i].g, 0, now[i].index, item.entry.value().size(0))), {}, true};
    begin(place, i);
    all.push_back({item.entry.name.c_str(), m.of_rows ? Tensor() : item.entry.value().detach(source), now[i].g,
                   place.slots_of(item, i, source)});
    which.push_back(i);
  }
  Tensors shared = place.shared;
  const Verdict verdict = place.rule->before(all, shared, place.t + 1, source);
  if (verdict == Verdict::skip) return verdict;
  require_count(name, "parameters", all.size(), which.size(), source);
  require_count(name, "tensors of shared state", shared.size(), place.shared.size(), source);
  const auto keep = [&](Tensor& to, const char* what, const std::string& of, const Tensor& value) {
    if (value.node() != to.node()) kept.emplace_back(&to, like(name, what, of, value, to, source).detach(source));
  };
  for (std::size_t k = 0; k < which.size(); ++k) {
    const std::size_t i = which[k];
    const Item& item = state.items[i];
    const Tensor& g = all[k].g;
    if (g.node() != now[i].g.node()) {
      const Tensor& expected = now[i].index.defined() ? now[i].g : item.entry.value();
      now[i].g =
          g.defined() ? like(name, "the gradient", item.entry.name, g, expected, source).detach(source) : Tensor();
      if (!g.defined()) now[i].index = {};
      now[i].changed = true;
    }
    require_count(name, "slots", all[k].slots.size(), m.slots.size(), source);
    for (std::size_t s = 0; s < m.slots.size(); ++s)
      keep(place.slots[i].begin()[s], m.slots[s], item.entry.name, all[k].slots.begin()[s]);
  }
  for (std::size_t s = 0; s < m.shared.size(); ++s)
    keep(place.shared.begin()[s], m.shared[s], "the whole", shared.begin()[s]);
  return verdict;
}

std::vector<Place*> Optimizer::Ahead::acting() const {
  std::vector<Place*> list;
  for (const auto& place : state.rates->around)
    if (place->manner.after && place->rule->acts(place->t + 1)) list.push_back(&*place);
  return list;
}

// A parameter without a gradient is left alone: what looks at all of them may not change any.
void Optimizer::Ahead::check_left(const Place& place, const Tensor& before, const Tensor& after) const {
  if (place.manner.sees_all && after.node() != before.node())
    fail(source.named(place.rule->name()),
         "says sees_all, so it is shown parameters without a gradient, but its `after` changes p; leave out sees_all");
}

// Those of rules that work after an optimizer in memory.
void Optimizer::Ahead::prepare_passes() {
  if (state.items.empty() || !state.items[0].store) return;
  for (Place* place : acting()) {
    std::vector<Formula> formulas;
    const int slots = static_cast<int>(place->manner.slots.size());
    const auto formula = [&](Tensors& x) {  // p, a gradient that nobody looks at, and the slots
      Tensors y{x.begin()[0]};
      for (int k = 0; k < slots; ++k) y.push_back(x.begin()[2 + k]);
      place->rule->after(y, place->t + 1);
      check_left(*place, x.begin()[0], y.begin()[0]);
      x.begin()[0] = y.begin()[0];
      for (int k = 0; k < slots; ++k) x.begin()[2 + k] = y.begin()[1 + k];
    };
    for (const DType dtype : {DType::f32, DType::f64}) {
      std::vector<Run> runs;
      for (std::size_t i = 0; i < state.items.size(); ++i) {
        const Item& item = state.items[i];
        if (item.dtype != dtype || item.n == 0) continue;
        if (!place->manner.sees_all && !gradient_numbers(item.entry).any) continue;
        char* const p = static_cast<char*>(writable(item.entry));
        const Size at = place->at[i] / item_size(dtype);
        runs.push_back({p, p, at, item.n, at + padded(item.n * item_size(dtype)) / item_size(dtype)});
      }
      if (runs.empty()) continue;
      const Store& store = place->stores[dtype == f64];
      const Fused* fused =
          renewed(place->formulas[dtype == f64], 0, formula, 2 + slots, dtype, place->rule->name(), source);
      formulas.push_back({0, fused, store.memory.get(), store.stride, slots, dtype, std::move(runs)});
    }
    passes.emplace_back(std::move(formulas));
  }
}

void Optimizer::Ahead::after_whole(Whole& whole) {
  if (state.items.empty() || state.items[0].store) return;
  std::unordered_map<const engine::Variable*, std::size_t> stored;
  for (std::size_t k = 0; k < whole.entries.size(); ++k) stored.emplace(whole.entries.begin()[k].variable.get(), k);
  const NoGrad constant;
  for (const Place* place : acting())
    for (std::size_t i = 0; i < state.items.size(); ++i) {
      const Item& item = state.items[i];
      if (item.n == 0) continue;
      const auto found = stored.find(item.entry.variable.get());
      if (!place->manner.sees_all && found == stored.end()) continue;
      const Tensor p = found == stored.end() ? item.entry.value().detach(source) : whole.values[found->second];
      const Tensors slots = place->slots_of(item, i, source);
      Tensors x{p};
      for (const Tensor& slot : slots) x.push_back(slot);
      place->rule->after(x, place->t + 1);
      check_left(*place, p, x.begin()[0]);
      const char* name = place->rule->name();
      require_count(name, "slots", x.size() - 1, slots.size(), source);
      for (std::size_t k = 0; k < slots.size(); ++k)
        if (const Tensor& value = x.begin()[1 + k]; value.node() != slots.begin()[k].node())
          whole.copies.emplace_back(place->slot(k, i, item.dtype),
                                    like(name, place->manner.slots[k], item.entry.name, value, p, source));
      if (x.begin()[0].node() == p.node()) continue;
      whole.values[found->second] = like(name, "the parameter", item.entry.name, x.begin()[0], p, source);
    }
}

void Optimizer::Ahead::keep() {
  for (auto& [to, value] : kept) *to = std::move(value);
  for (auto& [place, i] : begun) place->begun[i] = 1;
}

void Optimizer::Ahead::finish() {
  for (Pass& pass : passes) pass.run();
  keep();
  for (const auto& place : state.rates->around) ++place->t;
}

}  // namespace xgrad::optim
