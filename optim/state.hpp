// What an optimizer's sources know of it. Private to optim/.
#pragma once

#include <cstdlib>
#include <memory>
#include <vector>

#include <xgrad/optim/optimizer.hpp>
#include "optim/rates.hpp"

namespace xgrad::optim {

struct Optimizer::Item {
  Parameters::Entry entry;
  Size n;  // elements
  Size t;  // steps so far
  char* state;
  Size stride;  // bytes of a slot
  int group, slots;
  DType dtype;
};

struct Optimizer::State {
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  struct Group {
    std::unique_ptr<char, Free> state;  // of all its parameters
    std::vector<const char*> slots;
  };

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { rates->gone = true; }

  std::vector<Item> items;
  std::vector<Group> groups;
  engine::Ref<Rates> rates{new Rates};  // schedules hold it too, and see when the optimizer is gone
  // scratch of a step, kept so that a step allocates nothing
  std::vector<Work> work, blocks;
  std::vector<Item*> stepped;
  std::vector<Tensor> held;
};

}  // namespace xgrad::optim
