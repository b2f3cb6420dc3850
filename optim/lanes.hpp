// How a rule's formula is run over elements, for the part of its file that is compiled once an instruction set.
// Private to optim/rules/.
#pragma once

#include "autodiff/kernels/simd/lanes.hpp"
#include <xgrad/optim/work.hpp>

namespace xgrad::optim {
namespace {

using kernels::Batch;

// One number in all lanes, rounded to the dtype.
template <class T>
XGRAD_INLINE Batch<T> lanes(double x) {
  return Batch<T>(static_cast<T>(x));
}

// formula(p, g, slot...) on all elements: p and the slots are changed in place, g is a copy. The bits of an element
// depend on its own numbers alone, so a parameter may be cut into pieces for threads.
template <class T, class Formula, class... Slot>
XGRAD_INLINE void each_of(const Work& w, const Formula& formula, Slot*... slots) {
  constexpr Size width = kernels::width<T>;
  T* p = reinterpret_cast<T*>(w.p);
  const T* g = reinterpret_cast<const T*>(w.g);
  for (Size i = 0; i < w.n; i += width) {
    // Weights that another core has read since lie in its caches, too: the right to write them is asked for ahead.
    constexpr Size ahead = 1024 / sizeof(T);
    if (w.n - i > ahead) __builtin_prefetch(p + i + ahead, 1);
    const Size k = w.n - i;
    const bool whole = k >= width;
    const auto load = [&](const T* x) XGRAD_LAMBDA { return whole ? kernels::load(x + i) : kernels::load_part(x + i, k); };
    const auto store = [&](T* to, const Batch<T>& x) XGRAD_LAMBDA {
      if (whole) [[likely]] x.store_unaligned(to + i);
      else kernels::store_part(to + i, x, k);
    };
    const auto body = [&](Batch<T> x, Batch<T> gradient, auto... state) XGRAD_LAMBDA {
      formula(x, gradient, state...);
      (store(slots, state), ...);
      store(p, x);
    };
    body(load(p), load(g), load(slots)...);
  }
}
template <class T, int slots, class Formula>
XGRAD_INLINE void each(const Work& w, const Formula& formula) {
  const auto slot = [&](int k) { return static_cast<T*>(w.slot(k)); };
  if constexpr (slots == 0) each_of<T>(w, formula);
  if constexpr (slots == 1) each_of<T>(w, formula, slot(0));
  if constexpr (slots == 2) each_of<T>(w, formula, slot(0), slot(1));
  if constexpr (slots == 3) each_of<T>(w, formula, slot(0), slot(1), slot(2));
}

}  // namespace
}  // namespace xgrad::optim

// The entry of this instruction set for a formula template <class T> void update(const Work&, const Step&).
#define XGRAD_COMPILED(update, Step)                                        \
  namespace XGRAD_ARCH {                                                    \
  void update(const Work& w, const Step& s) {                               \
    if (w.dtype == DType::f32) return xgrad::optim::update<float>(w, s);    \
    xgrad::optim::update<double>(w, s);                                     \
  }                                                                         \
  }
