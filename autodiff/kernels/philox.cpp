#include "autodiff/kernels/philox.hpp"

#include <cmath>
#include <numbers>

namespace xgrad::kernels {

PhiloxBlock philox(PhiloxBlock c, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c.word[0], b = std::uint64_t{0xCD9E8D57} * c.word[2];
    c = {{static_cast<std::uint32_t>(b >> 32) ^ c.word[1] ^ key0, static_cast<std::uint32_t>(b),
          static_cast<std::uint32_t>(a >> 32) ^ c.word[3] ^ key1, static_cast<std::uint32_t>(a)}};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return c;
}

namespace {

// Two 64-bit words for every i.
template <class Use>
void draw_pairs(Size pairs, std::uint64_t seed, std::uint64_t draw, const Use& use) {
  for (Size i = 0; i < pairs; ++i) {
    const auto at = static_cast<std::uint64_t>(i);
    const PhiloxBlock w = philox({{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at >> 32),
                                   static_cast<std::uint32_t>(draw), static_cast<std::uint32_t>(draw >> 32)}},
                                 static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
    use(i, std::uint64_t{w.word[1]} << 32 | w.word[0], std::uint64_t{w.word[3]} << 32 | w.word[2]);
  }
}

double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }  // [0, 1)

void store(DType dtype, void* out, Size i, Size n, double value) {
  if (i >= n) return;
  if (dtype == DType::f64) static_cast<double*>(out)[i] = value;
  else static_cast<float*>(out)[i] = static_cast<float>(value);
}

}  // namespace

void bits(std::uint64_t* out, Size n, std::uint64_t seed, std::uint64_t draw) {
  draw_pairs((n + 1) / 2, seed, draw, [&](Size i, std::uint64_t a, std::uint64_t b) {
    out[2 * i] = a;
    if (2 * i + 1 < n) out[2 * i + 1] = b;
  });
}

void uniform(DType dtype, void* out, Size n, std::uint64_t seed, std::uint64_t draw) {
  // f32 takes 24 bits, so that rounding does not reach 1
  const auto number = [dtype](std::uint64_t w) {
    return dtype == DType::f64 ? unit(w) : static_cast<double>(w >> 40) * 0x1p-24;
  };
  draw_pairs((n + 1) / 2, seed, draw, [&](Size i, std::uint64_t a, std::uint64_t b) {
    store(dtype, out, 2 * i, n, number(a));
    store(dtype, out, 2 * i + 1, n, number(b));
  });
}

// sqrt(-2 log u) (cos, sin)(2 pi v), u in (0, 1]
void normal(DType dtype, void* out, Size n, std::uint64_t seed, std::uint64_t draw) {
  draw_pairs((n + 1) / 2, seed, draw, [&](Size i, std::uint64_t a, std::uint64_t b) {
    const double radius = std::sqrt(-2 * std::log(1 - unit(a))), angle = 2 * std::numbers::pi * unit(b);
    store(dtype, out, 2 * i, n, radius * std::cos(angle));
    store(dtype, out, 2 * i + 1, n, radius * std::sin(angle));
  });
}

}  // namespace xgrad::kernels
