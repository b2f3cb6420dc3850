// Reductions, in the one order that every path keeps: it depends on the shape alone.
//
//   rows     of L numbers that lie side by side: chunks of 512 are folded, the results are folded again, and so on
//   columns  R rows of C numbers: units of rows are added up in order, then the units are
#pragma once

#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

using kernels::chunk;

// A reduction seen as [outer, length, inner].
struct Reduced {
  Size outer, length, inner;
  kernels::Reduction kind;
  bool rows() const { return inner == 1; }
  bool whole() const { return inner == 1 && outer == 1; }
  bool columns() const { return outer == 1 && inner > 1; }
};
Reduced reduced(Node* n);

// Rows of a unit of columns: about 65,536 numbers, and a multiple of `chunk` of them.
Size unit_rows(Size columns);

// A reduction of numbers that lie side by side: the kernel, but a few are added one by one.
struct Folding {
  kernels::Fold kernel;
  DType dtype;
  bool adds;
  void operator()(char* y, const char* x, Size n) const {
    if (n > 8 || !adds || n == 0) return kernel(y, x, n);
    if (dtype == DType::f32) add_few<float>(y, x, n);
    else add_few<double>(y, x, n);
  }

 private:
  template <class T>
  static void add_few(char* y, const char* x, Size n) {
    const T* from = reinterpret_cast<const T*>(x);
    T sum = from[0];
    for (Size i = 1; i < n; ++i) sum += from[i];
    *reinterpret_cast<T*>(y) = sum;
  }
};
Folding folding(const Thread& t, kernels::Reduction kind, DType dtype);

// y = the `n` numbers at x reduced; x is overwritten where n > chunk.
void fold_partials(const Folding& fold, char* y, char* x, Size n, Size item);
inline Size partials_of(Size n) { return (n + chunk - 1) / chunk; }

// sums[c] += x[r][c], row by row.
void add_rows(Thread& t, DType dtype, char* sums, const char* x, Size rows, Size columns);

void reduce(Thread& t, Node* n);

}  // namespace xgrad::engine
