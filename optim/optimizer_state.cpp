// An optimizer's state as named tensors, and as a file.
#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include "optim/place.hpp"

namespace xgrad::optim {
namespace {

// Names that no parameter's state has: those end in ".step" or in a slot's name.
constexpr const char *lr_name = "lr", *base_name = "base_lr", *step_name = "step";

constexpr Size most_steps = Size{1} << 53;  // no optimizer takes more, and a double holds each number up to there

std::string shared_name(std::size_t group, const char* slot) { return fmt::format("group{}.{}", group, slot); }

// Schedules, and what stands around, are numbered as they came; with their kind, for in another order they are others.
constexpr const char *schedules = "schedule", *arounds = "around";

std::string schedule_name(std::size_t i, const Attached& a) {
  return fmt::format("{}.{}({}{})", schedules, i, a.name, a.option == Attached::lr ? "" : " of an option");
}

std::string around_name(std::size_t i, const Place& place, const std::string& what) {
  return fmt::format("{}.{}({}).{}", arounds, i, place.rule->name(), what);
}

// Those that keep something, in order.
std::vector<Place*> saved(const Rates& rates) {
  std::vector<Place*> list;
  for (const auto& place : rates.around)
    if (place->manner.saved) list.push_back(&*place);
  return list;
}

template <class F>
Tensor of_groups(const std::vector<Rate>& groups, Source source, const F& number) {
  std::vector<double> numbers;
  numbers.reserve(groups.size());
  for (const Rate& rate : groups) numbers.push_back(number(rate));
  return tensor(numbers, source);
}

}  // namespace

void check_names(const char* rule, std::initializer_list<std::vector<const char*>> lists, Source source) {
  std::unordered_set<std::string> known{step_name};
  for (const auto& list : lists)
    for (const char* each : list)
      if (!known.insert(each).second) {
        if (each == std::string(step_name))
          fail(
              source.named(rule),
              "expected names of what the rule keeps other than \"{}\", which is the count of steps where it is saved; "
              "call it otherwise",
              each);
        fail(source.named(rule), "expected a name of its own for all that the rule keeps, got \"{}\" twice; rename one",
             each);
      }
}

NamedTensors Optimizer::state(Source source) const try {
  const State& own = state_or_fail(source);
  if (own.evaluating)
    fail(source.named(name_), "state() while the parameters are those to be evaluated; call train() first");
  const std::vector<Rate>& rates = own.rates->groups;
  NamedTensors made;
  made.push_back({lr_name, of_groups(rates, source, [&](const Rate& r) { return own.rates->saved_lr(r); })});
  made.push_back({base_name, of_groups(rates, source, [](const Rate& r) { return r.base; })});
  for (std::size_t i = 0; const Attached& a : own.rates->attached)
    if (a.saved) made.push_back({schedule_name(i++, a), tensor(a.memory, source)});
  for (Item& item : state_->items) {
    if (item.t == 0) take_first(item, source);
    made.push_back({item.entry.name + "." + step_name, full({}, item.t, source)});
    const auto& slots = own.groups[static_cast<std::size_t>(item.group)]->manner.slots;
    for (std::size_t k = 0; k < slots.size(); ++k)
      made.push_back({item.entry.name + "." + slots[k], slot_of(item, k, source)});
    const auto& numbers = own.groups[static_cast<std::size_t>(item.group)]->manner.numbers;
    for (std::size_t k = 0; k < numbers.size(); ++k)
      made.push_back({item.entry.name + "." + numbers[k], full({}, item.numbers[k], f64, source)});
  }
  for (std::size_t g = 0; g < own.groups.size(); ++g)
    for (std::size_t k = 0; k < own.groups[g]->shared.size(); ++k)
      made.push_back({shared_name(g, own.groups[g]->manner.shared[k]), own.groups[g]->shared[static_cast<Size>(k)]});
  const std::vector<Place*> around = saved(*own.rates);
  for (std::size_t a = 0; a < around.size(); ++a) {
    Place& place = *around[a];
    made.push_back({around_name(a, place, step_name), full({}, place.t, source)});
    for (std::size_t i = 0; i < own.items.size(); ++i) {
      if (!place.has_state(i)) place.take_first(own.items[i], i, source);
      const Tensors slots = place.slots_of(own.items[i], i, source);
      for (std::size_t k = 0; k < slots.size(); ++k)
        made.push_back(
            {around_name(a, place, own.items[i].entry.name + "." + place.manner.slots[k]), slots.begin()[k]});
    }
    for (std::size_t k = 0; k < place.shared.size(); ++k)
      made.push_back({around_name(a, place, place.manner.shared[k]), place.shared.begin()[k]});
  }
  return made;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name_);
}

