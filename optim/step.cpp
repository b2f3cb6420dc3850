// A step: gradients, formulas on tensors, and passes over memory. Everything that can fail comes before the first number
// changes.
#include <fmt/core.h>

#include <algorithm>

#include <xgrad/autodiff/differentiate.hpp>
#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include "autodiff/parallel.hpp"
#include "optim/pass.hpp"
#include "optim/place.hpp"

namespace xgrad::optim {

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
    fail(source.named(name_), "expected a gradient of {} {} for {}, got {} {}", name(item.dtype),
         item.entry.value().shape(), item.entry.name, name(g.dtype()), g.shape());
  state_->held.push_back(contiguous(g, source));
  return static_cast<const char*>(readable(state_->held.back(), source));
}

Tensor like(const char* name, const char* what, const std::string& of, const Tensor& got, const Tensor& expected,
            Source source) {
  if (got.defined() && got.dtype() == f64 && expected.dtype() == f32 && got.shape() == expected.shape())
    return cast(got, f32);
  if (!got.defined() || got.dtype() != expected.dtype() || got.shape() != expected.shape())
    fail(source.named(name), "its update gave {} for {} of {}, which is {} {}",
         got.defined() ? fmt::format("{} {}", xgrad::name(got.dtype()), got.shape()) : "an empty tensor", what, of,
         xgrad::name(expected.dtype()), expected.shape());
  return got;
}
void require_count(const char* name, const char* of_what, std::size_t got, std::size_t expected, Source source) {
  if (got != expected) fail(source.named(name), "its update left {} {} where {} came", got, of_what, expected);
}

// As a rule is shown it, which goes down.
Tensor Optimizer::downhill(int group, const Tensor& g) const {
  return state_->groups[static_cast<std::size_t>(group)]->manner.maximizes ? -g : g;
}

void Optimizer::update_whole(Item& item, Whole& whole, Source source) const {
  const std::vector<const char*>& names = state_->groups[static_cast<std::size_t>(item.group)]->manner.slots;
  const Tensor p = item.entry.value().detach();
  Tensors x{p, downhill(item.group, item.entry.grad().detach())};
  for (const Tensor& slot : item.slots) x.push_back(slot);
  update(item.group, x, step_of(item, source));
  require_count(name_, "slots", x.size() - 2, item.slots.size(), source);
  whole.values.push_back(like(name_, "the parameter", item.entry.name, x[0], p, source));
  whole.entries.add(item.entry);
  for (std::size_t k = 0; k < names.size(); ++k) {
    Tensor& slot = item.slots.begin()[k];
    whole.keep(slot, like(name_, names[k], item.entry.name, x.begin()[k + 2], slot, source));
  }
}

// All of a group's parameters that have a gradient.
void Optimizer::update_group(int group, Whole& whole, Source source) const {
  State::Group& own = *state_->groups[static_cast<std::size_t>(group)];
  Size most = 0;
  for (const Item& item : state_->items)
    if (item.group == group) most = std::max(most, item.t);
  std::vector<Item*> items;
  std::vector<Member> all;
  for (Item* item : state_->stepped) {
    if (item->group != group || item->n == 0) continue;
    items.push_back(item);
    all.push_back(
        {item->entry.value().detach(), downhill(group, item->entry.grad().detach()), item->slots, item->t + 1});
  }
  if (items.empty()) return;
  Tensors shared = own.shared;
  const double rate = state_->rates->groups[static_cast<std::size_t>(group)].lr;
  update_all(group, all, shared,
             {rate, most + 1, nullptr, own.manner.maximizes ? -state_->loss : state_->loss, {}, source});
  require_count(name_, "parameters", all.size(), items.size(), source);
  require_count(name_, "tensors of the group's state", shared.size(), own.shared.size(), source);
  for (std::size_t i = 0; i < items.size(); ++i) {
    Item& item = *items[i];
    Member& m = all[i];
    require_count(name_, "slots", m.slots.size(), item.slots.size(), source);
    whole.values.push_back(like(name_, "the parameter", item.entry.name, m.p, item.entry.value(), source));
    whole.entries.add(item.entry);
    for (std::size_t k = 0; k < item.slots.size(); ++k) {
      Tensor& slot = item.slots.begin()[k];
      whole.keep(slot, like(name_, own.manner.slots[k], item.entry.name, m.slots.begin()[k], slot, source));
    }
  }
  for (std::size_t k = 0; k < own.shared.size(); ++k) {
    Tensor& value = own.shared.begin()[k];
    whole.keep(value, like(name_, own.manner.shared[k], "the group", shared.begin()[k], value, source));
  }
}

void Optimizer::go_on_from_best(Source source) {
  for (const auto& group : state_->groups)
    if (group->manner.evaluates)
      fail(
          source.named(name_),
          "the best weights were put back, and its state belongs to others; to train on from there build a new optimizer");
  state_->best_is_back = false;
}

