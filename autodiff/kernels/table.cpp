// Which instruction set is used, chosen once; and the calls behind rows.hpp.
#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

#include <xgrad/autodiff/error.hpp>
#include "autodiff/kernels/rows.hpp"
#include "autodiff/kernels/simd.hpp"

namespace xgrad::kernels {

namespace {

#define XGRAD_FILLED(arch, number)    \
  const Simd& filled_##arch() {       \
    static const Simd filled = [] {   \
      Simd all{};                     \
      all.table.name = #arch;         \
      all.table.level = number;       \
      arch::fill_chains(all);         \
      arch::fill_folds(all);          \
      arch::fill_functions(all);      \
      arch::fill_slopes(all);         \
      arch::fill_integers(all);       \
      arch::fill_rows(all);           \
      arch::fill_random(all);         \
      arch::fill_matmul(all);         \
      arch::fill_convolution(all);    \
      return all;                     \
    }();                              \
    return filled;                    \
  }

#if defined(__x86_64__)
XGRAD_FILLED(sse2, 0)
XGRAD_FILLED(avx2, 1)
XGRAD_FILLED(avx512, 2)

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

const Simd* find(std::string_view name) {
  if (name == "avx512") return has_avx512() ? &filled_avx512() : nullptr;
  if (name == "avx2") return has_avx2() ? &filled_avx2() : nullptr;
  return name == "sse2" ? &filled_sse2() : nullptr;
}

constexpr const char* widest_first[] = {"avx512", "avx2", "sse2"};
#else
XGRAD_FILLED(native, 0)
const Simd* find(std::string_view name) { return name == "native" ? &filled_native() : nullptr; }
constexpr const char* widest_first[] = {"native"};
#endif
#undef XGRAD_FILLED

const Simd& choose() {
  if (const char* wanted = std::getenv("XGRAD_SIMD"); wanted && *wanted) {
    if (const Simd* s = find(wanted)) return *s;
    fail({}, fmt::format("[XGRAD_SIMD] expected sse2, avx2 or avx512, as this machine has them, got {}; unset it to take "
                         "the widest", wanted));
  }
  for (const char* name : widest_first)
    if (const Simd* s = find(name)) return *s;
  fail({}, "[kernels] no instruction set that this library was built for");
}

}  // namespace

const Simd* simd(const char* name) { return find(name); }

const Simd& simd() {
  static const Simd& chosen = choose();
  return chosen;
}

const Table& table() { return simd().table; }

void log_softmax_rows(DType dtype, void* out, const void* x, Size rows, Size columns) {
  simd().log_softmax_rows[dtype == DType::f64](out, x, rows, columns);
}
void softmax_rows(DType dtype, void* out, const void* x, Size rows, Size columns) {
  simd().softmax_rows[dtype == DType::f64](out, x, rows, columns);
}
void log_softmax_vjp_rows(DType dtype, void* out, const void* x, const void* y, Size rows, Size columns) {
  simd().log_softmax_vjp_rows[dtype == DType::f64](out, x, y, rows, columns);
}
void add_rows(DType dtype, void* sums, const void* x, Size rows, Size columns) {
  simd().add_rows[dtype == DType::f64](sums, x, rows, columns);
}

}  // namespace xgrad::kernels
