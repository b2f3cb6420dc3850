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
#define COMPARE(op, ...) op,
#include "autodiff/elementwise.def"
#define UNARY(op, ...) op##_vjp,  // of x or y, and g: for derivatives that are not differentiated
#include "autodiff/elementwise.def"
  where,
  logical_and,
  logical_or,
  logical_not,
  cast,
#define VIEW(op) op,
#define REDUCTION(op, jvp) op,
#define BARRIER(op, jvp) op,
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

constexpr Kind kind_of(Op op) {
  if (op == Op::leaf) return Kind::leaf;
  if (op <= Op::cast) return Kind::elementwise;
  if (op <= Op::identity) return Kind::view;
  if (op <= Op::least) return Kind::reduction;
  return Kind::barrier;
}

// How a tangent goes through an op.
enum class Forward : std::uint8_t { slopes, linear, bilinear, transposed, rerun, none };

struct Node;
class Record;

// What a rule of many inputs need not work out again for each of them.
struct Memo {
  const Node* of = nullptr;
  Tensors parts;   // the cotangents of all inputs, where one call gives them
  Size along = 0;  // extents of the first `passed` inputs
  int passed = 0;
  Record* sweep = nullptr;  // that asks: what it wants, and what it has so far
};

// One op on the reverse sweep: a rule reads x(i), y and the cotangent g, and gives the cotangent of one input.
// Of x's shape or of any that x broadcasts to: the engine undoes broadcasting, and accumulates.
struct Step {
  Node* n;
  const Tensor& g;
  Memo* memo = nullptr;
  Tensor x(int i = 0) const;
  Tensor y() const;
  Size a(int i) const;
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
  Slope (*slope)(const Tensor& x, const Tensor& y, const Tensor& z, int i);  // elementwise: d(result)/d(input i)
  Tensor (*vjp)(const Step& step, int i);                                    // the others
  void (*compute)(Node* n);                                                  // barriers; of views: binds to the input
  kernels::SlopeOf slope_of = kernels::SlopeOf::other;                       // what <op>_vjp takes, where there is one
};

// Mutable so that the tests can break a rule and see it caught.
extern Rule rules[];
inline Rule& rule(Op op) { return rules[static_cast<int>(op)]; }

}  // namespace xgrad::engine
