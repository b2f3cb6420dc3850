// Where the operands and results of a region's instructions are: in memory, or in blocks of scratch.
#pragma once

#include "autodiff/engine/nodes.hpp"
#include "autodiff/engine/program.hpp"
#include "autodiff/engine/trees.hpp"

namespace xgrad::engine {

inline constexpr Size gap = 320;  // blocks a multiple of 4,096 bytes apart are slow: the processor mixes them up

struct Loaded {
  Node* node;
  const Shape* shape;
  int last;
  int scratch;
};
// Kept from region to region.
struct Scratch {
  std::vector<Value> values;
  std::vector<Loaded> loads;
  std::vector<int> free;
  std::vector<Node*> stored;
};

// The values of a region, and the blocks of scratch that they take and give back as its program is written.
class Operands : protected Values {
 protected:
  Operands(ThreadState& t, Node* const* nodes, std::size_t count, Program& program, Scratch& scratch)
      : Values(t, nodes, count, scratch.values), program_(program), scratch_(scratch) {}

  void begin() {
    loads_.clear();
    free_.clear();
    program_.code.clear();
    program_.layouts.clear();
    program_.steps.clear();
    program_.scratch = 0;
    program_.blocking = {};
    Size item = 1;
    for (std::size_t i = 0; i < count_; ++i) {
      const Node* n = nodes_[i];
      item = std::max(item, item_size(n->dtype));
      for (int k = 0; k < n->inputs; ++k) item = std::max(item, item_size(n->in[k]->dtype));
      if (kind_of(n->op) != Kind::reduction) program_.count = n->count;
    }
    program_.scratch_bytes = chunk * item + gap;
  }

  int take_scratch() {
    if (free_.empty()) return program_.scratch++;
    const int s = free_.back();
    free_.pop_back();
    return s;
  }

  // Where operand x of n is; a broadcast or strided one is loaded.
  Place operand(Node* x, Node* n, int at) {
    if (mine(x)) {
      const Value& v = values_[source(place(x))];
      if (v.memory) return {v.memory, item_size(x->dtype), -1};
      return {nullptr, 0, v.scratch};
    }
    if (is_number(x) && n->op != Op::cast) return {x->data, 0, -1};
    if (x->count == n->count && x->row_major()) return {x->data, item_size(x->dtype), -1};
    if (const Loaded* l = loaded(x, n)) return {nullptr, 0, l->scratch};
    const int scratch = take_scratch();
    loads_.push_back({x, &n->shape, last_load(x, n->shape, at), scratch});
    Instruction load{Do::load, x->dtype, 0};
    load.out.scratch = scratch;
    load.in[0].base = x->data;
    load.layout = static_cast<int>(program_.layouts.size());
    program_.layouts.push_back(broadcast_layout(x, n->shape));
    program_.code.push_back(load);
    return load.out;
  }
  const Loaded* loaded(const Node* x, const Node* n) const {
    for (const Loaded& l : loads_)
      if (l.node == x && *l.shape == n->shape) return &l;
    return nullptr;
  }
  bool needs_load(const Node* x, const Node* n) const {
    return !is_number(x) && !(x->count == n->count && x->row_major()) && !loaded(x, n);
  }
  int last_load(Node* x, const Shape& shape, int at) const {
    int last = at;
    for (std::size_t i = static_cast<std::size_t>(at); i < count_; ++i) {
      const Node* n = nodes_[i];
      if (values_[i].alias || kind_of(n->op) == Kind::reduction) continue;
      for (int k = 0; k < n->inputs; ++k)
        if (n->in[k] == x && n->shape == shape) last = std::max(last, values_[i].at);
    }
    return last;
  }

  void let_go(int at) {
    for (std::size_t k = 0; k < loads_.size();) {
      if (loads_[k].last <= at) {
        free_.push_back(loads_[k].scratch);
        loads_[k] = loads_.back();
        loads_.pop_back();
      } else {
        ++k;
      }
    }
  }
  void let_go_of(Node* x, int at) {
    if (!mine(x)) return;
    Value& v = values_[source(place(x))];
    if (v.last == at && v.scratch >= 0) {
      free_.push_back(v.scratch);
      v.last = -2;  // its scratch is given back once
    }
  }

  Place use(Node* x, Node* n, int at) {
    if (mine(x)) --values_[source(place(x))].uses;
    return operand(x, n, at);
  }

  // Where the value of node i goes.
  Place result(int i) {
    Value& v = values_[i];
    if (v.memory) return {v.memory, item_size(nodes_[i]->dtype), -1};
    v.scratch = take_scratch();
    if (v.last < 0) free_.push_back(v.scratch);
    return {nullptr, 0, v.scratch};
  }

  Program& program_;
  Scratch& scratch_;
  std::vector<Loaded>& loads_ = scratch_.loads;
  std::vector<int>& free_ = scratch_.free;
};

}  // namespace xgrad::engine
