// Chains (kernels.hpp): an interpreter whose running value is some vectors in registers, which no call could hand on.
#include "autodiff/kernels/simd/ops.hpp"
#include "autodiff/kernels/simd/sums.hpp"

namespace xgrad::kernels {
namespace {

// What the sum of a block needs between passes, and what to do with it after the last one.
template <class T, Size vectors>
XGRAD_INLINE void add_up(T* out, T* kept, const Batch<T>* a, Size i, Size n) {
  constexpr Size parts = side_by_side<T> / width<T>;
  constexpr Size few = 8;  // are added one by one (engine/reduce.hpp)
  if (i == 0)
    for (Size v = 0; v < parts; ++v) Batch<T>(n > few ? T(0) : T(-0.0)).store_aligned(kept + v * width<T>);
  if constexpr (vectors % parts == 0) {
    Batch<T> sums[parts];
    for (Size v = 0; v < parts; ++v) sums[v] = Batch<T>::load_aligned(kept + v * width<T>);
#pragma GCC unroll 16
    for (Size v = 0; v < vectors; ++v) sums[v % parts] = sums[v % parts] + a[v];
    for (Size v = 0; v < parts; ++v) sums[v].store_aligned(kept + v * width<T>);
  } else {
    static_assert(vectors == 1);
    T* own = kept + i / width<T> % parts * width<T>;
    alignas(64) T part[width<T>] = {};
    store_some(part, a[0], n - i);
    (Batch<T>::load_aligned(own) + Batch<T>::load_aligned(part)).store_aligned(own);
  }
  if (i + vectors * width<T> < n) return;
  if (n > few) {
    Batch<T> sums[parts];
    for (Size v = 0; v < parts; ++v) sums[v] = Batch<T>::load_aligned(kept + v * width<T>);
    *out = sum_of(sums);
  } else {
    *out = kept[0];
    for (Size k = 1; k < n; ++k) *out += kept[k];
  }
}

// All steps for the elements from i on, `vectors` vectors at a time; of a single one, the last may be a part.
template <class T, Size vectors>
[[gnu::noinline]] Size run(const ChainStep* const steps, char* scratch, Size start, Size i, Size n) {
  constexpr Size at_once = vectors * width<T>, size = sizeof(T);
  constexpr bool part = vectors == 1;
  Batch<T> a[vectors];
#pragma GCC unroll 16
  for (Size v = 0; v < vectors; ++v) a[v] = Batch<T>(T(0));  // GCC cannot see that a load comes first
  for (; part ? i < n : i + at_once <= n; i += at_once) {
    const Size in_memory = (start + i) * size, in_scratch = reinterpret_cast<Size>(scratch) + i * size;
    for (const ChainStep* s = steps;; ++s) {
      const std::uint64_t form = s->form;
      const auto from = [&](int place) XGRAD_LAMBDA { return static_cast<From>(form >> (8 * place) & 255); };
      const auto elements = [&](std::intptr_t at, int place) XGRAD_LAMBDA {
        return reinterpret_cast<T*>(at + (from(place) == From::scratch ? in_scratch : in_memory));
      };
      const auto number = [](std::intptr_t at) XGRAD_LAMBDA { return Batch<T>(*reinterpret_cast<const T*>(at)); };

#define EACH(value) \
  _Pragma("GCC unroll 16") for (Size v = 0; v < vectors; ++v) { value; }
#define LOADED(p) (part ? load_some(p, n - i) : load(p + v * width<T>))
#define LABEL(act, number) case 2 * static_cast<int>(Act::act) + number
#define WITH(value)                                  \
  {                                                  \
    const T* const p = elements(s->x, 2);            \
    EACH(const Batch<T> x = LOADED(p); a[v] = value) \
    break;                                           \
  }
#define WITH_NUMBER(value)           \
  {                                  \
    const Batch<T> x = number(s->x); \
    EACH(a[v] = value)               \
    break;                           \
  }
#define WITH_PRODUCT(value)                                             \
  {                                                                     \
    const T *const p = elements(s->x, 2), *const q = elements(s->y, 3); \
    EACH(const Batch<T> x = LOADED(p) * LOADED(q); a[v] = value)        \
    break;                                                              \
  }
#define WITH_PRODUCT_NUMBER(value)                       \
  {                                                      \
    const T* const p = elements(s->x, 2);                \
    const Batch<T> y = number(s->y);                     \
    EACH(const Batch<T> x = LOADED(p) * y; a[v] = value) \
    break;                                               \
  }
      if (from(1) != From::none) {
        if (from(1) == From::number) {
          const Batch<T> x = number(s->first);
          EACH(a[v] = x)
        } else {
          const T* const p = elements(s->first, 1);
          EACH(a[v] = LOADED(p))
        }
      }
      switch (form & 255) {
        LABEL(none, 0) : break;
        LABEL(sum, 0)
            : add_up<T, vectors>(reinterpret_cast<T*>(s->x) + start / chunk, reinterpret_cast<T*>(scratch + s->y), a, i,
                                 n);
        break;
#define ONE(op)                        \
  LABEL(op, 0) : {                     \
    EACH(a[v] = lane_##op::lane(a[v])) \
    break;                             \
  }
#define COMMUTES(op) LABEL(op, 0) : WITH(lane_##op::lane(a[v], x)) LABEL(op, 1) : WITH_NUMBER(lane_##op::lane(a[v], x))
#define ORDERED(op)                                                   \
  LABEL(op, 0)                                                        \
      : WITH(lane_##op::lane(a[v], x)) LABEL(op, 1)                   \
      : WITH_NUMBER(lane_##op::lane(a[v], x)) LABEL(op##_reversed, 0) \
      : WITH(lane_##op::lane(x, a[v])) LABEL(op##_reversed, 1) : WITH_NUMBER(lane_##op::lane(x, a[v]))
#define PRODUCT(op)                                                                   \
  LABEL(op##_product, 0)                                                              \
      : WITH_PRODUCT(lane_##op::lane(a[v], x)) LABEL(op##_product_reversed, 0)        \
      : WITH_PRODUCT(lane_##op::lane(x, a[v])) LABEL(op##_product, 1)                 \
      : WITH_PRODUCT_NUMBER(lane_##op::lane(a[v], x)) LABEL(op##_product_reversed, 1) \
      : WITH_PRODUCT_NUMBER(lane_##op::lane(x, a[v]))
#include "autodiff/kernels/chain.def"
        LABEL(end, 0) : goto next;
        default: __builtin_unreachable();
      }
      if (from(4) != From::none) {
        T* const p = elements(s->out, 4);
        EACH(if constexpr (part) store_some(p, a[v], n - i); else a[v].store_unaligned(p + v * width<T>))
      }
    }
  next:;
#undef EACH
#undef LOADED
#undef LABEL
#undef WITH
#undef WITH_NUMBER
#undef WITH_PRODUCT
#undef WITH_PRODUCT_NUMBER
  }
  return i;
}

template <class T>
void run_chain(const ChainStep* steps, char* scratch, Size start, Size n) {
  constexpr Size vectors = width<T> * sizeof(T) == 64 ? 8 : 16;
  const Size i = run<T, vectors>(steps, scratch, start, 0, n);
  if (i < n) run<T, 1>(steps, scratch, start, i, n);
}

}  // namespace

namespace XGRAD_ARCH {

void fill_chains(Simd& all) {
  all.table.chain[0] = run_chain<float>;
  all.table.chain[1] = run_chain<double>;
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
