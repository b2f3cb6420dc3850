// The table of derivative rules, watched and broken.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "autodiff/engine/op.hpp"

namespace sweep {

// The rule of an op for one of its inputs.
using Use = std::pair<xgrad::engine::Op, int>;
std::string name(const Use& use);

// While it lives, notes which rules are asked.
class Watched {
 public:
  Watched();
  ~Watched();
  Watched(const Watched&) = delete;
  const std::set<Use>& uses() const;
};

// What can be wrong with a rule.
enum class Fault {
  scaled,               // by 1.01
  shifted,              // by 0.01
  dropped,              // no cotangent
  detached,             // right, but without derivatives of its own
  flipped,              // along the first axis
  reversed,             // along the last
  transposed,           // where the last two axes are alike
  incomplete,           // 0 in the last place of the first axis
  pushed_as_if_linear,  // a tangent goes through as through a linear op
  count
};
const char* name(Fault fault);
bool is_fault_of(Fault fault, const xgrad::engine::Rule& rule);

// While it lives, a rule has a fault.
class Broken {
 public:
  Broken(const Use& use, Fault fault);
  ~Broken();
  Broken(const Broken&) = delete;
  bool changed() const;  // did it change anything?

 private:
  xgrad::engine::Op op_;
  xgrad::engine::Rule right_;
};

}  // namespace sweep
