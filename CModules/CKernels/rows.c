// Row-wise and elementwise kernels.
#include <math.h>

#include "exp.h"
#include "level.h"

#pragma clang fp contract(fast) reassociate(on)

CK_INLINE void ck_rms_norm_body(const float *x, const float *weight, float *y, int64_t n, float epsilon) {
    float sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    float scale = 1 / sqrtf(sum / (float)n + epsilon);
    for (int64_t i = 0; i < n; i++) y[i] = x[i] * scale * weight[i];
}
CK_DISPATCH(void, ck_rms_norm, (const float *x, const float *weight, float *y, int64_t n, float epsilon),
            (x, weight, y, n, epsilon))

CK_INLINE void ck_swiglu_body(const float *gate, const float *up, float *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = gate[i] / (1 + ck_exp(-gate[i])) * up[i];
}
CK_DISPATCH(void, ck_swiglu, (const float *gate, const float *up, float *y, int64_t n), (gate, up, y, n))

CK_INLINE void ck_add_body(const float *a, const float *b, float *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}
CK_DISPATCH(void, ck_add, (const float *a, const float *b, float *y, int64_t n), (a, b, y, n))

CK_INLINE void ck_rope_interleaved_body(const float *x, const float *cos_sin, float *y, int64_t d) {
    for (int64_t i = 0; i < d / 2; i++) {
        float c = cos_sin[2 * i], s = cos_sin[2 * i + 1], a = x[2 * i], b = x[2 * i + 1];
        y[2 * i] = a * c - b * s;
        y[2 * i + 1] = a * s + b * c;
    }
}
CK_DISPATCH(void, ck_rope_interleaved, (const float *x, const float *cos_sin, float *y, int64_t d), (x, cos_sin, y, d))

CK_INLINE void ck_rope_half_body(const float *x, const float *cos_sin, float *y, int64_t d) {
    for (int64_t i = 0; i < d / 2; i++) {
        float c = cos_sin[2 * i], s = cos_sin[2 * i + 1], a = x[i], b = x[i + d / 2];
        y[i] = a * c - b * s;
        y[i + d / 2] = a * s + b * c;
    }
}
CK_DISPATCH(void, ck_rope_half, (const float *x, const float *cos_sin, float *y, int64_t d), (x, cos_sin, y, d))

CK_INLINE int64_t ck_argmax_body(const float *x, int64_t n) {
    float best = x[0];
    for (int64_t i = 1; i < n; i++) best = x[i] > best ? x[i] : best;
    for (int64_t i = 0; i < n; i++)
        if (x[i] == best) return i;
    return 0;
}
CK_DISPATCH(int64_t, ck_argmax, (const float *x, int64_t n), (x, n))