void Optimizer::load_state(const NamedTensors& state, Source source) try {
  State& own = state_or_fail(source);
  if (own.evaluating)
    fail(source.named(name_), "load_state() while the parameters are those to be evaluated; call train() first");
  std::vector<Rate>& rates = own.rates->groups;
  const auto broken = [&](const std::string& what) {
    fail(source.named(name_), "cannot load this state: {}; build the optimizer as it was saved", what);
  };
  std::unordered_map<std::string, const Tensor*> given;
  for (const NamedTensor& entry : state)
    if (!given.emplace(entry.name, &entry.value).second) broken(fmt::format("{} is there twice", entry.name));
  const auto take = [&](const std::string& wanted, DType dtype, const Shape& shape) {
    const auto found = given.find(wanted);
    if (found == given.end()) broken(wanted + " is missing");
    const Tensor& value = *found->second;
    if (!value.defined() || value.dtype() != dtype || value.shape() != shape)
      broken(
          fmt::format("expected {} {} for {}, got {}", name(dtype), shape, wanted,
                      value.defined() ? fmt::format("{} {}", name(value.dtype()), value.shape()) : "an empty Tensor"));
    given.erase(found);
    return contiguous(value, source);
  };

  const auto checked_steps = [&](const std::string& of, const std::string& name) {
    const Size step = take(name, i64, {}).to_vector<Size>()[0];
    if (step < 0 || step > most_steps)
      broken(fmt::format("{} has taken {} steps, and 0 ... {} are possible", of, step, most_steps));
    return step;
  };
  // What was saved as the i-th schedule, or around; "" where there was none.
  const auto saved_as = [&](const char* what, std::size_t i) {
    const std::string begin = fmt::format("{}.{}(", what, i);
    for (const auto& entry : given)
      if (entry.first.starts_with(begin)) return entry.first.substr(0, entry.first.find(')') + 1);
    return std::string();
  };
  const auto check_kind = [&](const std::string& here, const std::string& there) {
    if (!here.starts_with(there))
      broken(fmt::format("{} was saved, here it is {}", there, here.substr(0, here.find(')') + 1)));
  };

  const Shape each_group{groups()};
  const std::vector<double> lr = take(lr_name, f64, each_group).to_vector<double>(),
                            base = take(base_name, f64, each_group).to_vector<double>();
  for (const double rate : lr)
    if (!(rate >= 0) || std::isinf(rate)) broken(fmt::format("the lr {} is not a finite number of 0 or more", rate));
  for (const double rate : base)
    if (!(rate >= 0) || std::isinf(rate))
      broken(fmt::format("the base_lr {} is not a finite number of 0 or more", rate));
  // A state without schedules leaves them where they are.
  std::vector<std::vector<double>> memories, factors;
  std::vector<Attached*> restored;
  bool others = false;  // that go on from where they are
  const bool has_schedules = !saved_as(schedules, 0).empty();
  for (Attached& a : own.rates->attached)
    if (!has_schedules || !a.saved) {
      others = true;
    } else {
      restored.push_back(&a);
      const std::string name = schedule_name(memories.size(), a);
      check_kind(name, saved_as(schedules, memories.size()));
      memories.push_back(take(name, f64, {static_cast<Size>(a.memory.size())}).to_vector<double>());
      const double count = memories.back()[0];
      if (!(count >= 0 && count <= static_cast<double>(most_steps) && count == std::floor(count)))
        broken(fmt::format("{} has taken {} steps", a.name, count));
      factors.emplace_back();
      for (const double rate : base)
        if (a.option == Attached::lr) factors.back().push_back(a.factor(memories.back(), rate, source));
      for (const double factor : factors.back())
        if (!(factor >= 0) || std::isinf(factor)) broken(fmt::format("{} makes a factor of {}", a.name, factor));
    }
  if (!saved_as(schedules, memories.size()).empty())
    broken(fmt::format("it has more schedules than the {} here", memories.size()));
  std::vector<Size> steps;
  std::vector<Tensor> slots;  // of the items, in order
  std::vector<double> numbers;
  for (const Item& item : own.items) {
    steps.push_back(checked_steps(item.entry.name, item.entry.name + "." + step_name));
    const Manner& manner = own.groups[static_cast<std::size_t>(item.group)]->manner;
    for (std::size_t k = 0; k < manner.slots.size(); ++k)
      slots.push_back(take(item.entry.name + "." + manner.slots[k],
                           item.store ? item.dtype : item.slots[static_cast<Size>(k)].dtype(),
                           item.store ? item.entry.value().shape() : item.slots[static_cast<Size>(k)].shape()));
    for (const char* number : manner.numbers) numbers.push_back(take(item.entry.name + "." + number, f64, {}).item());
  }
  std::vector<Tensor> shared;  // of the groups
  for (std::size_t g = 0; g < own.groups.size(); ++g)
    for (std::size_t k = 0; k < own.groups[g]->shared.size(); ++k) {
      const Tensor& held = own.groups[g]->shared[static_cast<Size>(k)];
      shared.push_back(take(shared_name(g, own.groups[g]->manner.shared[k]), held.dtype(), held.shape()));
    }
  const std::vector<Place*> around = saved(*own.rates);
  std::vector<Size> around_steps;
  std::vector<Tensor> around_slots, around_shared;
  for (std::size_t a = 0; a < around.size(); ++a) {
    const Place& place = *around[a];
    const std::string name = around_name(a, place, step_name);
    check_kind(name, saved_as(arounds, a));
    around_steps.push_back(checked_steps(place.rule->name(), name));
    for (std::size_t i = 0; i < own.items.size(); ++i)
      for (std::size_t k = 0; k < place.manner.slots.size(); ++k) {
        const Item& item = own.items[i];
        const Tensor* held = place.manner.after ? nullptr : &place.slots[i].begin()[k];
        around_slots.push_back(take(around_name(a, place, item.entry.name + "." + place.manner.slots[k]),
                                    held ? held->dtype() : item.dtype,
                                    held ? held->shape() : item.entry.value().shape()));
      }
    for (std::size_t k = 0; k < place.shared.size(); ++k) {
      const Tensor& held = place.shared.begin()[k];
      around_shared.push_back(take(around_name(a, place, place.manner.shared[k]), held.dtype(), held.shape()));
    }
  }
  if (!given.empty())
    broken(!saved_as(arounds, around.size()).empty()
               ? fmt::format("more stood around it than the {} with a state here", around.size())
               : given.begin()->first + " belongs to no parameter here");

  for (std::size_t g = 0; g < lr.size(); ++g) {
    rates[g].lr = lr[g];
    rates[g].base = base[g];
  }
  for (std::size_t i = 0; i < memories.size(); ++i) {
    restored[i]->memory = memories[i];
    for (std::size_t g = 0; g < factors[i].size(); ++g) rates[g].keep(restored[i]->number, factors[i][g]);
  }
  for (Rate& rate : rates)
    if (others) rate.lr = rate.base * rate.product();
  std::size_t next = 0, next_number = 0;
  for (std::size_t i = 0; i < own.items.size(); ++i) {
    Item& item = own.items[i];
    item.t = steps[i];
    for (double& number : item.numbers) number = numbers[next_number++];
    for (std::size_t k = 0; k < own.groups[static_cast<std::size_t>(item.group)]->manner.slots.size(); ++k, ++next) {
      item.store_slot(k, slots[next], source);
    }
  }
  next = 0;
  for (auto& group : own.groups)
    for (Tensor& value : group->shared) value = std::move(shared[next++]);
  next = 0;
  for (std::size_t a = 0; a < around.size(); ++a) {
    Place& place = *around[a];
    place.t = around_steps[a];
    // A rule that works before steps may have state when none was taken yet (Accumulate).
    for (std::size_t i = 0; i < place.begun.size(); ++i)
      place.begun[i] = place.manner.before || (place.t > 0 && (place.manner.sees_all || own.items[i].t > 0));
    for (std::size_t i = 0; i < own.items.size(); ++i)
      for (std::size_t k = 0; k < place.manner.slots.size(); ++k, ++next) {
        const Item& item = own.items[i];
        if (!place.manner.after) place.slots[i].begin()[k] = std::move(around_slots[next]);
        else if (item.n > 0)
          std::memcpy(place.slot(k, i, item.dtype), readable(around_slots[next], source),
                      static_cast<std::size_t>(item.n * item_size(item.dtype)));
      }
  }
  next = 0;
  for (Place* place : around)
    for (Tensor& value : place->shared) value = std::move(around_shared[next++]);
  own.best_is_back = false;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name_);
}

void Optimizer::save(const std::string& path, Source source) const try {
  write_safetensors(path, state(source), {{"optimizer", name_}}, source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name_);
}

void Optimizer::load(const std::string& path, Source source) try {
  const Safetensors file = read_safetensors(path, source);
  for (const auto& [key, value] : file.metadata)
    if (key == "optimizer" && value != name_)
      fail(source.named(name_), "{} holds the state of {}; build that optimizer", path, value);
  for (const auto& [entry, dtype] : file.unread)
    fail(source.named(name_), "{}: {} has the dtype {}, which no state has; it is another file", path, entry, dtype);
  load_state(file.tensors, source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, name_);
}

}  // namespace xgrad::optim
