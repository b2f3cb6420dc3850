#include "sweep/rules.hpp"

#include <fmt/format.h>

#include <vector>

#include <xgrad/autodiff.hpp>
#include "autodiff/engine/node.hpp"

namespace sweep {

using namespace xgrad;
using engine::Forward;
using engine::Op;
using engine::Rule;
using engine::Slope;
using engine::Step;

namespace {

constexpr int op_count = static_cast<int>(Op::count);

// Rules are plain functions: what is done to them is kept here.
struct {
  std::vector<Rule> right;
  std::set<Use> uses;
} watched;

Slope watched_slope(const Tensor& x, const Tensor& y, const Tensor& z, int i) {
  const Op op = z.node()->op;
  watched.uses.insert({op, i});
  return watched.right[static_cast<std::size_t>(op)].slope(x, y, z, i);
}
Tensors watched_vjp(const Step& s) {
  const Tensors v = watched.right[static_cast<std::size_t>(s.n->op)].vjp(s);
  for (int i = 0; i < s.n->inputs && i < static_cast<int>(v.size()); ++i)
    if (v[static_cast<std::size_t>(i)].defined() && s.wants(i)) watched.uses.insert({s.n->op, i});
  return v;
}

struct {
  Rule right;
  int input;
  Fault fault;
  bool changed;
} broken;

Slope broken_slope(const Tensor& x, const Tensor& y, const Tensor& z, int i) {
  if (i != broken.input) return broken.right.slope(x, y, z, i);
  if (broken.fault == Fault::detached) {
    const Slope s = broken.right.slope(x, y, z, i);
    if (!s.tensor.defined() || !s.tensor.requires_grad()) return s;
    broken.changed = true;
    return s.tensor.detach();
  }
  const Slope s = broken.right.slope(x, y, z, i);
  const bool none = !s.tensor.defined() && s.number == 0;
  if (none && broken.fault != Fault::shifted) return s;
  broken.changed = true;
  if (broken.fault == Fault::dropped) return 0;
  if (broken.fault == Fault::scaled) return s.tensor.defined() ? Slope(s.tensor * 1.01) : Slope(s.number * 1.01);
  return s.tensor.defined() ? Slope(s.tensor + 0.01) : Slope(s.number + 0.01);
}

// A cotangent in the wrong place; empty: it has no such place.
Tensor displaced(const Tensor& v, Fault fault) {
  const int rank = v.dim();
  if (rank == 0 || v.numel() < 2) return {};
  if (fault == Fault::flipped) return v.size(0) > 1 ? flip(v, 0) : Tensor();
  if (fault == Fault::reversed) return v.size(-1) > 1 ? flip(v, -1) : Tensor();
  if (fault == Fault::incomplete) return pad(slice(v, 0, 0, v.size(0) - 1), 0, 0, 1);
  return rank > 1 && v.size(-1) == v.size(-2) && v.size(-1) > 1 ? transpose(v) : Tensor();
}

Tensor spoilt(const Tensor& v) {
  if (broken.fault == Fault::detached) {
    broken.changed = true;
    return v.detach();
  }
  if (broken.fault == Fault::scaled || broken.fault == Fault::shifted || broken.fault == Fault::dropped) {
    broken.changed = true;
    return broken.fault == Fault::dropped ? Tensor() : broken.fault == Fault::scaled ? v * 1.01 : v + 0.01;
  }
  const Tensor moved = displaced(v, broken.fault);
  if (moved.defined()) broken.changed = true;
  return moved.defined() ? moved : v;
}
Tensors broken_vjp(const Step& s) {
  Tensors v = broken.right.vjp(s);
  const auto i = static_cast<std::size_t>(broken.input);
  if (i < v.size() && v[i].defined()) v[i] = spoilt(v[i]);
  return v;
}

}  // namespace

std::string name(const Use& use) { return fmt::format("{}, input {}", engine::rule(use.first).name, use.second); }

const char* name(Fault fault) {
  constexpr const char* names[] = {"scaled",   "shifted",    "dropped",    "detached",    "flipped",
                                   "reversed", "transposed", "incomplete", "as if linear"};
  return names[static_cast<int>(fault)];
}

bool is_fault_of(Fault fault, const Rule& rule) {
  const bool custom = rule.compute == engine::rule(Op::custom).compute;  // it cannot be recorded again
  if (fault == Fault::pushed_as_if_linear)
    return !custom && (rule.forward == Forward::bilinear || rule.forward == Forward::transposed);
  return fault < Fault::flipped || rule.vjp;
}

Watched::Watched() {
  watched.right.assign(engine::rules, engine::rules + op_count);
  watched.uses.clear();
  for (int op = 0; op < op_count; ++op) {
    Rule& rule = engine::rules[op];
    if (rule.slope) rule.slope = watched_slope, rule.slope_of = kernels::SlopeOf::other;
    if (rule.vjp) rule.vjp = watched_vjp;
  }
}
Watched::~Watched() {
  for (int op = 0; op < op_count; ++op) engine::rules[op] = watched.right[static_cast<std::size_t>(op)];
}
const std::set<Use>& Watched::uses() const { return watched.uses; }

Broken::Broken(const Use& use, Fault fault) : op_(use.first), right_(engine::rule(use.first)) {
  broken.right = right_;
  broken.input = use.second;
  broken.fault = fault;
  broken.changed = false;
  Rule& rule = engine::rule(op_);
  if (fault == Fault::pushed_as_if_linear) {
    rule.forward = Forward::linear;
    broken.changed = true;
  } else if (rule.slope) {
    rule.slope = broken_slope;
    rule.slope_of = kernels::SlopeOf::other;  // its kernel is not in the way
  } else {
    rule.vjp = broken_vjp;
  }
}
Broken::~Broken() { engine::rule(op_) = right_; }
bool Broken::changed() const { return broken.changed; }

}  // namespace sweep
