// Random tensors: each draw takes the next counters of the thread's generator, whatever is evaluated when.
#include <fmt/format.h>

#include <xgrad/autodiff/memory.hpp>

#include "autodiff/kernels/philox.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad {

using engine::source_of;

namespace {

// The key and the counter of the next draw. The second stream's key is the seed's by a bijection of its own.
struct Next {
  std::uint64_t key, counter;
};
Next next() {
  constexpr std::uint64_t second = 0xD1B54A32D192ED03ull;
  engine::ThreadState& t = engine::current();
  return t.for_layers ? Next{t.seed ^ second, t.layers++} : Next{t.seed, t.counter++};
}

template <class Fill>
Tensor drawn(const Shape& shape, DType dtype, const char* op, Source source, const Fill& fill) {
  source = source_of(source);
  if (!is_float(dtype)) fail(source.named(op), "expected f32 or f64, got {}", name(dtype));
  return engine::for_examples(shape, op, source, [&](const Shape& all) {
    const Size n = engine::checked_numel(all, dtype, op, source);
    // the counter last: where there is no memory, nothing was drawn
    return filled(
        all, dtype,
        [&](void* memory) {
          const Next at = next();
          fill(dtype, memory, n, at.key, at.counter);
        },
        source, op);
  });
}

}  // namespace

void manual_seed(std::uint64_t seed) {
  engine::current().seed = seed;
  engine::current().counter = engine::current().layers = 0;
}

Tensor rand(const Shape& shape, DType dtype, Source source) {
  return drawn(shape, dtype, "rand", source, kernels::uniform);
}
Tensor randn(const Shape& shape, DType dtype, Source source) {
  return drawn(shape, dtype, "randn", source, kernels::normal);
}

// The high half of 64 random bits times the width: unbiased to 2^-64 (Lemire 2019, without the rejection)
Tensor randint(At low, At high, const Shape& shape, Source source) {
  source = source_of(source, "randint");
  if (low >= high) fail(source, "expected low < high, got {} and {}", low.index, high.index);
  return engine::for_examples(shape, "randint", source, [&](const Shape& all) {
    const Size n = engine::checked_numel(all, i64, "randint", source);
    const std::uint64_t width = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
    return filled(
        all, i64,
        [&](void* memory) {
          auto* out = static_cast<std::uint64_t*>(memory);
          const Next at = next();
          kernels::bits(out, n, at.key, at.counter);
          for (Size i = 0; i < n; ++i)
            out[i] = static_cast<std::uint64_t>(low) +
                     static_cast<std::uint64_t>((static_cast<unsigned __int128>(out[i]) * width) >> 64);
        },
        source, "randint");
  });
}

// Fisher and Yates; Durstenfeld 1964
Tensor randperm(At count, Source source) {
  const Size n = count;
  source = source_of(source, "randperm");
  if (n < 0) fail(source, "expected a count of 0 or more, got {}", n);
  return engine::for_examples(Shape{n}, "randperm", source, [&](const Shape& all) {
    const Size count = engine::checked_numel(all, i64, "randperm", source);
    const Uninitialised drawn = uninitialised(all, i64, source, "randperm");
    return filled(
        all, i64,
        [&](void* memory) {
          auto* bits = static_cast<std::uint64_t*>(drawn.memory);
          const Next at = next();
          kernels::bits(bits, count, at.key, at.counter);
          for (Size* out = static_cast<Size*>(memory); out < static_cast<Size*>(memory) + count; out += n, bits += n) {
            for (Size i = 0; i < n; ++i) out[i] = i;
            for (Size i = n; i-- > 1;) {
              const auto k = static_cast<Size>(
                  (static_cast<unsigned __int128>(bits[i]) * static_cast<std::uint64_t>(i + 1)) >> 64);
              std::swap(out[i], out[k]);
            }
          }
        },
        source, "randperm");
  });
}

}  // namespace xgrad
