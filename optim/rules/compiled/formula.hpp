// What a compiled rule's file in rules/ is made with: its formula is a template, of tensors and of lanes, and the file is
// compiled once for each instruction set (XGRAD_ARCH), and once for all else. Private to optim/.
#pragma once

#include <cmath>

#ifdef XGRAD_ARCH
#include "optim/rules/compiled/lanes.hpp"
#define XGRAD_FORMULA XGRAD_INLINE
#else
#include <xgrad/autodiff/ops.hpp>
#include "autodiff/arches.hpp"
#define XGRAD_FORMULA inline
#endif

// run(work, step): what the instruction set in use has compiled.
#define XGRAD_RUN_OF(arch, run, Step) \
  namespace arch {                    \
  void run(const Work&, const Step&); \
  }
#define XGRAD_NAMED_RUN(arch, run) arch::run,
#define XGRAD_RUNS(run, Step)                                                                             \
  XGRAD_ARCHES(XGRAD_RUN_OF, run, Step)                                                                   \
  static void run(const Work& w, const Step& s) {                                                         \
    static constexpr void (*compiled[])(const Work&, const Step&) = {XGRAD_ARCHES(XGRAD_NAMED_RUN, run)}; \
    compiled[arch_in_use()](w, s);                                                                        \
  }

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
