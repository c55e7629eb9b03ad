// The one routine of OpenBLAS that Hearth calls, loaded when it is first wanted: a machine without the library computes
// with Hearth's own kernels, and a process that does not call it does not start its threads.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool a_is_transposed, b_is_transposed;
    int32_t m, n, k;
    const float *a, *b;
    int32_t lda, ldb;
    float *c;
    int32_t ldc;
} cob_sgemm_t;

// nil when the library is there; else what the loader said.
const char *cob_problem(void);
// C = op(A) op(B), row-major, on the calling thread. cob_problem() must be NULL.
void cob_sgemm(const cob_sgemm_t *call);
