// What an op is, for the engine: its kind, how to compute it, and its derivative.
#pragma once

#include <cstdint>

#include "autodiff/kernels/kernels.hpp"
#include <xgrad/autodiff/tensor.hpp>

namespace xgrad::engine {

enum class Op : std::uint8_t {
  leaf,  // numbers, a parameter's value
#define UNARY(op, ...) op,
#define BINARY(op, ...) op,
#define TERNARY(op, ...) op,
#define COMPARE(op, ...) op,
#include "autodiff/elementwise.def"
#define UNARY(op, ...) op##_vjp,  // of x or y, and g: for derivatives that are not differentiated
#include "autodiff/elementwise.def"
#define OTHER(op) op,
#include "autodiff/elementwise.def"
  cast,
#define VIEW(op) op,
#define REDUCTION(op, ...) op,
#define BARRIER(op, ...) op,
#define AT_ONCE(op, ...) op,
#include "autodiff/structural.def"
  count
};

// How the engine treats an op.
enum class Kind : std::uint8_t {
  leaf,
  elementwise,  // one number from one of each operand: fused
  view,         // no work
  reduction,    // a sink of a region
  barrier,      // between regions
};

inline constexpr Kind kinds[] = {
    Kind::leaf,
#define UNARY(op, ...) Kind::elementwise,
#define BINARY(op, ...) Kind::elementwise,
#define TERNARY(op, ...) Kind::elementwise,
#define COMPARE(op, ...) Kind::elementwise,
#include "autodiff/elementwise.def"
#define UNARY(op, ...) Kind::elementwise,
#include "autodiff/elementwise.def"
#define OTHER(op) Kind::elementwise,
#include "autodiff/elementwise.def"
    Kind::elementwise,
#define VIEW(op) Kind::view,
#define REDUCTION(op, ...) Kind::reduction,
#define BARRIER(op, ...) Kind::barrier,
#define AT_ONCE(op, ...) Kind::barrier,
#include "autodiff/structural.def"
};
static_assert(sizeof kinds / sizeof *kinds == static_cast<std::size_t>(Op::count));
constexpr Kind kind_of(Op op) { return kinds[static_cast<int>(op)]; }

constexpr bool is_comparison(Op op) {
#define COMPARE(name, ...) \
  if (op == Op::name) return true;
#include "autodiff/elementwise.def"
  return false;
}

// The kernels of an elementwise op, for operands of a dtype: by which of them are one number (kernels.hpp).
constexpr kernels::Elementwise lanes_of(Op op) { return static_cast<kernels::Elementwise>(static_cast<int>(op) - 1); }
static_assert(lanes_of(Op::logical_not) == kernels::Elementwise::logical_not &&
              lanes_of(Op::add) == kernels::Elementwise::add);
inline const kernels::Kernel* kernels_of(const kernels::Table& t, Op op, DType dtype) {
  return t.elementwise[static_cast<int>(lanes_of(op))][static_cast<int>(dtype)];
}

// A reduction as the kernels know it, and the op that combines two numbers as it does.
constexpr kernels::Reduction reduction_of(Op op) {
  switch (op) {
// clang-format off
#define REDUCTION(name, ...) case Op::name: return kernels::Reduction::name;
// clang-format on
#include "autodiff/structural.def"
    default: return kernels::Reduction::count;
  }
}
constexpr Op combining(kernels::Reduction r) {
  switch (r) {
// clang-format off
#define REDUCTION(name, jvp, two) case kernels::Reduction::name: return Op::two;
// clang-format on
#include "autodiff/structural.def"
    default: return Op::leaf;
  }
}

// How a tangent goes through an op.
enum class Forward : std::uint8_t { slopes, linear, bilinear, transposed, own, none };

struct Node;
struct Replayed;
class Sweep;

// One op on the reverse sweep: a rule reads x(i), y and the cotangent g, and gives the cotangents of all inputs in one
// call; empty, or not in the list: zero, or not wanted. Each is of its input's shape or of any that the input broadcasts
// to: the engine undoes broadcasting, and accumulates.
struct Step {
  Node* n;
  const Tensor& g;
  Sweep* sweep = nullptr;  // that asks; null: a call for one input
  int only = -1;           // which; -1: all
  Tensor x(int i = 0) const;
  Tensor y() const;
  Size a(int i) const;
  Source source() const;  // the op's line
  bool wants(int i) const;
};

// The cotangent of one use of a tensor by an op that has a PARTS row.
struct Part {
  Node* n;  // the use
  Tensor g;
  std::int32_t before;  // of the same tensor; -1: none
};

// A factor of a derivative: a number, where that is all it is, or a tensor.
struct Slope {
  Slope(int v) : number(v) {}
  Slope(double v) : number(v) {}
  Slope(Tensor t) : tensor(std::move(t)) {}
  double number = 0;
  Tensor tensor;  // empty: the number
};

struct Rule {
  const char* name;
  Kind kind;
  Forward forward;
  Slope (*slope)(const Tensor& x, const Tensor& y, const Tensor& z,
                 int i);                            // elementwise: d(z)/d(input i); of one input y is z
  Tensors (*vjp)(const Step& step);                 // the others
  void (*compute)(Node* n);                         // barriers; of views: binds to the input
  Tensor (*jvp)(Node* n, const Tensors& tangents);  // Forward::own: empty tangents are zero
  Tensor (*batch)(const Replayed& r);               // for many examples: see batch.hpp
  bool at_once = false;                             // it can fail on values: never waits
  Tensor (*gather)(const Part* const* parts,
                   std::size_t count) = nullptr;        // the cotangent of a tensor, of its uses in order
  kernels::SlopeOf slope_of = kernels::SlopeOf::other;  // what <op>_vjp takes, where there is one
};

// Mutable so that the tests can break a rule and see it caught.
extern Rule rules[];
inline Rule& rule(Op op) { return rules[static_cast<int>(op)]; }

}  // namespace xgrad::engine
