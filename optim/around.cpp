#include <xgrad/optim/around.hpp>

#include <fmt/format.h>

#include <algorithm>

#include <xgrad/autodiff/ops.hpp>

#include "optim/place.hpp"

namespace xgrad::optim {

Standing::Standing(Optimizer& optimizer, engine::Own<Surround> rule, Source source) try {
  const char* name = rule->name();
  rule->check(source);
  Optimizer::State& state = optimizer.state_or_fail(source);
  if (state.evaluating)
    fail(source.named(name), "around an optimizer whose parameters are those to be evaluated; call train() first");
  const NoGrad constant;
  Surround& of = *rule;
  engine::Own<Place> place(new Place{state.rates->places, std::move(rule), of.manner()});
  const Surround::Manner& m = place->manner;
  check_names(name, {m.slots}, source);
  check_names(name, {m.shared}, source);
  const std::size_t items = state.items.size();
  if (m.after) {
    place->at.resize(items);
    for (std::size_t i = 0; i < items; ++i) {
      Store& store = place->stores[state.items[i].dtype == f64];
      place->at[i] = store.stride;
      store.stride += padded(state.items[i].n * item_size(state.items[i].dtype));
    }
    for (Store& store : place->stores) store.take(static_cast<Size>(m.slots.size()), name, source);
  } else if (!m.slots.empty()) {
    place->slots.resize(items);
  }
  if (!m.slots.empty()) {
    place->begun.resize(items);
    for (Tensors& slots : place->slots)
      for (std::size_t k = 0; k < m.slots.size(); ++k) slots.push_back(Tensor());
    for (std::size_t i = 0; i < items; ++i) place->take_first(state.items[i], i, source);
  }
  for (std::size_t k = 0; k < m.shared.size(); ++k) {
    const Tensor start = of.first_shared(k);
    place->shared.push_back(evaluate(start.defined() ? start : zeros(Shape{}, f64)));
  }
  number_ = place->number;
  state.rates->around.push_back(std::move(place));
  ++state.rates->places;
  rates_ = state.rates;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "Around");
}

Standing& Standing::operator=(Standing&& other) noexcept {
  if (this == &other) return *this;
  leave();
  rates_ = std::move(other.rates_);
  number_ = other.number_;
  return *this;
}
Standing::~Standing() { leave(); }

void Standing::leave() noexcept {
  if (!rates_) return;
  std::erase_if(rates_->around, [&](const engine::Own<Place>& place) { return place->number == number_; });
  rates_ = {};
}

namespace {
Place& place_of(const engine::Ref<Rates>& rates, std::size_t number, Source source) {
  if (!rates) fail(source.named("Around"), "this was moved from; use the one it was moved to");
  if (rates->gone) fail(source.named("Around"), "its optimizer is gone; make it anew for the one that replaced it");
  std::size_t i = 0;
  while (rates->around[i]->number != number) ++i;
  return *rates->around[i];
}
}  // namespace

Surround& Standing::surround(Source source) const { return *place_of(rates_, number_, source).rule; }
Size Standing::steps(Source source) const { return place_of(rates_, number_, source).t; }
Tensors Standing::shared(Source source) const { return place_of(rates_, number_, source).shared; }

}  // namespace xgrad::optim
