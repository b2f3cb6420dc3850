// The table of all ops, from the two lists of them.
#include "autodiff/engine/batch.hpp"

namespace xgrad::engine {

#define UNARY(op, ...) Slope slope_##op(const Tensor& x, const Tensor& y, const Tensor& z, int i);
#define BINARY(op, ...) Slope slope_##op(const Tensor& x, const Tensor& y, const Tensor& z, int i);
#define TERNARY(op, ...) Slope slope_##op(const Tensor& x, const Tensor& y, const Tensor& z, int i);
#include "autodiff/elementwise.def"
// clang-format off
#define VIEW(op) void compute_##op(Node*); Tensors vjp_##op(const Step&); Tensor batch_##op(const Replayed&);
#define REDUCTION(op, ...) Tensors vjp_##op(const Step&);
#define BARRIER(op, ...) \
  void compute_##op(Node*); Tensors vjp_##op(const Step&); Tensor jvp_##op(Node*, const Tensors&); Tensor batch_##op(const Replayed&);
#define AT_ONCE(op, ...) \
  void compute_##op(Node*); Tensors vjp_##op(const Step&); Tensor jvp_##op(Node*, const Tensors&); Tensor batch_##op(const Replayed&);
// clang-format on
#include "autodiff/structural.def"
Tensors vjp_where(const Step&);
#define PARTS(op) Tensor gather_##op(const Part* const*, std::size_t);
#include "autodiff/structural.def"

namespace {
using Gather = Tensor (*)(const Part* const*, std::size_t);
template <Op op>
constexpr Gather gather_of = nullptr;
#define PARTS(op) \
  template <>     \
  constexpr Gather gather_of<Op::op> = gather_##op;
#include "autodiff/structural.def"
}  // namespace

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
#define BATCH_leading(op) batch_leading
#define BATCH_axis(op) batch_axis
#define BATCH_own(op) batch_##op
#define BATCH_never(op) nullptr

constinit Rule rules[] = {
    {"leaf", Kind::leaf, Forward::none, nullptr, nullptr, nullptr, nullptr, nullptr},
#define UNARY(op, lane, slope, ...)                                                                              \
  {#op,   Kind::elementwise, Forward::slopes,          slope_##op, nullptr, nullptr, nullptr, batch_elementwise, \
   false, nullptr,           kernels::slope_of(#slope)},
#define BINARY(op, ...) \
  {#op, Kind::elementwise, Forward::slopes, slope_##op, nullptr, nullptr, nullptr, batch_elementwise},
#define TERNARY(op, ...) \
  {#op, Kind::elementwise, Forward::slopes, slope_##op, nullptr, nullptr, nullptr, batch_elementwise},
#define COMPARE(op, ...) {#op, Kind::elementwise, Forward::none, nullptr, nullptr, nullptr, nullptr, batch_elementwise},
#include "autodiff/elementwise.def"
#define UNARY(op, ...) \
  {#op "_vjp", Kind::elementwise, Forward::none, nullptr, nullptr, nullptr, nullptr, batch_elementwise},
#include "autodiff/elementwise.def"
    {"where", Kind::elementwise, Forward::linear, nullptr, vjp_where, nullptr, nullptr, batch_elementwise},
    {"logical_and", Kind::elementwise, Forward::none, nullptr, nullptr, nullptr, nullptr, batch_elementwise},
    {"logical_or", Kind::elementwise, Forward::none, nullptr, nullptr, nullptr, nullptr, batch_elementwise},
    {"logical_not", Kind::elementwise, Forward::none, nullptr, nullptr, nullptr, nullptr, batch_elementwise},
    {"cast", Kind::elementwise, Forward::linear, nullptr, vjp_cast, nullptr, nullptr, batch_elementwise},
#define VIEW(op) \
  {#op, Kind::view, Forward::linear, nullptr, vjp_##op, compute_##op, nullptr, batch_##op, false, gather_of<Op::op>},
#define REDUCTION(op, jvp, two) {#op, Kind::reduction, Forward::jvp, nullptr, vjp_##op, nullptr, nullptr, batch_span},
#define BARRIER(op, jvp, batch)                                            \
  {#op,          Kind::barrier, Forward::jvp,      nullptr, VJP_##jvp(op), \
   compute_##op, JVP_##jvp(op), BATCH_##batch(op), false,   gather_of<Op::op>},
#define AT_ONCE(op, jvp, batch) \
  {#op, Kind::barrier, Forward::jvp, nullptr, VJP_##jvp(op), compute_##op, JVP_##jvp(op), BATCH_##batch(op), true},
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
#undef BATCH_leading
#undef BATCH_axis
#undef BATCH_own
#undef BATCH_never

}  // namespace xgrad::engine
