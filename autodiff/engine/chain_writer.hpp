// Writes the chains of a region: its trees of light ops, as steps on a running value (kernels.hpp).
#pragma once

#include <algorithm>
#include <utility>

#include "autodiff/engine/operands.hpp"

namespace xgrad::engine {

class ChainWriter : protected Operands {
 protected:
  using Operands::Operands;

  bool is_running(const Node* n) const { return running_ >= 0 && mine(n) && source(place(n)) == running_; }

  // Operands that are loaded are loaded before the chain.
  void load_operands(int i) {
    Node* n = nodes_[i];
    for (int k = 0; k < n->inputs; ++k) {
      if (mine(n->in[k])) {
        if (values_[place(n->in[k])].inner) load_operands(place(n->in[k]));
      } else if (needs_load(n->in[k], n)) {
        close_chain();
        operand(n->in[k], n, values_[i].at);
      }
    }
  }

  void emit_tree(int i) {
    Node* n = nodes_[i];
    load_operands(i);
    if (chain_ >= 0 && chain_dtype_ != n->dtype) close_chain();
    open_chain(n->dtype);
    compute(i);
    running_ = i;
    saved_ = false;
    if (values_[i].memory) save();
    let_go_of_tree(i, i);
    let_go(i);
  }

  // Makes the running value that of node i.
  void compute(int i) {
    Node* n = nodes_[i];
    Node *a = n->in[0], *b = n->in[1];
    const Acts& acts = acts_of(n->op);
    if (n->inputs == 1) return take(a, n), step(acts.straight);
    bool reversed = false;
    const auto swap = [&] { std::swap(a, b), reversed = !reversed; };
    const bool products = acts.product != kernels::Act::none;
    if (products && !is_product(b) && is_product(a)) swap();
    if (products && is_product(b)) {
      Node *x = b->in[0], *y = b->op == Op::square ? x : b->in[1];
      if (is_number(x)) std::swap(x, y);
      take(a, n);
      const Place at_x = use(x, b, values_[i].at);
      return step(reversed ? acts.product_reversed : acts.product, at_x, y == x ? at_x : use(y, b, values_[i].at));
    }
    if (is_inner(b)) {
      if (is_inner(a)) {
        compute(place(b));
        const Place kept{nullptr, 0, take_scratch()};
        program_.steps.back().store(located(kept));
        compute(place(a));
        step(reversed ? acts.reversed : acts.straight, kept);
        return free_.push_back(kept.scratch);
      }
      swap();
    } else if (!is_inner(a) && (is_running(b) || (is_number(a) && !mine(a)))) {
      swap();
    }
    take(a, n);
    step(reversed ? acts.reversed : acts.straight, use(b, n, values_[i].at));
  }

  // The next step begins with x.
  void take(Node* x, Node* n) {
    if (is_inner(x)) return compute(place(x));
    if (is_running(x)) --values_[running_].uses;
    else first_ = located(use(x, n, values_[place(n)].at));
    // The running value goes: it is stored where it will be used again.
    if (running_ >= 0 && !saved_ && values_[running_].uses > 0) save();
    running_ = -1;
  }
  void save() {
    program_.steps.back().store(located(result(running_)));
    saved_ = true;
  }

  kernels::Spot located(const Place& p) const {
    using kernels::From;
    if (p.scratch >= 0) return {From::scratch, p.scratch * program_.scratch_bytes};
    return {!p.base ? From::none : p.step == 0 ? From::number : From::memory, reinterpret_cast<std::intptr_t>(p.base)};
  }
  void step(kernels::Act act, const Place& x = {}, const Place& y = {}) {
    program_.steps.emplace_back(act, first_, located(x), located(y), kernels::Spot{});
    first_ = {};
  }

  void open_chain(DType dtype) {
    if (chain_ >= 0) return;
    chain_ = static_cast<int>(program_.steps.size());
    chain_dtype_ = dtype;
    running_ = -1;
    sums_ = 0;
  }
  void close_chain() {
    if (chain_ < 0) return;
    if (running_ >= 0 && !saved_ && values_[running_].uses > 0) save();
    step(kernels::Act::end);
    Instruction chain{Do::chain, chain_dtype_, 0};
    chain.step = chain_;
    program_.code.push_back(chain);
    chain_ = -1;
  }

  void let_go_of_tree(int i, int at) {
    for (int k = 0; k < nodes_[i]->inputs; ++k) {
      Node* x = nodes_[i]->in[k];
      if (is_inner(x)) let_go_of_tree(place(x), at);
      else let_go_of(x, at);
    }
  }

  // The chain that is being written.
  int chain_ = -1;  // its first step; -1: none
  DType chain_dtype_ = DType::f32;
  kernels::Spot first_;  // what the next step begins with, if not the running value
  int running_ = -1;     // the node that the running value is of; -1: none that is needed
  bool saved_ = false;   // it lies elsewhere, too
  int sums_ = 0;         // of the chain
};

}  // namespace xgrad::engine
