// The float ops of elementwise.def.
#include "autodiff/kernels/simd/map.hpp"
#include "autodiff/kernels/simd/ops.hpp"

namespace xgrad::kernels {
namespace {

#define LIGHT(lane) \
  template <>       \
  inline constexpr bool is_light<lane> = true;
LIGHT(lane_neg)
LIGHT(lane_abs)
LIGHT(lane_square)
LIGHT(lane_relu)
LIGHT(lane_add)
LIGHT(lane_sub)
LIGHT(lane_mul)
LIGHT(lane_maximum)
LIGHT(lane_minimum)
LIGHT(lane_at_least)
LIGHT(lane_at_most)
#undef LIGHT

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
