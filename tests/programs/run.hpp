// Running a program in several ways.
#pragma once

#include <stdexcept>

#include "program.hpp"

namespace programs {

// What a run leaves: values, evaluated and without history.
struct Trace {
  std::vector<Tensor> slots;        // of an eager run: all; else the outputs
  std::vector<Tensor> grads;        // of the loss and of what backward steps summed, by parameter
  double total = 0;                 // the loss and those sums
  std::vector<bool> requires_grad;  // of all slots
};

struct Manner {
  bool eager = false;
  int threads = 1;
  std::uint64_t actions = 0;        // seed of the reads, evaluations and drops between steps; 0: none, and all is kept
  const Trace* expected = nullptr;  // of an eager run: what is read on the way is compared with it

  // for differences: parameters are moved by `nudge` times these, and what is cut keeps these values
  double nudge = 0;
  const std::vector<Tensor>* direction = nullptr;
  const Trace* still = nullptr;

  bool gradients = true;
};

// A value that is not what was expected.
struct Mismatch : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Trace run(const Program& p, const Manner& m);

// The loss as a function of the value of one parameter.
Tensor loss_at(const Program& p, int parameter, const Tensor& value);
// The loss's second derivatives times a direction, by parameter: reverse over reverse.
Tensors second_gradients(const Program& p, const std::vector<Tensor>& direction);

// How x differs from y, bit for bit (all NaN are one); empty: not at all.
std::string difference(const Tensor& x, const Tensor& y);

}  // namespace programs
