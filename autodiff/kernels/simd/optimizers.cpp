// The optimizer updates (optimizer.hpp has the formulas).
#include "autodiff/kernels/simd/lanes.hpp"

namespace xgrad::kernels {
namespace {

template <class T>
XGRAD_INLINE Batch<T> some(const T* x, Size k) {
  return k >= width<T> ? load(x) : load_part(x, k);
}
template <class T>
XGRAD_INLINE void keep(T* out, const Batch<T>& x, Size k) {
  if (k >= width<T>) [[likely]] x.store_unaligned(out);
  else store_part(out, x, k);
}

template <class T>
XGRAD_INLINE Batch<T> all_lanes(double x) {
  return Batch<T>(static_cast<T>(x));
}

template <class T, bool decays, bool momentum>
void sgd_loop(T* p, const T* from, T* buffer, Size n, const SgdStep& s) {
  using B = Batch<T>;
  const B lr = all_lanes<T>(s.lr), rho = all_lanes<T>(s.momentum), undampened = all_lanes<T>(1 - s.dampening);
  const B decay = all_lanes<T>(s.weight_decay), flip = all_lanes<T>(s.maximize ? -0.0 : 0.0);
  for (Size i = 0; i < n; i += width<T>) {
    const Size k = n - i;
    const B x = some(p + i, k);
    B g = some(from + i, k) ^ flip;
    if constexpr (decays) g = g + decay * x;
    if constexpr (momentum) {
      const B b = s.first ? g : rho * some(buffer + i, k) + undampened * g;
      keep(buffer + i, b, k);
      g = s.nesterov ? g + rho * b : b;
    }
    keep(p + i, x - lr * g, k);
  }
}

template <class T>
void sgd(void* p, const void* g, void* b, Size n, const SgdStep& s) {
  constexpr auto loop = [](auto... flags) { return sgd_loop<T, decltype(flags)::value...>; };
  using Yes = std::true_type;
  using No = std::false_type;
  const auto f = s.weight_decay != 0 ? (b ? loop(Yes{}, Yes{}) : loop(Yes{}, No{}))
                                     : (b ? loop(No{}, Yes{}) : loop(No{}, No{}));
  f(static_cast<T*>(p), static_cast<const T*>(g), static_cast<T*>(b), n, s);
}

template <class T, bool plain>  // plain: no decay, no AMSGrad
void adam_loop(T* p, const T* from, T* first, T* second, T* most, Size n, const AdamStep& s) {
  using B = Batch<T>;
  const B beta1 = all_lanes<T>(s.beta1), rest1 = all_lanes<T>(1 - s.beta1), beta2 = all_lanes<T>(s.beta2);
  const B rest2 = all_lanes<T>(1 - s.beta2), rate = all_lanes<T>(s.rate), root = all_lanes<T>(s.root);
  const B eps = all_lanes<T>(s.eps), shrink = all_lanes<T>(s.shrink), decay = all_lanes<T>(s.weight_decay);
  const B flip = all_lanes<T>(s.maximize ? -0.0 : 0.0);
  for (Size i = 0; i < n; i += width<T>) {
    const Size k = n - i;
    B x = some(p + i, k), g = some(from + i, k) ^ flip;
    if constexpr (!plain) {
      if (s.shrink != 1) x = x * shrink;
      if (s.weight_decay != 0) g = g + decay * x;
    }
    const B m = beta1 * some(first + i, k) + rest1 * g;
    B v = beta2 * some(second + i, k) + (rest2 * g) * g;
    keep(first + i, m, k);
    keep(second + i, v, k);
    if constexpr (!plain) {
      if (most) {
        const B w = some(most + i, k), greater = xsimd::max(w, v);
        v = xsimd::select(w == w, greater, w);
        keep(most + i, v, k);
      }
    }
    keep(p + i, x - (rate * m) / (xsimd::sqrt(v) / root + eps), k);
  }
}

template <class T>
void adam(void* p, const void* g, void* m, void* v, void* w, Size n, const AdamStep& s) {
  const auto loop = s.shrink == 1 && s.weight_decay == 0 && !w ? adam_loop<T, true> : adam_loop<T, false>;
  loop(static_cast<T*>(p), static_cast<const T*>(g), static_cast<T*>(m), static_cast<T*>(v), static_cast<T*>(w), n, s);
}

}  // namespace

namespace XGRAD_ARCH {

void fill_optimizers(Simd& all) {
  all.sgd[0] = sgd<float>;
  all.sgd[1] = sgd<double>;
  all.adam[0] = adam<float>;
  all.adam[1] = adam<double>;
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
