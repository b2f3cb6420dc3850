// Which instruction set is used, chosen once; and the calls behind rows.hpp.
#include <fmt/format.h>

#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>

#include <xgrad/autodiff/error.hpp>
#include "autodiff/kernels/rows.hpp"
#include "autodiff/kernels/simd.hpp"

namespace xgrad::kernels {

namespace {

#define XGRAD_FILLED(arch)          \
  const Simd& filled_##arch() {     \
    static const Simd filled = [] { \
      Simd all{};                   \
      all.table.name = #arch;       \
      arch::fill_chains(all);       \
      arch::fill_folds(all);        \
      arch::fill_functions(all);    \
      arch::fill_slopes(all);       \
      arch::fill_integers(all);     \
      arch::fill_rows(all);         \
      arch::fill_standardize(all);  \
      arch::fill_random(all);       \
      arch::fill_matmul(all);       \
      arch::fill_convolution(all);  \
      arch::fill_windows(all);      \
      return all;                   \
    }();                            \
    return filled;                  \
  }
XGRAD_ARCHES(XGRAD_FILLED)
#undef XGRAD_FILLED

// Does the machine have it?
#if defined(__x86_64__)
bool has_sse2() { return true; }
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
bool has_native() { return true; }
#endif

struct Arch {
  std::string_view name;
  bool (*has)();
  const Simd& (*filled)();
};
#define XGRAD_ARCH_ROW(arch) Arch{#arch, has_##arch, filled_##arch},
constexpr Arch arches[] = {XGRAD_ARCHES(XGRAD_ARCH_ROW)};  // the least first
#undef XGRAD_ARCH_ROW

// Its number; -1: the machine, or the build, has none of that name.
int find(std::string_view name) {
  for (const Arch& a : arches)
    if (a.name == name) return a.has() ? static_cast<int>(&a - arches) : -1;
  return -1;
}

int choose() {
  if (const char* wanted = std::getenv("XGRAD_SIMD"); wanted && *wanted) {
    if (const int found = find(wanted); found >= 0) return found;
    std::string names;
    for (const Arch& a : arches) names += fmt::format("{}{}", names.empty() ? "" : ", ", a.name);
    fail(Source{}.named("XGRAD_SIMD"),
         "expected one of {}, as this machine has them, got {}; unset it to take the widest", names, wanted);
  }
  for (int i = static_cast<int>(std::size(arches)); i-- > 0;)
    if (arches[i].has()) return i;
  fail(Source{}.named("kernels"), "no instruction set that this library was built for");
}

}  // namespace

const Simd* simd(const char* name) {
  const int found = find(name);
  return found < 0 ? nullptr : &arches[found].filled();
}

const Simd& simd() {
  static const Simd& chosen = arches[arch_in_use()].filled();
  return chosen;
}

const Table& table() { return simd().table; }

void log_softmax_rows(DType dtype, void* out, const void* x, const Rows& rows) {
  simd().log_softmax_rows[dtype == DType::f64](out, x, rows);
}
void softmax_rows(DType dtype, void* out, const void* x, const Rows& rows) {
  simd().softmax_rows[dtype == DType::f64](out, x, rows);
}
void softmax_vjp_rows(DType dtype, void* out, const void* g, const void* y, const Rows& rows) {
  simd().softmax_vjp_rows[dtype == DType::f64](out, g, y, rows);
}
void log_softmax_vjp_rows(DType dtype, void* out, const void* x, const void* y, const Rows& rows) {
  simd().log_softmax_vjp_rows[dtype == DType::f64](out, x, y, rows);
}
void log_softmax_at(DType dtype, void* out, const void* x, const Size* at, const Rows& rows) {
  simd().log_softmax_at[dtype == DType::f64](out, x, at, rows);
}
void log_softmax_at_vjp(DType dtype, void* out, const void* g, const void* x, const Size* at, const Rows& rows) {
  simd().log_softmax_at_vjp[dtype == DType::f64](out, g, x, at, rows);
}
void standardize_rows(DType dtype, const Standard& s, void* out, const void* x, const void* w, const void* b,
                      Size rows) {
  simd().standardize_rows[dtype == DType::f64](s, out, x, w, b, rows);
}
void standardize_vjp_rows(DType dtype, const Standard& s, const Cotangents& out, const void* g, const void* x,
                          const void* w, Size rows) {
  simd().standardize_vjp_rows[dtype == DType::f64](s, out, g, x, w, rows);
}
void add_rows(DType dtype, void* sums, const void* x, Size rows, Size columns) {
  simd().add_rows[dtype == DType::f64](sums, x, rows, columns);
}

}  // namespace xgrad::kernels

namespace xgrad {

int arch_in_use() {
  static const int chosen = kernels::choose();
  return chosen;
}

}  // namespace xgrad