void Optimizer::step(Source source) try {
  State& state = state_or_fail(source);
  if (state.evaluating)
    fail(source.named(name_), "step() while the parameters are those to be evaluated; call train() first");
  if (state.options_may_have_changed) [[unlikely]]
    check_changed_options(source);
  if (state.best_is_back) [[unlikely]]
    go_on_from_best(source);
  if (!state.has_loss && looks_at_loss())
    fail(source.named(name_),
         "looks at the loss: call step(loss), in place of zero_grad(), backward() and step(), or look_at(loss) before "
         "backward()");
  const State::ForgetLoss forget{&state};
  begin(source);
  engine::Own<Ahead> ahead;
  if (!state.rates->around.empty()) [[unlikely]] {
    ahead = engine::Own<Ahead>(new Ahead(*this, source));
    if (ahead->verdict == Verdict::wait && looks_at_loss())
      fail(
          source.named(name_),
          "looks at the loss, of which what stands around it waits for more parts; call look_at(loss) and backward() for "
          "each part, without zero_grad() between them, and step() once");
    if (ahead->verdict != Verdict::step) return ahead->keep();  // which is no step
  }
  state.work.clear();
  state.stepped.clear();
  state.held.clear();
  Whole whole;
  std::vector<Formula> formulas;  // of elementwise rules on placeholders, by group, count and dtype
  // of the item before
  int group = -1, prepared = -1, slots = 0;
  Size t = -1;
  const std::vector<double>* numbers_before = nullptr;
  DType dtype = DType::f32;
  const Store* store = nullptr;
  bool compiled = false, by_rows = false;
  const auto held = [&](Tensor t) { return state.held.emplace_back(std::move(t)); };
  for (Item& item : state.items) {
    const GradientNumbers g = gradient_numbers(item.entry);
    if (!g.held) [[unlikely]]
      fail_alone(item, source);
    if (!g.any) continue;
    state.stepped.push_back(&item);
    if (item.t == 0) [[unlikely]]
      take_first(item, source);
    if (!item.numbers.empty()) {
      item.next = item.numbers;
      advance(item.group, item.next.data(), step_of(item, source));
    }
    if (!item.store) {
      (void)dense_gradient(item, source);  // looks at its shape
      continue;
    }
    const bool other_numbers = !item.next.empty() && numbers_before && item.next != *numbers_before;
    if (item.group != group || item.t != t || item.dtype != dtype || other_numbers) [[unlikely]] {
      group = item.group;
      t = item.t;
      dtype = item.dtype;
      State::Group& own = *state.groups[static_cast<std::size_t>(group)];
      const Manner& manner = own.manner;
      compiled = manner.compiled;
      slots = static_cast<int>(manner.slots.size());
      by_rows = manner.by_rows;
      store = item.store;
      numbers_before = &item.next;
      const Step step = step_of(item, source);
      if (compiled) {
        prepared = prepare(group, step);
      } else {
        prepared = static_cast<int>(formulas.size());
        const auto nth = static_cast<std::size_t>(std::count_if(
            formulas.begin(), formulas.end(), [&](const Formula& f) { return f.group == group && f.dtype == dtype; }));
        const auto formula = [&](Tensors& x) {
          const Tensor g = x[1];
          x[1] = downhill(group, g);
          update(group, x, step);
          x[1] = g;  // which stays as it is
        };
        const Fused* fused = renewed(own.formulas[dtype == DType::f64], nth, formula, 2 + slots, dtype, name_, source);
        formulas.push_back({group, fused, store->memory.get(), store->stride, slots, dtype, {}});
      }
    }
    const auto update_run = [&](char* p, const char* numbers, Size first, Size count) {  // elements of the item
      const Size bytes = first * item_size(dtype);
      if (compiled) {
        char* const slot = slots ? store->memory.get() + item.at + bytes : nullptr;
        state.work.push_back({p + bytes, numbers, slot, store->stride, count, slots, prepared, dtype});
      } else {
        const Size from = item.at / item_size(dtype), to = first + count;
        const Size until = count < item.n ? from + to : from + padded(item.n * item_size(dtype)) / item_size(dtype);
        formulas[static_cast<std::size_t>(prepared)].runs.push_back({p + bytes, numbers, from + first, count, until});
      }
    };
    if (g.rows && by_rows) {
      const Tensor index = held(contiguous(*g.rows, source)), values = held(contiguous(*g.row_values, source));
      const Size* at = static_cast<const Size*>(readable(index, source));
      const char* numbers = static_cast<const char*>(readable(values, source));
      char* const p = static_cast<char*>(writable(item.entry));
      const Size rows = index.numel(), row = rows == 0 ? 0 : values.numel() / rows;
      for (Size k = 0; k < rows; ++k) update_run(p, numbers + k * row * item_size(dtype), at[k] * row, row);
      continue;
    }
    const char* numbers = g.numbers ? g.numbers : dense_gradient(item, source);
    update_run(static_cast<char*>(writable(item.entry)), numbers, 0, item.n);
  }
  if (state.stepped.empty()) [[unlikely]]
    fail_no_gradient(source);

  const NoGrad constant;
  for (Item* item : state.stepped)
    if (!item->store && item->n > 0 && !state.groups[static_cast<std::size_t>(item->group)]->manner.all_at_once)
      update_whole(*item, whole, source);
  for (std::size_t k = 0; k < state.groups.size(); ++k)
    if (state.groups[k]->manner.all_at_once) update_group(static_cast<int>(k), whole, source);
  if (ahead) ahead->after_whole(whole);
  whole.evaluate_all(source);
  Pass pass(std::move(formulas));  // takes its memory

  pass.run();
  whole.store(source);
  run_compiled();
  if (ahead) ahead->finish();
  for (Item* item : state.stepped) ++item->t, item->numbers.swap(item->next);
  ++state.steps;
  state.held.clear();
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name_);
}

