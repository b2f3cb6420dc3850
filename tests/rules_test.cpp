// Is the sweep complete, and does it see? Every derivative rule is asked by a row; each is broken in turn, in every way
// that it can be, and a row that uses it must fail.
#include "sweep/rules.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <map>

#include "autodiff/engine/batch.hpp"
#include "autodiff/engine/node.hpp"
#include "sweep/row.hpp"

using namespace sweep;
using engine::Op;
using engine::Step;

namespace {

// All rows; their small cases, by the rules that they ask.
struct Table {
  std::vector<Row> rows;
  std::vector<Case> cases;
  std::map<Use, std::vector<const Case*>> users;

  Table() {
    for (auto list : {elementwise_rows(), select_rows(), reduction_rows(), shape_rows(), index_rows(), product_rows(),
                      custom_rows(), linalg_rows(), convolution_rows()})
      rows.insert(rows.end(), list.begin(), list.end());
    for (const Row& row : rows)
      for (Case& c : cases_of(row))
        if (!c.large() && c.layouts[0] == Layout::dense) cases.push_back(std::move(c));
    for (const Case& c : cases) {
      const Watched watched;
      check(c);
      for (const Use& use : watched.uses()) users[use].push_back(&c);
    }
  }
};
const Table& table() {
  static const Table t;
  return t;
}

bool has_derivative(const engine::Rule& rule) {
  return rule.slope || (rule.vjp && rule.forward != engine::Forward::none);
}

// Which case fails; null: none.
const Case* seen_by(const std::vector<const Case*>& cases) {
  for (const Case* c : cases)
    if (!check(*c).empty()) return c;
  return nullptr;
}

// Do the slopes of an elementwise op vary, by differences of its own row?
bool slopes_vary(const Use& use) {
  for (const Case* c : table().users.at(use))
    if (c->row->name == engine::rule(use.first).name && curved(*c)) return true;
  return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_op_has_rows) {
  std::size_t with = 0;
  for (int i = 1; i < static_cast<int>(Op::count); ++i) {
    const Op op = static_cast<Op>(i);
    const engine::Rule& rule = engine::rule(op);
    if (!has_derivative(rule)) continue;
    ++with;
    bool asked = false;
    for (int input = 0; input < 3; ++input) asked |= table().users.count({op, input}) > 0;
    BOOST_CHECK_MESSAGE(asked, "no row of sweep/ uses the derivative of " << rule.name << "; add one");
  }
  std::vector<Use> expected = {{Op::where, 1}, {Op::where, 2}, {Op::cast, 0}};
#define UNARY(op, ...) expected.push_back({Op::op, 0});
#define BINARY(op, ...) expected.push_back({Op::op, 0}), expected.push_back({Op::op, 1});
#define TERNARY(op, ...) \
  expected.push_back({Op::op, 0}), expected.push_back({Op::op, 1}), expected.push_back({Op::op, 2});
#define VIEW(op) expected.push_back({Op::op, 0});
#define REDUCTION(op, ...) expected.push_back({Op::op, 0});
#define BARRIER(op, ...) \
  if (has_derivative(engine::rule(Op::op))) expected.push_back({Op::op, 0});
#define AT_ONCE(op, ...) BARRIER(op)
#include "autodiff/elementwise.def"
#include "autodiff/structural.def"
  for (const Op op : {Op::matmul, Op::concat, Op::slice_add, Op::custom, Op::checkpoint, Op::convolution,
                      Op::convolution_transposed, Op::convolution_weight})
    expected.push_back({op, 1});
  for (const Use& use : expected)
    BOOST_CHECK_MESSAGE(table().users.count(use), "no row of sweep/ uses the derivative of " << name(use));
  std::printf("%zu ops with derivatives, %zu rules, %zu small cases\n", with, table().users.size(),
              table().cases.size());
}

BOOST_AUTO_TEST_CASE(the_table_is_right_as_it_is) { BOOST_TEST(seen_by({&table().cases[0]}) == nullptr); }

BOOST_AUTO_TEST_CASE(every_broken_rule_is_seen) {
  std::size_t faults = 0, equal = 0;
  for (const auto& [use, cases] : table().users)
    for (int f = 0; f < static_cast<int>(Fault::count); ++f) {
      const Fault fault = static_cast<Fault>(f);
      if (!is_fault_of(fault, engine::rule(use.first))) continue;
      const Case* seen = nullptr;
      bool changed = false;
      {
        const Broken broken(use, fault);
        seen = seen_by(cases);
        changed = broken.changed();
      }
      // a slope that is a number, or that does not vary, is as good without derivatives; 0 scaled or dropped is 0
      const bool slope = engine::rule(use.first).slope;
      // and what a bias is added to has the same sum in any order
      const bool summed = (use == Use{Op::matmul, 2} && fault == Fault::flipped) ||
                          ((use == Use{Op::convolution, 2} || use == Use{Op::convolution_transposed, 2}) &&
                           (fault == Fault::flipped || fault == Fault::reversed || fault == Fault::transposed));
      // the operand of these has been made symmetric, and so is its gradient
      const bool symmetric = (use.first == Op::cholesky || use.first == Op::eigh) && fault == Fault::transposed;
      // a softmax takes the same number off all cotangents of its result
      const bool taken_off = use == Use{Op::softmax_vjp, 1} && fault == Fault::shifted;
      if (!seen && (summed || symmetric || taken_off ||
                    (slope && (!changed || (fault == Fault::detached && !slopes_vary(use)))))) {
        ++equal;
        std::printf("  %s %s: the same rule\n", name(use).c_str(), name(fault));
        continue;
      }
      ++faults;
      BOOST_CHECK_MESSAGE(seen, name(use) << ", " << name(fault) << (changed ? ": no row sees it" : ": no row has it"));
    }
  std::printf("%zu faults, each seen; %zu would change nothing\n", faults, equal);
}

namespace {

Size axis_of(const Step& s) { return s.a(0); }
Shape axes_of(const Step& s) {
  Shape axes = s.n->shape;
  for (int i = 0; i < axes.rank(); ++i) axes[i] = reinterpret_cast<const signed char*>(s.n->a)[i];
  return axes;
}

// Rules as somebody might write them.
struct Mistake {
  const char* what;
  Op op;
  Tensor (*vjp)(const Step& s, int i);  // of one input
};
const Mistake* made = nullptr;
Tensors mistaken(const Step& s) {
  Tensors gx;
  for (int i = 0; i < s.n->inputs; ++i) gx.push_back(s.wants(i) ? made->vjp(s, i) : Tensor());
  return gx;
}
const Mistake mistakes[] = {
    {"softmax without its sum", Op::softmax, [](const Step& s, int) { return s.y() * s.g; }},
    {"log_softmax without its sum", Op::log_softmax, [](const Step& s, int) { return s.g; }},
    {"log_softmax without exp", Op::log_softmax, [](const Step& s, int) { return s.g - s.y() * sum(s.g, -1, true); }},
    {"log_softmax_at of the others alone", Op::log_softmax_at,
     [](const Step& s, int) { return -unsqueeze(s.g, -1) * softmax(s.x(0), -1); }},
    {"log_softmax_at without its second slope", Op::log_softmax_at_vjp,
     [](const Step& s, int i) {
       const Tensor p = softmax(s.x(1), -1), h = s.g - sum(s.g * p, -1, true);
       return i == 0 ? squeeze(gather(h, -1, unsqueeze(s.x(2), -1)), -1) : zeros_like(h);
     }},
    {"where without its mask", Op::where, [](const Step& s, int) { return s.g; }},
    {"where with the other mask", Op::where,
     [](const Step& s, int i) { return i == 2 ? where(s.x(0), s.g, 0) : where(s.x(0), 0, s.g); }},
    {"cumsum from the same end", Op::cumsum, [](const Step& s, int) { return cumsum(s.g, axis_of(s)); }},
    {"roll the same way", Op::roll, [](const Step& s, int) { return roll(s.g, s.a(1), axis_of(s)); }},
    {"permute by the same axes", Op::permute, [](const Step& s, int) { return permute(s.g, axes_of(s)); }},
    {"concat: the first part for all", Op::concat,
     [](const Step& s, int i) { return slice(s.g, axis_of(s), 0, s.x(i).size(axis_of(s))); }},
    {"slice: as if from the beginning", Op::slice,
     [](const Step& s, int) {
       const Size from = s.x().size(axis_of(s)), of = s.g.size(axis_of(s));
       return pad(s.g, axis_of(s), 0, from - of);
     }},
    {"index_select: the last of equals", Op::index_select,
     [](const Step& s, int) {
       const Size n = s.x().size(axis_of(s));
       return index_add(s.g, axis_of(s), s.x(1), n) / maximum(1, sum(one_hot(s.x(1), n, s.n->dtype)));
     }},
    {"greatest: to all", Op::greatest, [](const Step& s, int) { return expand(sum(s.g), s.x().shape()); }},
    {"matmul without transposes", Op::matmul,
     [](const Step& s, int i) { return i == 0 ? matmul(s.g, s.x(1)) : matmul(s.x(0), s.g); }},
    {"matmul in the other order", Op::matmul,
     [](const Step& s, int i) { return i == 0 ? matmul(transpose(s.x(1)), s.g) : matmul(s.g, transpose(s.x(0))); }},
    {"pad: what was put in front", Op::pad,
     [](const Step& s, int) { return slice(s.g, axis_of(s), 0, s.x().size(axis_of(s))); }},
};

}  // namespace

BOOST_AUTO_TEST_CASE(plausible_mistakes_are_seen) {
  for (const Mistake& m : mistakes) {
    std::vector<const Case*> cases;
    for (int input = 0; input < 3; ++input)
      if (const auto of = table().users.find({m.op, input}); of != table().users.end())
        cases.insert(cases.end(), of->second.begin(), of->second.end());
    made = &m;
    const auto right = std::exchange(engine::rule(m.op).vjp, mistaken);
    const Case* seen = seen_by(cases);
    engine::rule(m.op).vjp = right;
    BOOST_CHECK_MESSAGE(seen, m.what << ": no row sees it");
  }
}

namespace {

// A batch that comes out in another order, of examples or within them.
Tensor (*right_batch)(const engine::Replayed&) = nullptr;
bool batch_changed = false;
template <int axis>
Tensor rolled_batch(const engine::Replayed& r) {
  const Tensor y = right_batch(r);
  if (axis < 0 && y.dim() < 2) return y;
  const Tensor rolled =
      concat({slice(y, axis, 1), slice(y, axis, 0, 1)}, axis);  // twice is not the identity, as a flip's is
  if (y.numel() == 0 || all(rolled == y).item()) return y;
  batch_changed = true;
  return rolled;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_broken_batch_is_seen) {
  std::size_t faults = 0;
  for (const auto& [use, cases] : table().users) {
    if (!engine::rule(use.first).batch) continue;
    for (const auto broken : {rolled_batch<0>, rolled_batch<-1>}) {
      right_batch = std::exchange(engine::rule(use.first).batch, broken);
      batch_changed = false;
      bool seen = false;
      for (std::size_t i = 0; i < cases.size() && !seen; ++i) seen = !check_batched(*cases[i]).empty();
      engine::rule(use.first).batch = right_batch;
      if (!batch_changed) continue;  // its results are numbers, or alike
      ++faults;
      BOOST_CHECK_MESSAGE(seen, name(use) << (broken == rolled_batch<0> ? ", examples rolled" : ", last axis rolled")
                                          << ": no row sees it");
    }
  }
  std::printf("%zu faults of batches, each seen\n", faults);
}
