// The table of the gradient sweep: every op in every way that it is called, and where its operands are taken from.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>

namespace sweep {

using namespace xgrad;

// What an operand's numbers are drawn from: points of a lattice of its own, so that operands never meet.
struct Domain {
  double low = -2, high = 2;
  bool distinct = false;  // no two alike within the operand, for ops that compare its elements
};

using Shapes = std::vector<Shape>;  // one an operand

// Shapes that an op refuses, with an Error that the sweep sees thrown.
struct Refusal {
  std::function<bool(const Shape&)> of;  // the first operand's
  const char* reason;
};

struct Row {
  std::string name;
  std::function<Tensor(const Tensors&)> f;
  std::vector<Domain> domains;  // one an operand
  std::vector<Shapes> shapes;
  std::vector<Refusal> refused = {};
  const char* no_repeats = nullptr;  // why operands whose elements repeat one number are left out
};

// Of every rank, empty ones among them; those of more than 1,024 elements are computed in regions.
std::vector<Shape> standard_shapes();
// Pairs that broadcast.
std::vector<Shapes> broadcast_pairs();

std::vector<Row> elementwise_rows();  // all of elementwise.def, however many
std::vector<Row> select_rows();       // where, cast, clamp, the operators
std::vector<Row> reduction_rows();
std::vector<Row> shape_rows();
std::vector<Row> index_rows();
std::vector<Row> product_rows();
std::vector<Row> custom_rows();
std::vector<Row> linalg_rows();
std::vector<Row> convolution_rows();

// Where an operand's numbers lie.
enum class Layout {
  dense,
  permuted,  // read along its axes in reverse: of rank 2 or more
  sliced,    // every other number of a larger tensor, NaN between
  expanded,  // one row, repeated along the first axis by a stride of 0
  uniform,   // one number and a shape
  pending,   // the result of another op
};

// A row, at one of its shapes, with its operands in these layouts.
struct Case {
  const Row* row;
  Shapes shapes;
  std::vector<Layout> layouts;
  std::string name() const;
  bool large() const;  // more elements than are computed at once
};
std::vector<Case> cases_of(const Row& row);

// What is wrong with a case; empty: nothing. Results, first and second derivatives, reverse and forward, in f64 against
// central differences and against each other, and in f32 against f64.
std::string check(const Case& c);

// Likewise of many examples at once: what vmap gives, for every choice of operands that are the same for all, against a
// loop over the examples. Results, gradients and tangents taken inside, second derivatives, and gradients through vmap.
std::string check_batched(const Case& c);

// Is a second derivative of the row other than 0, by differences, at this case?
bool curved(const Case& c);

}  // namespace sweep
