// The table of all ops, from the two lists of them.
#include "autodiff/engine/op.hpp"

namespace xgrad::engine {

#define UNARY(op, ...) Slope slope_##op(const Tensor& x, const Tensor& y, const Tensor& z, int i);
#define BINARY(op, ...) Slope slope_##op(const Tensor& x, const Tensor& y, const Tensor& z, int i);
#include "autodiff/elementwise.def"
#define VIEW(op) void compute_##op(Node*); Tensor vjp_##op(const Step&, int);
#define REDUCTION(op, jvp) Tensor vjp_##op(const Step&, int);
#define BARRIER(op, jvp) void compute_##op(Node*); Tensor vjp_##op(const Step&, int);
#include "autodiff/structural.def"
Tensor vjp_where(const Step&, int);
Tensor vjp_cast(const Step&, int);

Tensor vjp_argmax(const Step&, int) { return {}; }  // whole numbers have no derivative
Tensor vjp_argmin(const Step&, int) { return {}; }

constinit Rule rules[] = {
    {"leaf", Kind::leaf, Forward::none, nullptr, nullptr, nullptr},
#define UNARY(op, lane, slope, ...) \
    {#op, Kind::elementwise, Forward::slopes, slope_##op, nullptr, nullptr, kernels::slope_of(#slope)},
#define BINARY(op, ...) {#op, Kind::elementwise, Forward::slopes, slope_##op, nullptr, nullptr},
#define COMPARE(op, ...) {#op, Kind::elementwise, Forward::none, nullptr, nullptr, nullptr},
#include "autodiff/elementwise.def"
#define UNARY(op, ...) {#op "_vjp", Kind::elementwise, Forward::none, nullptr, nullptr, nullptr},
#include "autodiff/elementwise.def"
    {"where", Kind::elementwise, Forward::linear, nullptr, vjp_where, nullptr},
    {"logical_and", Kind::elementwise, Forward::none, nullptr, nullptr, nullptr},
    {"logical_or", Kind::elementwise, Forward::none, nullptr, nullptr, nullptr},
    {"logical_not", Kind::elementwise, Forward::none, nullptr, nullptr, nullptr},
    {"cast", Kind::elementwise, Forward::linear, nullptr, vjp_cast, nullptr},
#define VIEW(op) {#op, Kind::view, Forward::linear, nullptr, vjp_##op, compute_##op},
#define REDUCTION(op, jvp) {#op, Kind::reduction, Forward::jvp, nullptr, vjp_##op, nullptr},
#define BARRIER(op, jvp) {#op, Kind::barrier, Forward::jvp, nullptr, vjp_##op, compute_##op},
#include "autodiff/structural.def"
};

}  // namespace xgrad::engine
