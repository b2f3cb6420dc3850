#include "autodiff/engine/trees.hpp"

#include <array>

namespace xgrad::engine {

namespace {

constexpr auto acts = [] {
  std::array<Acts, static_cast<std::size_t>(Op::count)> all{};
#define OF(op) all[static_cast<std::size_t>(Op::op)]
#define ONE(op) OF(op).straight = kernels::Act::op;
#define COMMUTES(op) OF(op).straight = OF(op).reversed = kernels::Act::op;
#define ORDERED(op) OF(op).straight = kernels::Act::op, OF(op).reversed = kernels::Act::op##_reversed;
#define PRODUCT(op) \
  OF(op).product = kernels::Act::op##_product, OF(op).product_reversed = kernels::Act::op##_product_reversed;
#include "autodiff/kernels/chain.def"
#undef OF
  return all;
}();

// The op whose slope `op` is, if they have a BESIDE row; else Op::leaf.
constexpr Op slope_of(Op op) {
  switch (op) {
// clang-format off
#define BESIDE(f, slope) case Op::slope: return Op::f;
// clang-format on
#include "autodiff/elementwise.def"
    default: return Op::leaf;
  }
}
constexpr bool has_slope(Op op) {
#define BESIDE(f, slope) \
  if (op == Op::f) return true;
#include "autodiff/elementwise.def"
  return false;
}

}  // namespace

const Acts& acts_of(Op op) { return acts[static_cast<std::size_t>(op)]; }

bool Values::is_product(const Node* n) const {
  if (!is_inner(n) || (n->op != Op::mul && n->op != Op::square) || is_inner(n->in[0])) return false;
  return n->op == Op::square || (!is_inner(n->in[1]) && !(is_number(n->in[0]) && is_number(n->in[1])));
}

void Values::number() {
  id_ = ++t_.walks;
  values_.clear();  // so that none is left of another region, should there be no memory
  values_.assign(count_, {});
  for (std::size_t i = 0; i < count_; ++i) {
    Node* n = nodes_[i];
    n->walked = id_;
    n->position = static_cast<std::int32_t>(i);
    n->users = 0;
    values_[i].alias = n->op == Op::reshape;
    for (int k = 0; k < n->inputs; ++k)
      if (mine(n->in[k])) ++n->in[k]->users;
  }
  for (std::size_t i = count_; i-- > 0;) {
    Node* n = nodes_[i];
    Value& v = values_[i];
    v.stored |= (!n->has(traced) && held_beside(n, n->users)) || n->has(wanted) || n->has(computed) ||
                kind_of(n->op) == Kind::reduction;
    if (v.alias && v.stored) values_[source(static_cast<int>(i))].stored = true;
  }
}

// A light op of one use, by a light op, is computed where that is.
void Values::find_trees() {
  constexpr int deepest = 64;  // the tree is visited by recursion
  for (std::size_t i = 0; i < count_; ++i) {
    const Node* n = nodes_[i];
    Value& v = values_[i];
    v.at = static_cast<int>(i);
    if (!is_light(n)) continue;
    for (int k = 0; k < n->inputs; ++k) {
      Node* u = n->in[k];
      if (!mine(u) || u->users != 1 || !is_light(u)) continue;
      Value& below = values_[place(u)];
      if (below.stored || below.depth == deepest) continue;
      below.inner = true;
      below.user = static_cast<int>(i);
      v.depth = std::max(v.depth, below.depth + 1);
    }
  }
  for (std::size_t i = count_; i-- > 0;)
    if (values_[i].inner) values_[i].at = values_[values_[i].user].at;
}

// f(x) and its slope of the same x are computed at once, where the first of them is. Backward the last f comes first.
void Values::find_slopes() {
  constexpr int most = 16;  // are looked at, so that the time stays linear
  int last = -1;            // of the functions that have no slope yet, each knowing the one before
  for (std::size_t i = 0; i < count_; ++i) {
    const Node* n = nodes_[i];
    if (is_number(n->in[0]) || !is_float(n->dtype)) continue;
    if (has_slope(n->op)) values_[i].before = last, last = static_cast<int>(i);
    const Op of = slope_of(n->op);
    if (of == Op::leaf) continue;
    int* link = &last;
    for (int k = 0; k < most && *link >= 0; ++k, link = &values_[*link].before) {
      const Node* f = nodes_[*link];
      if (f->op != of || f->in[0] != n->in[0]) continue;
      Value& v = values_[*link];
      v.slope = static_cast<int>(i);
      values_[i].as_slope = true;
      values_[i].at = v.at;
      *link = v.before;
      break;
    }
  }
}

void Values::find_uses() {
  for (std::size_t i = 0; i < count_; ++i) {
    if (values_[i].alias || values_[i].as_slope) continue;
    for (int k = 0; k < nodes_[i]->inputs; ++k) {
      if (!mine(nodes_[i]->in[k])) continue;
      Value& x = values_[source(place(nodes_[i]->in[k]))];
      ++x.uses;
      x.last = std::max(x.last, values_[i].at);
    }
  }
}

}  // namespace xgrad::engine
