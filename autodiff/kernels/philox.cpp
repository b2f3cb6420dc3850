#include "autodiff/kernels/philox.hpp"

#include <algorithm>

#include "autodiff/kernels/simd.hpp"
#include "autodiff/parallel.hpp"

namespace xgrad::kernels {

namespace {

constexpr Size together = 1 << 15;  // elements of a job; a multiple of a group's

template <class F>
void in_pieces(Size n, const F& f) {
  if (n <= together) return f(0, n);
  parallel_for((n + together - 1) / together,
               [&](Size job) { f(job * together, std::min(together, n - job * together)); });
}

}  // namespace

void uniform(DType dtype, void* out, Size n, std::uint64_t seed, std::uint64_t counter) {
  const auto f = simd().uniform[dtype == DType::f64];
  const Size item = item_size(dtype);
  in_pieces(n, [&](Size first, Size k) { f(static_cast<char*>(out) + first * item, first, k, seed, counter); });
}

void normal(DType dtype, void* out, Size n, std::uint64_t seed, std::uint64_t counter) {
  const auto f = simd().normal[dtype == DType::f64];
  const Size item = item_size(dtype);
  in_pieces(n, [&](Size first, Size k) { f(static_cast<char*>(out) + first * item, first, k, seed, counter); });
}

void bits(std::uint64_t* out, Size n, std::uint64_t seed, std::uint64_t counter) {
  const auto f = simd().bits;
  in_pieces(n, [&](Size first, Size k) { f(out + first, first, k, seed, counter); });
}

void philox(const std::uint32_t counter[4], const std::uint32_t key[2], std::uint32_t words[4]) {
  std::uint32_t w[4] = {counter[0], counter[1], counter[2], counter[3]}, k[2] = {key[0], key[1]};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p = std::uint64_t{0xD2511F53} * w[0], q = std::uint64_t{0xCD9E8D57} * w[2];
    const std::uint32_t w1 = w[1], w3 = w[3];
    w[0] = static_cast<std::uint32_t>(q >> 32) ^ w1 ^ k[0];
    w[1] = static_cast<std::uint32_t>(q);
    w[2] = static_cast<std::uint32_t>(p >> 32) ^ w3 ^ k[1];
    w[3] = static_cast<std::uint32_t>(p);
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
  std::copy(w, w + 4, words);
}

}  // namespace xgrad::kernels
