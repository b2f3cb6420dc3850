// Windows of a line, side by side: where each has its greatest number.
#include <algorithm>
#include <cstring>
#include <utility>

#include "autodiff/kernels/simd/lanes.hpp"

namespace xgrad::kernels {
namespace {

// Vectors of the compiler's, for its shuffles; picking rounds nothing, so any width gives the same.
template <class T, int n>
struct Vector {
  typedef T type __attribute__((vector_size(n * sizeof(T))));
};

template <class T, int bytes>
struct Some {
  static constexpr int lanes = bytes / static_cast<int>(sizeof(T));
  static constexpr int some = std::min<int>(lanes, sizeof(Batch<T>) > 16 ? 4 : 2);  // places that fit into a vector
  using Numbers = typename Vector<T, lanes>::type;
  using Places = typename Vector<Int<T>, lanes>::type;  // as wide as numbers
  using SomePlaces = typename Vector<Int<T>, some>::type;
  using Sizes = typename Vector<Size, some>::type;

  // Numbers that are a stride apart, and none beyond the last.
  template <Size stride>
  XGRAD_INLINE static Numbers load(const T* x, Size step) {
    Numbers v = {};
    if constexpr (stride == 1) std::memcpy(&v, x, sizeof v);
    else if constexpr (stride == 2) v = even(x, std::make_index_sequence<lanes>());
    else
      for (int i = 0; i < lanes; ++i) v[i] = x[i * step];
    return v;
  }
  template <std::size_t... i>
  XGRAD_INLINE static Numbers even(const T* x, std::index_sequence<i...>) {
    Numbers v = {}, w = {};
    std::memcpy(&v, x, sizeof v), std::memcpy(&w, x + (lanes - 1), sizeof w);
    return __builtin_shufflevector(v, w, (i < lanes / 2 ? 2 * i : 2 * i + 1)...);
  }

  // out[i] = first + i step + place[i]
  template <std::size_t... group>
  XGRAD_INLINE static void store(Size* out, const Places& place, Size first, Size step, std::index_sequence<group...>) {
    Sizes apart;
    for (int i = 0; i < some; ++i) apart[i] = i * step;
    (put(out + some * group, part<some * group>(place, std::make_index_sequence<some>()),
         apart + (first + static_cast<Size>(some * group) * step)),
     ...);
  }
  template <std::size_t from, std::size_t... i>
  XGRAD_INLINE static SomePlaces part(const Places& place, std::index_sequence<i...>) {
    return __builtin_shufflevector(place, place, (from + i)...);
  }
  XGRAD_INLINE static void put(Size* out, const SomePlaces& place, const Sizes& base) {
    const Sizes all = __builtin_convertvector(place, Sizes) + base;
    std::memcpy(out, &all, sizeof all);
  }
};

// Windows as many as there are lanes, the taps one after the other.
template <class V, Size stride, class T>
XGRAD_INLINE void greatest_of_some(const T* x, Size step, const Size* taps, Size n, Size first, Size* out) {
  typename V::Numbers best = V::template load<stride>(x + taps[0], step);
  typename V::Places place = typename V::Places{} + static_cast<Int<T>>(taps[0]);
  for (Size k = 1; k < n; ++k) {
    const typename V::Numbers v = V::template load<stride>(x + taps[k], step);
    const typename V::Places more = ~(v <= best) & (best == best);  // the first of equals stays, and the first NaN
    best = more ? v : best;
    place = more ? typename V::Places{} + static_cast<Int<T>>(taps[k]) : place;
  }
  V::store(out, place, first, step, std::make_index_sequence<V::lanes / V::some>());
}

template <class V, Size stride, class T>
XGRAD_INLINE void greatest_of_many(const T* x, Size step, const Size* taps, Size n, Size count, Size first, Size* out) {
  for (Size next = 0; next < count; next += V::lanes) {  // at the end some of them again
    const Size p = std::min<Size>(next, count - V::lanes);
    greatest_of_some<V, stride>(x + p * step, step, taps, n, first + p * step, out + p);
  }
}

template <Size stride, class T>
void greatest_apart(const T* x, Size step, const Size* taps, Size n, Size count, Size first, Size* out) {
  using Wide = Some<T, std::min<int>(32, sizeof(Batch<T>))>;
  using Narrow = Some<T, 16>;
  if (count >= Wide::lanes) return greatest_of_many<Wide, stride>(x, step, taps, n, count, first, out);
  greatest_of_many<Narrow, stride>(x, step, taps, n, count, first, out);
}

template <class T>
void greatest(const void* x, Size stride, const Size* taps, Size n, Size count, Size first, Size* out) {
  const T* from = static_cast<const T*>(x);
  if (stride == 1) greatest_apart<1>(from, 1, taps, n, count, first, out);
  else if (stride == 2) greatest_apart<2>(from, 2, taps, n, count, first, out);
  else greatest_apart<0>(from, stride, taps, n, count, first, out);
}

}  // namespace

namespace XGRAD_ARCH {

void fill_windows(Simd& all) {
  all.greatest[0] = greatest<float>;
  all.greatest[1] = greatest<double>;
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
