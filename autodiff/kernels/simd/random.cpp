// Streams of random numbers (philox.hpp): 16 Philox blocks side by side make a group of 64 words.
//
// They have the same bits on every instruction set: nothing here multiplies and adds in one rounding.
//
// Word w of block b of a group is its number 16 w + b, so that all stores are whole vectors.
#include "autodiff/kernels/simd/map.hpp"
#include "autodiff/kernels/simd/math_log.hpp"

namespace xgrad::kernels {
namespace {

constexpr int blocks = 16;

struct Group {
  alignas(64) std::uint32_t word[4][blocks];
};

// x y of the lower halves of lanes
XGRAD_INLINE Batch<std::uint64_t> product(const Batch<std::uint64_t>& x, const Batch<std::uint64_t>& y) {
#if defined(__AVX512F__)
  return _mm512_mul_epu32(x, y);
#elif defined(__AVX2__)
  return _mm256_mul_epu32(x, y);
#elif defined(__SSE2__)
  return _mm_mul_epu32(x, y);
#elif defined(__aarch64__)
  return vmull_u32(vmovn_u64(x), vmovn_u64(y));
#else
  const Batch<std::uint64_t> low(0xFFFFFFFFu);
  return (x & low) * (y & low);
#endif
}

// Philox4x32-10: ten rounds of two 32 x 32 -> 64 bit products (Salmon et al. 2011, section 3.3). Words are the lower
// halves of 64-bit lanes; what is above them does no harm.
XGRAD_INLINE void philox(std::uint64_t group, std::uint64_t counter, std::uint64_t seed, Group& g) {
  using B = Batch<std::uint64_t>;
  constexpr Size lanes = width<std::uint64_t>;
  for (Size first = 0; first < blocks; first += lanes) {
    alignas(64) std::uint64_t block[lanes], word[lanes];
    for (Size b = 0; b < lanes; ++b) block[b] = group * blocks + static_cast<std::uint64_t>(first + b);
    B w0 = B::load_aligned(block), w1 = w0 >> 32, w2(counter), w3(counter >> 32);
    std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const B p = product(w0, B(std::uint64_t{0xD2511F53})), q = product(w2, B(std::uint64_t{0xCD9E8D57}));
      w0 = (q >> 32) ^ w1 ^ B(std::uint64_t{key0});
      w1 = q;
      w2 = (p >> 32) ^ w3 ^ B(std::uint64_t{key1});
      w3 = p;
      key0 += 0x9E3779B9;
      key1 += 0xBB67AE85;
    }
    const B words[] = {w0, w1, w2, w3};
    for (int w = 0; w < 4; ++w) {
      words[w].store_aligned(word);
      for (Size b = 0; b < lanes; ++b) g.word[w][first + b] = static_cast<std::uint32_t>(word[b]);
    }
  }
}

XGRAD_INLINE std::uint64_t wide(const Group& g, int half, int b) {
  return g.word[2 * half][b] | (static_cast<std::uint64_t>(g.word[2 * half + 1][b]) << 32);
}

struct Bits {
  using Out = std::uint64_t;
  static constexpr Size count = 2 * blocks;
  XGRAD_INLINE static void make(const Group& g, Out* out) {
    for (int half = 0; half < 2; ++half)
      for (int b = 0; b < blocks; ++b) out[half * blocks + b] = wide(g, half, b);
  }
};

struct Uniform32 {
  using Out = float;
  static constexpr Size count = 4 * blocks;
  XGRAD_INLINE static void make(const Group& g, Out* out) {
    for (int w = 0; w < 4; ++w)
      for (int b = 0; b < blocks; ++b)
        out[w * blocks + b] = static_cast<float>(static_cast<std::int32_t>(g.word[w][b] >> 8)) * 0x1p-24f;
  }
};

struct Uniform64 {
  using Out = double;
  static constexpr Size count = 2 * blocks;
  XGRAD_INLINE static void make(const Group& g, Out* out) {
    for (int half = 0; half < 2; ++half)
      for (int b = 0; b < blocks; ++b)
        out[half * blocks + b] = static_cast<double>(static_cast<std::int64_t>(wide(g, half, b) >> 11)) * 0x1p-53;
  }
};

// c0 + c1 x + c2 x^2 + ..., each op rounded by itself
template <class T, class... C>
XGRAD_INLINE Batch<T> series(const Batch<T>& x, double c0, C... c) {
  if constexpr (sizeof...(c) == 0) return Batch<T>(static_cast<T>(c0));
  else return series(x, c...) * x + Batch<T>(static_cast<T>(c0));
}

// log x of a normal x, as math_log.hpp has it, each op rounded by itself
template <class T>
XGRAD_INLINE Batch<T> plain_log(const Batch<T>& x) {
  using B = Batch<T>;
  B e;
  const B f = mantissa(x, e) - B(T(1)), high(log2_high<T>), low(log2_low<T>), half(T(0.5));
  if constexpr (sizeof(T) == 4) {
    const B z = f * f;
    const B q = series(f, 0.33333310597153316, -0.24999986558244535, 0.20002218178526134, -0.16669248325591909,
                       0.14218801219192285, -0.12384456570787944, 0.11872137481808104, -0.11788948299323209,
                       0.069161079633594924);
    return e * high + (f + (e * low + q * f * z - half * z));
  } else {
    const B s = f / (B(T(2)) + f), z = s * s, h = half * f * f;
    const B q = z * series(z, 0.66666666666667343, 0.3999999999941512, 0.28571428742303818, 0.2222219858080202,
                           0.18183563966880197, 0.1531405903129967, 0.14795870488962505);
    return e * high + (f - (h - (e * low + s * (h + q))));
  }
}

// sin and cos of 2 pi u, 0 <= u < 1, from the nearest eighth
template <class T>
XGRAD_INLINE void circle(const Batch<T>& u, Batch<T>& s, Batch<T>& c) {
  using B = Batch<T>;
  const B k = nearest(u * B(T(4))), r = u - k * B(T(0.25)), z = r * r;
  B sr, cr;
  if constexpr (sizeof(T) == 4) {
    sr =
        series(z, 6.2831853071524534, -41.341702153504979, 81.605204746263081, -76.697869955979277, 41.472948613752069);
    cr = series(z, 0.9999999999526005, -19.739208650358001, 64.939316208461362, -85.442852121783699, 59.22040729147632);
  } else {
    sr = series(z, 6.2831853071795865, -41.34170224039976, 81.605249276074931, -76.705859752998152, 42.058693928993349,
                -15.094640404320097, 3.8197881401095163, -0.71163617379506665);
    cr = series(z, 1.0, -19.739208802178717, 64.939394022667958, -85.456817206522788, 60.244641328881089,
                -26.426250909917053, 7.9030917480216291, -1.6968505723225522);
  }
  sr = sr * r;
  const Mask<T> odd = (k == B(T(1))) | (k == B(T(3)));
  const B a = pick(odd, cr, sr), b = pick(odd, sr, cr);
  s = pick((k == B(T(2))) | (k == B(T(3))), negate(a), a);
  c = pick((k == B(T(1))) | (k == B(T(2))), negate(b), b);
}

// Two normal numbers of two uniform ones (Box and Muller 1958): sqrt(-2 log u) (cos 2 pi v, sin 2 pi v)
template <class T>
XGRAD_INLINE void box_muller(const T* u, const T* v, T* first, T* second) {
  for (Size i = 0; i < blocks; i += width<T>) {
    const Batch<T> r = xsimd::sqrt(Batch<T>(T(-2)) * plain_log(load(u + i)));
    Batch<T> s, c;
    circle(load(v + i), s, c);
    (r * c).store_unaligned(first + i);
    (r * s).store_unaligned(second + i);
  }
}

struct Normal32 {
  using Out = float;
  static constexpr Size count = 4 * blocks;
  XGRAD_INLINE static void make(const Group& g, Out* out) {
    alignas(64) float u[2][blocks], v[2][blocks];
    for (int half = 0; half < 2; ++half) {
      for (int b = 0; b < blocks; ++b) {
        u[half][b] = static_cast<float>(g.word[2 * half][b]) * 0x1p-32f + 0x1p-33f;  // above 0
        v[half][b] = static_cast<float>(static_cast<std::int32_t>(g.word[2 * half + 1][b] >> 8)) * 0x1p-24f;
      }
    }
    for (int half = 0; half < 2; ++half)
      box_muller(u[half], v[half], out + 2 * half * blocks, out + (2 * half + 1) * blocks);
  }
};

struct Normal64 {
  using Out = double;
  static constexpr Size count = 2 * blocks;
  XGRAD_INLINE static void make(const Group& g, Out* out) {
    alignas(64) double u[blocks], v[blocks];
    for (int b = 0; b < blocks; ++b) {
      u[b] = static_cast<double>(static_cast<std::int64_t>(wide(g, 0, b) >> 11)) * 0x1p-53 + 0x1p-54;
      v[b] = static_cast<double>(static_cast<std::int64_t>(wide(g, 1, b) >> 11)) * 0x1p-53;
    }
    box_muller(u, v, out, out + blocks);
  }
};

// Elements [first, first + n); `first` begins a group.
template <class Make>
void stream(typename Make::Out* out, Size first, Size n, std::uint64_t seed, std::uint64_t counter) {
  constexpr Size count = Make::count;
  for (Size i = 0; i < n; i += count) {
    Group g;
    philox(static_cast<std::uint64_t>((first + i) / count), counter, seed, g);
    if (n - i >= count) {
      Make::make(g, out + i);
    } else {
      typename Make::Out last[count];
      Make::make(g, last);
      for (Size k = 0; k < n - i; ++k) out[i + k] = last[k];
    }
  }
}

template <class Make>
void fill_stream(void* out, Size first, Size n, std::uint64_t seed, std::uint64_t counter) {
  stream<Make>(static_cast<typename Make::Out*>(out), first, n, seed, counter);
}

}  // namespace

namespace XGRAD_ARCH {

void fill_random(Simd& all) {
  all.uniform[0] = fill_stream<Uniform32>;
  all.uniform[1] = fill_stream<Uniform64>;
  all.normal[0] = fill_stream<Normal32>;
  all.normal[1] = fill_stream<Normal64>;
  all.bits = stream<Bits>;
}

}  // namespace XGRAD_ARCH
}  // namespace xgrad::kernels
