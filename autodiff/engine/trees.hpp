// What the nodes of a region are to each other: trees of light ops, which run in chains, and the uses of each value.
#pragma once

#include <vector>

#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

// The steps that do a light op on the running value a: op(a, x), op(x, a), op(a, x y), op(x y, a).
struct Acts {
  kernels::Act straight{}, reversed{}, product{}, product_reversed{};  // Act::none: there is no such step
};
const Acts& acts_of(Op op);
inline bool is_light(const Node* n) { return is_float(n->dtype) && acts_of(n->op).straight != kernels::Act::none; }

struct Value {
  bool stored = false;
  bool alias = false;     // a reshape: the numbers of its input
  bool inner = false;     // of a tree of light ops, but not its root: its one use is in the same chain
  int depth = 0;          // of the tree below
  int user = -1;          // of an inner one
  int slope = -1;         // the node that is this one's slope, and is computed with it
  int before = -1;        // of those that look for a slope: the one before
  bool as_slope = false;  // is computed with what it is the slope of
  int at = -1;            // the position where it is computed: its tree's root
  int last = -1;          // position of the last use
  int uses = 0;           // to come
  int scratch = -1;
  char* memory = nullptr;
};

// Nodes in order of recording, and a Value for each.
class Values {
 public:
  Values(ThreadState& t, Node* const* nodes, std::size_t count, std::vector<Value>& values)
      : t_(t), nodes_(nodes), count_(count), values_(values) {}

 protected:
  void look() {
    number();
    find_trees();
    find_slopes();
    find_uses();
  }

  bool mine(const Node* n) const { return n->data == nullptr && n->walked == id_; }
  int place(const Node* n) const { return n->position; }
  int source(int i) const {  // through reshapes
    while (values_[i].alias) i = place(nodes_[i]->in[0]);
    return i;
  }
  bool is_inner(const Node* n) const { return mine(n) && values_[place(n)].inner; }
  bool is_product(const Node* n) const;  // x y as a step's operand

  ThreadState& t_;
  Node* const* nodes_;
  const std::size_t count_;
  std::vector<Value>& values_;

 private:
  void number();
  void find_trees();
  void find_slopes();
  void find_uses();

  std::uint64_t id_ = 0;
};

}  // namespace xgrad::engine
