// What netlib's testers need of the BLAS they test, in place of the headers of the BLAS that ships them.
#pragma once
// The testers bring a cblas_xerbla of their own, without const.
#define cblas_xerbla hearth_cblas_xerbla
#include "hearth_cblas.h"
#undef cblas_xerbla

typedef int blasint;
#define BLASFUNC(name) name##_
#define CBLAS_ORDER CBLAS_LAYOUT
typedef enum CBLAS_UPLO { CblasUpper = 121, CblasLower = 122 } CBLAS_UPLO;
typedef enum CBLAS_DIAG { CblasNonUnit = 131, CblasUnit = 132 } CBLAS_DIAG;
typedef enum CBLAS_SIDE { CblasLeft = 141, CblasRight = 142 } CBLAS_SIDE;
