// What one instruction set provides: the table and the kernels behind rows.hpp, philox.hpp and matmul.hpp.
// The sources in simd/ are compiled once for each, into the namespace of its name, and fill one of these.
#pragma once

#include "autodiff/arches.hpp"
#include "autodiff/kernels/kernels.hpp"

namespace xgrad::kernels {

struct Rows;
struct Standard;  // of rows.hpp
struct Cotangents;

struct SumLine {
  const void* g;  // of row 0
  Size x;
};
inline constexpr Size most_positions = 1024;
// The same for sums whose lanes are channels: `length` positions, at most most_of_lanes in a call.
struct SumPiece {
  const void* g;  // of row 0
  Size x, length;
};
inline constexpr Size most_of_lanes = 512;

struct Simd {
  Table table;
  // [0]: f32, [1]: f64
  void (*log_softmax_rows[2])(void* out, const void* x, const Rows& rows);
  void (*softmax_rows[2])(void* out, const void* x, const Rows& rows);
  void (*softmax_vjp_rows[2])(void* out, const void* g, const void* y, const Rows& rows);
  void (*log_softmax_vjp_rows[2])(void* out, const void* x, const void* y, const Rows& rows);
  void (*log_softmax_at[2])(void* out, const void* x, const Size* at, const Rows& rows);
  void (*log_softmax_at_vjp[2])(void* out, const void* g, const void* x, const Size* at, const Rows& rows);
  void (*standardize_rows[2])(const Standard& s, void* out, const void* x, const void* w, const void* b, Size rows);
  void (*standardize_vjp_rows[2])(const Standard& s, const Cotangents& out, const void* g, const void* x, const void* w,
                                  Size rows);
  void (*add_rows[2])(void* sums, const void* x, Size rows, Size columns);
  // Elements [first, first + n) of a stream; `first` is a multiple of 64, `out` is where element `first` goes.
  void (*uniform[2])(void* out, Size first, Size n, std::uint64_t seed, std::uint64_t counter);
  void (*normal[2])(void* out, Size first, Size n, std::uint64_t seed, std::uint64_t counter);
  void (*bits)(std::uint64_t* out, Size first, Size n, std::uint64_t seed, std::uint64_t counter);
  // C = op(A) op(B), as kernels::matmul, in one thread; `plus`, where it is not null, is added to each row.
  void (*matmul[2])(bool transpose_a, bool transpose_b, Size m, Size n, Size k, const void* a, Size lda, const void* b,
                    Size ldb, const void* plus, void* c, Size ldc);
  // Of up to 8 rows and some lines: out[r][line][p] = sum over k of a[r][k] x[offset[k] + line across + p] for p < count.
  // Returns how far apart lines are in out. Whole vectors of x are read, and of out are written, past their ends.
  Size (*correlate[2])(const void* a, Size rows, Size lda, const void* x, const Size* offset, Size depth, void* out,
                       Size ldo, Size lines, Size count, Size across);
  // Lines of `count` numbers, `across` apart, plus a number (null: none), to where they are `row` apart.
  void (*take_lines[2])(const void* from, Size across, Size lines, Size count, const void* plus, void* to, Size row);
  // Of up to 4 rows: sums[k][r] += sum over p of g[r][p] x[offset[k] + p], p going over lines of `length` positions, which
  // lie side by side in g and in x; at most most_positions, each line counted as a multiple of 16.
  void (*correlate_weight[2])(const SumLine* lines, Size count, Size length, Size rows, Size ldg, const void* x,
                              const Size* offset, Size depth, double* sums);
  // The same sums of many rows: sums[k][r], a row of them being `lanes` long, the rows rounded up to 64 bytes of T. `turned`: scratch
  // of `lanes` numbers for each position.
  void (*correlate_weight_lanes[2])(const SumPiece* pieces, Size count, Size rows, Size ldg, const void* x,
                                    const Size* offset, Size depth, void* turned, Size lanes, double* sums);
  // Where windows have their greatest number, the first of equals or the first NaN. Window p < count has x[p stride + taps[k]], k < n,
  // n > 0, 0 <= taps[k] < 2^31: out[p] = first + p stride + taps[k]. At least 16 bytes of windows.
  void (*greatest[2])(const void* x, Size stride, const Size* taps, Size n, Size count, Size first, Size* out);
};

// Null where the machine, or the build, has no instruction set of this name.
const Simd* simd(const char* name);

// The one in use: behind table().
const Simd& simd();

// Each file of simd/ fills in its part.
#define XGRAD_FILLS(arch)           \
  namespace arch {                  \
  void fill_chains(Simd& all);      \
  void fill_folds(Simd& all);       \
  void fill_functions(Simd& all);   \
  void fill_slopes(Simd& all);      \
  void fill_integers(Simd& all);    \
  void fill_rows(Simd& all);        \
  void fill_standardize(Simd& all); \
  void fill_random(Simd& all);      \
  void fill_matmul(Simd& all);      \
  void fill_convolution(Simd& all); \
  void fill_windows(Simd& all);     \
  }
XGRAD_ARCHES(XGRAD_FILLS)
#undef XGRAD_FILLS

}  // namespace xgrad::kernels