Step Optimizer::step_of(const Item& item, Source source) const {
  const auto group = static_cast<std::size_t>(item.group);
  const bool up = state_->groups[group]->manner.maximizes;
  return {state_->rates->groups[group].lr,
          item.t + 1,
          item.next.data(),
          up ? -state_->loss : state_->loss,
          item.curvature.defined() ? downhill(item.group, item.curvature) : item.curvature,
          source};
}

// Gradients, and of the parameters that want it the curvature, by a second sweep.
void Optimizer::find_curvature(const Tensor& loss, Source source) {
  State& state = *state_;
  const EnableGrad recorded;
  Tensors all, some, signs;
  std::vector<Item*> curved;
  for (Item& item : state.items) {
    all.push_back(item.entry.value());
    if (wants_curvature(item.group, step_of(item, source))) curved.push_back(&item), some.push_back(item.entry.value());
  }
  const Tensors g = grad(loss, all, {.create_graph = true, .allow_unused = true});
  Tensor along = 0.0;
  for (std::size_t i = 0, k = 0; i < state.items.size(); ++i) {
    Item& item = state.items[i];
    if (k == curved.size() || curved[k] != &item) continue;
    ++k;
    signs.push_back(cast(2 * randint(0, 2, item.entry.value().shape(), source) - 1, item.dtype));
    along = along + sum(g.begin()[i] * signs.begin()[signs.size() - 1]);
  }
  const Tensors bent = along.requires_grad() ? grad(along, some, {.allow_unused = true}) : Tensors();
  for (std::size_t k = 0; k < curved.size(); ++k) {
    const Tensor& z = signs.begin()[k];
    Tensor& sum = curved[k]->curvature;
    const NoGrad constant;
    const Tensor here = bent.size() > 0 ? z * bent.begin()[k].detach() : zeros_like(z);
    sum = evaluate(sum.defined() ? sum + here : here);
  }
}

bool Optimizer::looks_at_loss() const {
  if (state_)
    for (const auto& group : state_->groups)
      if (group->manner.of_loss) return true;
  return false;
}

void Optimizer::State::forget_loss() noexcept {
  if (!has_loss) return;
  has_loss = false;
  loss = 0;
  for (Item& item : items) item.curvature = Tensor();
}

void Optimizer::look_at(const Tensor& loss, Source source) try {
  State& state = state_or_fail(source);
  if (!looks_at_loss()) return;
  if (!loss.defined() || loss.numel() != 1)
    fail(source.named(name_), "expected a loss of one element, got {}",
         loss.defined() ? fmt::format("{} {}", name(loss.dtype()), loss.shape()) : "an empty tensor");
  bool curved = false;
  for (const Item& item : state.items) curved |= wants_curvature(item.group, step_of(item, source));
  state.has_loss = true;
  if (curved) find_curvature(loss, source);
  state.loss += loss.item(source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name_);
}

void Optimizer::step(const Tensor& loss, Source source) try {
  State& state = state_or_fail(source);
  const State::ForgetLoss forget{&state};
  state.forget_loss();
  look_at(loss, source);
  for (const Item& item : state.items) item.entry.zero_grad();
  loss.backward({}, source);
  step(source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name_);
}

namespace {
constexpr Size block = 1 << 12;          // elements of a job
constexpr Size worth_sharing = 1 << 16;  // fewer stay on the calling thread
}  // namespace

void Optimizer::run_compiled() {
  State& state = *state_;
  Size total = 0;
  for (const Work& w : state.work) total += w.n;
  if (total < worth_sharing) return run(state.work.data(), state.work.data() + state.work.size());
  state.blocks.clear();
  for (const Work& w : state.work)
    for (Size from = 0; from < w.n; from += block) {
      const Size bytes = from * item_size(w.dtype);
      state.blocks.push_back({w.p + bytes, w.g + bytes, w.slots ? w.state + bytes : nullptr, w.stride,
                              std::min(block, w.n - from), w.slots, w.step, w.dtype});
    }
  parallel_for(static_cast<Size>(state.blocks.size()),
               [&](Size job) { run(state.blocks.data() + job, state.blocks.data() + job + 1); });
}

}  // namespace xgrad::optim
