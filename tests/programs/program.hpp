// A program: a list of ops, as data, so that it can be run in several ways, printed and made shorter.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>

namespace programs {

using namespace xgrad;

using Run = std::function<Tensor(const Tensors& in)>;

// Step i gives slot i.
struct Step {
  enum class Role {
    op,
    read,      // of a parameter
    assign,    // stores slot in[0] in a parameter, and reads it
    backward,  // of sum(in[0]), the record kept, once or twice; reads the gradient of a parameter
    copy,      // of a parameter, in which twice its value is stored; reads it
    move,      // of a parameter, there and back; reads it
  };
  Role role = Role::op;
  std::string text;     // as a person would write it
  std::vector<int> in;  // slots
  DType dtype = f32;    // of the result: worked out here, not by the library
  Shape shape;
  Run run;             // of an op
  int parameter = -1;  // of the other roles
  int times = 1;       // of backward
  bool no_grad = false;
  bool cut = false;      // no derivative leads through here: differences hold its value still
  bool depends = false;  // its value depends on parameters, but for what is cut
};

struct Program {
  std::uint64_t seed = 0;
  bool smooth = false;             // f64, and differentiable everywhere it goes
  std::vector<Tensor> parameters;  // their first values
  std::vector<Step> steps;
  std::vector<int> outputs;  // slots that are compared at the end
  int loss = -1;             // a slot of one float; -1: none

  bool has(Step::Role role) const;
  const Step& at(int slot) const { return steps[static_cast<std::size_t>(slot)]; }
};

std::string to_string(const Program& p);  // one step a line

// A shorter program that fails too: steps give way to their values, and what nobody uses goes.
using Check = std::function<std::string(const Program&)>;  // what is wrong; empty: nothing
Program shortened(Program p, const Check& check, const std::vector<Tensor>& values);

// The gradients of y; zeros where it has no history, of which grad() may say that it was lost.
inline Tensors gradients_or_zeros(const Tensor& y, const Tensors& x, bool create_graph = false) {
  if (y.requires_grad()) return grad(y, x, {.create_graph = create_graph, .allow_unused = true});
  Tensors zero;
  for (const Tensor& t : x) zero.push_back(zeros_like(t));
  return zero;
}
inline Tensors gradients_or_zeros(const Tensor& y, const Parameters& x, bool create_graph = false) {
  Tensors values;
  for (const Tensor& value : x) values.push_back(value);
  return gradients_or_zeros(y, values, create_graph);
}

}  // namespace programs
