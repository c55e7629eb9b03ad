// The C interface of the BLAS for matrix products, as netlib's cblas.h declares it: the names, values and argument
// order that programs are compiled against. Implemented in Sources/HearthBLAS.
#pragma once
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum CBLAS_LAYOUT { CblasRowMajor = 101, CblasColMajor = 102 } CBLAS_LAYOUT;
typedef enum CBLAS_TRANSPOSE { CblasNoTrans = 111, CblasTrans = 112, CblasConjTrans = 113 } CBLAS_TRANSPOSE;

// C = alpha op(A) op(B) + beta C in f32 with f32 accumulation. HEARTH_THREADS says on how many threads (all by
// default). An argument that does not fit is reported to cblas_xerbla and nothing is written.
void cblas_sgemm(CBLAS_LAYOUT layout, CBLAS_TRANSPOSE trans_a, CBLAS_TRANSPOSE trans_b, int32_t m, int32_t n, int32_t k,
                 float alpha, const float *a, int32_t lda, const float *b, int32_t ldb, float beta, float *c,
                 int32_t ldc);

// Called with the number of the first argument that does not fit. The default prints it; a program may bring its own.
// Where rows come first, numbers are those of the product of the transposes, as netlib counts them.
void cblas_xerbla(int32_t argument, const char *routine, const char *format, ...);

// For HearthBLAS, which cannot call variadic functions.
void hcblas_report(int32_t argument, const char *routine, const char *message);

#ifdef __cplusplus
}
#endif
