#include "autodiff/engine/dtypes.hpp"

#include <fmt/format.h>

#include <atomic>

#include "autodiff/engine/located.hpp"

namespace xgrad {

namespace {
std::atomic<DType> chosen{DType::f32};
}

DType default_dtype() noexcept { return chosen.load(std::memory_order_relaxed); }
void set_default_dtype(DType dtype, Source source) {
  if (!is_float(dtype)) fail(source.named("set_default_dtype"), "expected f32 or f64, got {}", name(dtype));
  chosen.store(dtype, std::memory_order_relaxed);
}

namespace engine {

namespace {

enum class Strength : std::uint8_t { number, scalar, array };
struct Operand {
  DType dtype;
  Strength strength;
};

Operand of(const Node* n) {
  return {n->dtype, n->has(weak) ? Strength::number : n->shape.empty() ? Strength::scalar : Strength::array};
}
Operand of(const In& x, const char* op, Source source) {
  if (x.is_number()) return {x.number_dtype(), Strength::number};
  if (!x.node()) fail_empty(op, source);
  return of(x.node());
}

int kind(DType t) { return is_float(t) ? 2 : t == DType::i64 ? 1 : 0; }

Operand meet(Operand x, Operand y) {
  const Strength strength = std::max(x.strength, y.strength);
  if (kind(x.dtype) != kind(y.dtype)) {
    const Operand& higher = kind(x.dtype) > kind(y.dtype) ? x : y;
    const bool fraction = is_float(higher.dtype) && higher.strength == Strength::number && strength != Strength::number;
    return {fraction ? default_dtype() : higher.dtype, strength};
  }
  if (x.strength != y.strength) return x.strength > y.strength ? x : y;
  return {x.dtype == DType::f64 ? x.dtype : y.dtype, strength};
}

}  // namespace

DType meet(const In& x, const In& y, const char* op, Source source) {
  return meet(of(x, op, source), of(y, op, source)).dtype;
}
DType meet(const Tensors& list) {
  Operand all = of(list[0].node());
  for (const Tensor& t : list) all = meet(all, of(t.node()));
  return all.dtype;
}

DType computed_in(const kernels::Table& kernels, Op op, DType dtype) {
  const auto has = [&](DType d) { return kernels_of(kernels, op, d)[0] != nullptr; };
  if (has(dtype)) return dtype;
  if (dtype == DType::boolean && has(DType::i64)) return DType::i64;
  return default_dtype();
}

}  // namespace engine
}  // namespace xgrad
