// What a compiled rule's file in rules/ is made with: its formula is a template, of tensors and of lanes, and the file is
// compiled once for each instruction set (XGRAD_ARCH), and once for all else. Private to optim/.
#pragma once

#include <cmath>

#ifdef XGRAD_ARCH
#include "optim/rules/compiled/lanes.hpp"
#define XGRAD_FORMULA XGRAD_INLINE
#else
#include <xgrad/autodiff/ops.hpp>
#include "autodiff/kernels/kernels.hpp"
#define XGRAD_FORMULA inline
#endif

// run(work, step): what the instruction set in use has compiled.
#if defined(__x86_64__)
#define XGRAD_RUNS(run, Step)                                                                           \
  namespace sse2 { void run(const Work&, const Step&); }                                                \
  namespace avx2 { void run(const Work&, const Step&); }                                                \
  namespace avx512 { void run(const Work&, const Step&); }                                              \
  static void run(const Work& w, const Step& s) {                                                       \
    static constexpr void (*compiled[])(const Work&, const Step&) = {sse2::run, avx2::run, avx512::run}; \
    compiled[kernels::table().level](w, s);                                                             \
  }
#else
#define XGRAD_RUNS(run, Step)                              \
  namespace native { void run(const Work&, const Step&); } \
  static void run(const Work& w, const Step& s) { native::run(w, s); }
#endif

namespace xgrad::optim {
namespace {

template <class X>
XGRAD_FORMULA const X& last(const X& x) {
  return x;
}
template <class X, class... More>
XGRAD_FORMULA const X& last(const X&, const X& y, const More&... more) {
  return last(y, more...);
}

}  // namespace
}  // namespace xgrad::optim
