// Matrix products, at the speed of the best library on the machine.
#pragma once

#include <xgrad/autodiff/dtype.hpp>

namespace xgrad::kernels {

// C [m, n] = op(A) op(B), row-major, f32 or f64. op(A) is [m, k]: A is stored [m, k] with `lda` elements a row, or where
// `transpose_a` [k, m]. The same bits whatever the number of threads: the split depends on the shape alone. k = 0 gives 0.
void matmul(DType dtype, bool transpose_a, bool transpose_b, Size m, Size n, Size k, const void* a, Size lda,
            const void* b, Size ldb, void* c, Size ldc);

// The same plus a row of n numbers, added to each row of C; null: none.
void matmul_plus(DType dtype, bool transpose_a, bool transpose_b, Size m, Size n, Size k, const void* a, Size lda,
                 const void* b, Size ldb, const void* row, void* c, Size ldc);

// Is C better given its row at once, while what is made of it lies in the second cache? Else what comes after adds it.
bool takes_row(Size m, Size n);

// Which libraries it found, for people: "OpenBLAS 0.3.21 SkylakeX, oneDNN 2.6".
const char* matmul_libraries();

}  // namespace xgrad::kernels
