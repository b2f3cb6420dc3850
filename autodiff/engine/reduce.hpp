// Reductions, in the one order that every path keeps: it depends on the shape alone.
//
//   rows     of L numbers that lie side by side: chunks of 512 are folded, the results are folded again, and so on
//   columns  R rows of C numbers: steps are added up in order, at most 128 make a unit; units of about 65,536 numbers make
//            a job, and what the jobs come to is added likewise. A step is a row; where there are more than 128 and they
//            are short, it is several rows side by side.
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

// How rows are added up: each size in numbers, and a multiple of the one before. Of several jobs, each begins with a chunk.
struct Units {
  Size columns = 0, step = 0, unit = 0, job = 0;
  Size jobs = 0;
  bool alone() const { return unit == job; }
  Size rows_left() const { return jobs * (step / columns); }  // that the totals of all jobs are
  Size gathered() const {
    return (jobs * (alone() ? 1 : 2) + 2) * step;
  }  // totals, running totals, and room for add_totals
};
Units units_of(Size rows, Size columns);

// The numbers x[at ... at + n - 1] of a job of `length` numbers, added to its total; called for all of them in order.
void add_to_job(ThreadState& t, DType dtype, const Units& u, char* total, char* running, const char* x, Size at, Size n,
                Size length);
// y = the sum of the rows that the jobs' totals are; `gathered` is overwritten.
void add_totals(ThreadState& t, DType dtype, char* y, char* gathered, const Units& u);

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
  // Each of `rows` rows of n.
  void rows(char* y, const char* x, Size rows, Size n) const {
    if (n > 1 && n <= 8 && adds)
      return dtype == DType::f32 ? add_rows<float>(y, x, rows, n) : add_rows<double>(y, x, rows, n);
    const Size item = item_size(dtype);
    for (Size r = 0; r < rows; ++r) (*this)(y + r * item, x + r * n * item, n);
  }

 private:
  template <class T, int n>
  static void add_rows_of(char* y, const char* x, Size rows) {
    const T* from = reinterpret_cast<const T*>(x);
    for (Size r = 0; r < rows; ++r, from += n) {
      T sum = from[0];
      for (int i = 1; i < n; ++i) sum += from[i];
      reinterpret_cast<T*>(y)[r] = sum;
    }
  }
  template <class T>
  static void add_rows(char* y, const char* x, Size rows, Size n) {
    switch (n) {
      case 2: return add_rows_of<T, 2>(y, x, rows);
      case 3: return add_rows_of<T, 3>(y, x, rows);
      case 4: return add_rows_of<T, 4>(y, x, rows);
      case 5: return add_rows_of<T, 5>(y, x, rows);
      case 6: return add_rows_of<T, 6>(y, x, rows);
      case 7: return add_rows_of<T, 7>(y, x, rows);
      default: return add_rows_of<T, 8>(y, x, rows);
    }
  }
  template <class T>
  static void add_few(char* y, const char* x, Size n) {
    const T* from = reinterpret_cast<const T*>(x);
    T sum = from[0];
    for (Size i = 1; i < n; ++i) sum += from[i];
    *reinterpret_cast<T*>(y) = sum;
  }
};
Folding folding(const kernels::Table& kernels, kernels::Reduction kind, DType dtype);

// y = the `n` numbers at x reduced; x is overwritten where n > chunk.
void fold_partials(const Folding& fold, char* y, char* x, Size n, Size item);
inline Size partials_of(Size n) { return (n + chunk - 1) / chunk; }

void reduce(ThreadState& t, Node* n);

}  // namespace xgrad::engine
