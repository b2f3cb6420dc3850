// What an optimizer's sources know of it. Private to optim/.
#pragma once

#include <cstdlib>
#include <memory>
#include <vector>

#include <xgrad/autodiff/fused.hpp>
#include <xgrad/optim/optimizer.hpp>
#include "optim/rates.hpp"

namespace xgrad::optim {

// State of a group's parameters of one dtype, in memory: of each slot all parameters' numbers side by side, so that an
// elementwise formula runs over them as over one.
struct Store {
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  std::unique_ptr<char, Free> memory;
  Size stride = 0;  // bytes of a slot

  void take(Size slots, const char* name, Source source) { memory.reset(zeroed(name, stride * slots, source)); }
  static char* zeroed(const char* name, Size bytes, Source source);
};

constexpr Size alignment = 64;  // bytes: a parameter's part of a slot begins on a cache line
constexpr Size padded(Size bytes) { return (bytes + alignment - 1) / alignment * alignment; }

struct Optimizer::Item {
  Parameters::Entry entry;
  Size n;  // elements
  Size t;  // steps so far
  int group;
  DType dtype;
  Size at;                            // bytes, in each slot of its store
  Store* store;                       // null: its slots are tensors
  Tensors slots;                      // of a rule that is not elementwise
  Tensor trained;                     // while it is evaluated: the weights that are trained
  std::vector<double> numbers, next;  // those of the rule, and what they are after this step
  Tensor curvature;                   // in a step that wants it
  void store_slot(std::size_t k, const Tensor& numbers, Source source);
  char* slot(std::size_t k) const { return store->memory.get() + static_cast<Size>(k) * store->stride + at; }
};

// What a rule keeps is saved by name, beside "step": an Error where a name is there twice.
void check_names(const char* rule, std::initializer_list<std::vector<const char*>> lists, Source source);

struct Optimizer::State {
  struct Group {
    Manner manner;
    Store stores[2];  // of f32, f64
    // An elementwise rule's formula as the last steps had it, by dtype, one for each count that parameters are at.
    std::vector<std::unique_ptr<Fused>> formulas[2];
    Tensors shared;
  };

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    rates->gone = true;
    rates->around.clear();
  }

  std::vector<Item> items;
  std::vector<std::unique_ptr<Group>> groups;
  engine::Ref<Rates> rates{new Rates};  // schedules hold it too, and see when the optimizer is gone
  Size steps = 0;                       // that were taken
  bool evaluating = false;
  bool best_is_back = false;
  bool options_may_have_changed = false;
  bool has_loss = false;  // the next step was told it
  double loss = 0;
  void forget_loss() noexcept;
  struct ForgetLoss {
    State* state;
    ~ForgetLoss() { state->forget_loss(); }
  };
  // scratch of a step, kept so that a step allocates nothing
  std::vector<Work> work, blocks;
  std::vector<Item*> stepped;
  std::vector<Tensor> held;
};

}  // namespace xgrad::optim
