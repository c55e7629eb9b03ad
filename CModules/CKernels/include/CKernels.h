// CPU microkernels: each works on rows or ranges and knows nothing of threads or tensors.
// Every function picks AVX-512, AVX2+FMA or portable code at run time (ck_level). Float sums may be reassociated, in
// the same way on every call: the same input gives the same bits at one level.
#pragma once
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- level ---------------------------------------------------------------------------------------------------------
// HEARTH_CPU_LEVEL = portable | avx2 | avx512 lowers the level; asking for more than the machine has is ignored.
const char *ck_level_name(void);
// The machine's instruction sets that Hearth knows, separated by blanks.
const char *ck_level_features(void);

void ck_advise_huge_pages(void *memory, int64_t byte_count);

// ---- matrices ------------------------------------------------------------------------------------------------------
// y[r] = sum_k w[r][k] * x[k] for `rows` rows of row-major weights; quantised k is a multiple of 32.
void ck_gemv_f32(const float *w, const float *x, float *y, int64_t rows, int64_t k);
void ck_gemv_f16(const uint16_t *w, const float *x, float *y, int64_t rows, int64_t k);
void ck_gemv_q4_1(const uint8_t *w, const float *x, float *y, int64_t rows, int64_t k);
void ck_gemv_q8_0(const uint8_t *w, const float *x, float *y, int64_t rows, int64_t k);
// `count` consecutive elements to f32.
void ck_widen_f16(const uint16_t *w, float *out, int64_t count);
void ck_widen_q4_1(const uint8_t *w, float *out, int64_t count);
void ck_widen_q8_0(const uint8_t *w, float *out, int64_t count);

// ---- attention -----------------------------------------------------------------------------------------------------
enum { CK_MAX_HEAD_DIM = 512 };
// One query row of one head over `count` keys: online softmax in blocks. count = 0 writes zeros and lse = -FLT_MAX.
// k and v rows lie k_stride and v_stride floats apart.
void ck_attention_row(const float *q, const float *k, const float *v, float *out, float *lse, int64_t count,
                      int64_t k_stride, int64_t v_stride, int64_t head_dim, float scale);

// ---- elementwise and rows ------------------------------------------------------------------------------------------
void ck_rms_norm(const float *x, const float *weight, float *y, int64_t n, float epsilon);
void ck_swiglu(const float *gate, const float *up, float *y, int64_t n);
void ck_add(const float *a, const float *b, float *y, int64_t n);
// Rotates one head of d elements by `cos_sin` (d/2 pairs of cosine and sine).
void ck_rope_interleaved(const float *x, const float *cos_sin, float *y, int64_t d);
void ck_rope_half(const float *x, const float *cos_sin, float *y, int64_t d);
// Index of the largest element, the first of equals.
int64_t ck_argmax(const float *x, int64_t n);

// ---- ceilings ------------------------------------------------------------------------------------------------------
// Runs `iterations` rounds of independent multiply-adds in registers; returns the FLOPs done.
double ck_probe_fma(int64_t iterations);
void ck_probe_copy(const float *a, float *c, int64_t n);
float ck_probe_read(const float *a, int64_t n);
void ck_probe_triad(const float *a, const float *b, float *c, float s, int64_t n);

#ifdef __cplusplus
}
#endif
