// The table of all ops, from the two lists of them.
#include "autodiff/engine/op.hpp"

namespace xgrad::engine {

#define UNARY(op, ...) Slope slope_##op(const Tensor& x, const Tensor& y, const Tensor& z, int i);
#define BINARY(op, ...) Slope slope_##op(const Tensor& x, const Tensor& y, const Tensor& z, int i);
#define TERNARY(op, ...) Slope slope_##op(const Tensor& x, const Tensor& y, const Tensor& z, int i);
#include "autodiff/elementwise.def"
#define VIEW(op) void compute_##op(Node*); Tensors vjp_##op(const Step&);
#define REDUCTION(op, ...) Tensors vjp_##op(const Step&);
#define BARRIER(op, ...) void compute_##op(Node*); Tensors vjp_##op(const Step&); Tensor jvp_##op(Node*, const Tensors&);
#define AT_ONCE(op, ...) void compute_##op(Node*); Tensors vjp_##op(const Step&); Tensor jvp_##op(Node*, const Tensors&);
#include "autodiff/structural.def"
Tensors vjp_where(const Step&);
Tensors vjp_cast(const Step&);

// What an op has of its own, by how a tangent goes through it.
#define VJP_linear(op) vjp_##op
#define VJP_bilinear(op) vjp_##op
#define VJP_transposed(op) vjp_##op
#define VJP_own(op) vjp_##op
#define VJP_none(op) nullptr
#define JVP_linear(op) nullptr
#define JVP_bilinear(op) nullptr
#define JVP_transposed(op) nullptr
#define JVP_none(op) nullptr
#define JVP_own(op) jvp_##op

constinit Rule rules[] = {
    {"leaf", Kind::leaf, Forward::none, nullptr, nullptr, nullptr, nullptr},
#define UNARY(op, lane, slope, ...) \
    {#op, Kind::elementwise, Forward::slopes, slope_##op, nullptr, nullptr, nullptr, false, kernels::slope_of(#slope)},
#define BINARY(op, ...) {#op, Kind::elementwise, Forward::slopes, slope_##op, nullptr, nullptr, nullptr},
#define TERNARY(op, ...) {#op, Kind::elementwise, Forward::slopes, slope_##op, nullptr, nullptr, nullptr},
#define COMPARE(op, ...) {#op, Kind::elementwise, Forward::none, nullptr, nullptr, nullptr, nullptr},
#include "autodiff/elementwise.def"
#define UNARY(op, ...) {#op "_vjp", Kind::elementwise, Forward::none, nullptr, nullptr, nullptr, nullptr},
#include "autodiff/elementwise.def"
    {"where", Kind::elementwise, Forward::linear, nullptr, vjp_where, nullptr, nullptr},
    {"logical_and", Kind::elementwise, Forward::none, nullptr, nullptr, nullptr, nullptr},
    {"logical_or", Kind::elementwise, Forward::none, nullptr, nullptr, nullptr, nullptr},
    {"logical_not", Kind::elementwise, Forward::none, nullptr, nullptr, nullptr, nullptr},
    {"cast", Kind::elementwise, Forward::linear, nullptr, vjp_cast, nullptr, nullptr},
#define VIEW(op) {#op, Kind::view, Forward::linear, nullptr, vjp_##op, compute_##op, nullptr},
#define REDUCTION(op, jvp, two) {#op, Kind::reduction, Forward::jvp, nullptr, vjp_##op, nullptr, nullptr},
#define BARRIER(op, jvp) {#op, Kind::barrier, Forward::jvp, nullptr, VJP_##jvp(op), compute_##op, JVP_##jvp(op)},
#define AT_ONCE(op, jvp) {#op, Kind::barrier, Forward::jvp, nullptr, VJP_##jvp(op), compute_##op, JVP_##jvp(op), true},
#include "autodiff/structural.def"
};

#undef VJP_linear
#undef VJP_bilinear
#undef VJP_transposed
#undef VJP_own
#undef VJP_none
#undef JVP_linear
#undef JVP_bilinear
#undef JVP_transposed
#undef JVP_none
#undef JVP_own

}  // namespace xgrad::engine
