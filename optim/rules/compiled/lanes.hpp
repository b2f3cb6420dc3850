// How a rule's formula is run over elements, for the part of its file that is compiled once an instruction set.
// Private to optim/rules/.
#pragma once

#include "autodiff/lanes.hpp"
#include <xgrad/optim/work.hpp>

namespace xgrad::optim {
namespace {

using kernels::Batch;

// Numbers of consecutive elements, with the words of tensors: a formula is written once for both, and has the same bits.
template <class T>
struct Lanes {
  Batch<T> v;
  Lanes(const Batch<T>& batch) : v(batch) {}
  XGRAD_INLINE friend Lanes operator+(const Lanes& x, const Lanes& y) { return x.v + y.v; }
  XGRAD_INLINE friend Lanes operator-(const Lanes& x, const Lanes& y) { return x.v - y.v; }
  XGRAD_INLINE friend Lanes operator*(const Lanes& x, const Lanes& y) { return x.v * y.v; }
  XGRAD_INLINE friend Lanes operator/(const Lanes& x, const Lanes& y) { return x.v / y.v; }
  XGRAD_INLINE friend Lanes operator-(const Lanes& x) { return x.v ^ Batch<T>(static_cast<T>(-0.0)); }
  XGRAD_INLINE friend Lanes operator+(const Lanes& x, double y) { return x.v + Batch<T>(static_cast<T>(y)); }
  XGRAD_INLINE friend Lanes operator*(const Lanes& x, double y) { return x.v * Batch<T>(static_cast<T>(y)); }
  XGRAD_INLINE friend Lanes operator*(double x, const Lanes& y) { return Batch<T>(static_cast<T>(x)) * y.v; }
  XGRAD_INLINE friend Lanes sqrt(const Lanes& x) { return xsimd::sqrt(x.v); }
  // the greater; NaN where one is NaN
  XGRAD_INLINE friend Lanes maximum(const Lanes& x, const Lanes& y) {
    return xsimd::select(x.v == x.v, kernels::upper(x.v, y.v), x.v);
  }
};

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
    const auto load = [&](const T* x)
                          XGRAD_LAMBDA { return whole ? kernels::load(x + i) : kernels::load_part(x + i, k); };
    const auto store = [&](T* to, const Batch<T>& x) XGRAD_LAMBDA {
      if (whole) [[likely]]
        x.store_unaligned(to + i);
      else kernels::store_part(to + i, x, k);
    };
    const auto body = [&](Lanes<T> x, const Lanes<T>& gradient, auto... state) XGRAD_LAMBDA {
      formula(x, gradient, state...);
      (store(slots, state.v), ...);
      store(p, x.v);
    };
    body(load(p), load(g), Lanes<T>(load(slots))...);
  }
}
template <class T, class Formula>
XGRAD_INLINE void on_lanes_of(const Work& w, const Formula& formula) {
  const auto slot = [&](int k) { return static_cast<T*>(w.slot(k)); };
  switch (w.slots) {
    case 0: return each_of<T>(w, formula);
    case 1: return each_of<T>(w, formula, slot(0));
    case 2: return each_of<T>(w, formula, slot(0), slot(1));
    default: return each_of<T>(w, formula, slot(0), slot(1), slot(2));
  }
}
template <class Formula>
XGRAD_INLINE void on_lanes(const Work& w, const Formula& formula) {
  if (w.dtype == DType::f32) on_lanes_of<float>(w, formula);
  else on_lanes_of<double>(w, formula);
}

}  // namespace
}  // namespace xgrad::optim
