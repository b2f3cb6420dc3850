// Random numbers by Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3, 2011).
#pragma once

#include <xgrad/autodiff/dtype.hpp>

namespace xgrad::kernels {

// Element i is a function of (seed, counter, i) alone. f32 or f64; long fills run on all threads. The same bits
// on every machine and instruction set.
void uniform(DType dtype, void* out, Size n, std::uint64_t seed, std::uint64_t counter);  // in [0, 1)
void normal(DType dtype, void* out, Size n, std::uint64_t seed, std::uint64_t counter);   // Box and Muller 1958
void bits(std::uint64_t* out, Size n, std::uint64_t seed, std::uint64_t counter);

// One block of Philox4x32-10: counter and key to four words.
void philox(const std::uint32_t counter[4], const std::uint32_t key[2], std::uint32_t words[4]);

}  // namespace xgrad::kernels
