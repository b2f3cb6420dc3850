// The float ops of elementwise.def.
#include "autodiff/kernels/simd/map.hpp"
#include "autodiff/kernels/simd/ops.hpp"

namespace xgrad::kernels {
namespace {

// Light is what chain.def lists, and what has the same lane value as one of these.
constexpr bool is_light_text(std::string_view text) {
#define ONE(op) \
  if (text == lane_##op::text) return true;
#define COMMUTES(op) ONE(op)
#define ORDERED(op) ONE(op)
#include "autodiff/kernels/chain.def"
  return false;
}
template <class F>
requires requires { F::text; }
inline constexpr bool is_light<F> = is_light_text(F::text);

template <class F, class T>
void set_unary(Table& t, Elementwise op, DType dtype) {
  Kernel* k = t.elementwise[static_cast<int>(op)][static_cast<int>(dtype)];
  for (int mask = 0; mask < mask_count; ++mask) k[mask] = mask & 1 ? map_unary<F, T, 1> : map_unary<F, T, 0>;
}

// What f and its slope both compute is computed once.
template <class F, class S, class T>
void map_with_slope(void* y, void* slope, const void* x, Size n) {
  for (Size i = 0; i < n; i += width<T>) {
    const Batch<T> a = load_some(static_cast<const T*>(x) + i, n - i), f = F::lane(a), s = S::lane(a);
    store_some(static_cast<T*>(y) + i, f, n - i);
    store_some(static_cast<T*>(slope) + i, s, n - i);
  }
}

template <class F, class S>
void set_with_slope(Table& t, Elementwise op) {
  t.with_slope[static_cast<int>(op)][static_cast<int>(DType::f32)] = map_with_slope<F, S, float>;
  t.with_slope[static_cast<int>(op)][static_cast<int>(DType::f64)] = map_with_slope<F, S, double>;
}

}  // namespace

namespace XGRAD_ARCH {

void fill_functions(Simd& all) {
#define UNARY(op, ...)                                                 \
  set_unary<lane_##op, float>(all.table, Elementwise::op, DType::f32); \
  set_unary<lane_##op, double>(all.table, Elementwise::op, DType::f64);
#define BINARY(op, ...)                                                 \
  set_binary<lane_##op, float>(all.table, Elementwise::op, DType::f32); \
  set_binary<lane_##op, double>(all.table, Elementwise::op, DType::f64);
#define TERNARY(op, ...)                                                 \
  set_ternary<lane_##op, float>(all.table, Elementwise::op, DType::f32); \
  set_ternary<lane_##op, double>(all.table, Elementwise::op, DType::f64);
#define BESIDE(op, slope) set_with_slope<lane_##op, lane_##slope>(all.table, Elementwise::op);
#include "autodiff/elementwise.def"
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
